"""Patchy kSZ power: a measurement, a limit, and the scatter of the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.table import Table
from helpers import X_HI, Stub, Z, uniform
from scipy.special import erf

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning
from astroemu.model.model import Model
from astroemu_plugins.derived.patchy_ksz import PatchyKsz as Power
from astroemu_probes.patchy_ksz import PatchyKsz


def at(power, error=None, **options):
    value = np.atleast_1d(np.asarray(power, dtype=float))[:, None]
    e = None if error is None else np.full_like(value, error)
    return PatchyKsz(**options).log_likelihood({"d_pksz": Prediction(value, e)}, {}, NUMPY)


def test_a_limit_is_a_half_normal():
    """Gorce+22: D < 1.6 at 95 %."""
    probe = PatchyKsz(fit_scatter=0.0)
    assert probe.data == 0.0 and erf(1.6 / (probe.error_high * math.sqrt(2.0))) == pytest.approx(0.95)
    np.testing.assert_allclose(at([0.5, 1.6], fit_scatter=0.0), [-0.5 * (d * 1.959964 / 1.6) ** 2 for d in (0.5, 1.6)],
                               rtol=1e-6)  # fmt: skip


def test_a_measurement_is_two_half_gaussians():
    """Reichardt+21: 1.1 +1.0 -0.7."""
    found = at([1.1, 2.1, 0.4], reference="Reichardt+2021", fit_scatter=0.0)
    np.testing.assert_allclose(found, [0.0, -0.5, -0.5])


def test_the_scatter_of_the_fit_and_the_emulators_error_widen_the_bars():
    extra = math.hypot(0.2 * 2.1, 0.3)
    low, high = math.hypot(0.7, extra), math.hypot(1.0, extra)
    expected = -0.5 * (1.0 / high) ** 2 - math.log((low + high) / 1.7)
    found = at(2.1, 0.3, reference="Reichardt+2021", fit_scatter=0.2)[0]
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_limit_becomes_a_measurement_in_mock_data(tmp_path):
    probe = PatchyKsz()
    mock = probe.simulate({"d_pksz": Prediction(np.array([[1.2]]))}, {}, None)
    assert mock.data == 1.2 and probe.data == 0.0
    saved = mock.save(tmp_path, "mock")
    again = PatchyKsz(**{**saved, "catalog": str(tmp_path / saved["catalog"])})
    assert (again.data, again.error_low) == pytest.approx((1.2, probe.error_low))


def test_it_follows_a_history():
    """A later midpoint and a shorter reionization make less power."""
    history = Stub(("w",), {X_HI: lambda t: np.clip((Z - 8.0) / t + 0.5, 0.0, 1.0)})
    model = Model(uniform(w=(1.0, 6.0)), {"h": history, "power": Power()}, {"p": PatchyKsz(reference="Reichardt+2021")})
    value = model.predict(np.array([[1.0], [3.0]]))["d_pksz"]
    expected = [2.03 * (9.0 / 11.0 - 0.12) * (w / 2.0 / 1.05) ** 0.51 for w in (1.0, 3.0)]
    np.testing.assert_allclose(value, expected, rtol=5e-3)
    assert np.all(np.isfinite(model.log_likelihood(np.array([[1.0], [3.0], [6.0]]))))


def test_two_values_from_one_telescope_warn():
    history = Stub(("w",), {X_HI: lambda t: np.clip((Z - 8.0) / t + 0.5, 0.0, 1.0)})
    probes = {"one": PatchyKsz(), "two": PatchyKsz(reference="Reichardt+2021")}
    with pytest.warns(DoubleCountingWarning, match="South Pole Telescope"):
        Model(uniform(w=(1.0, 6.0)), {"h": history, "power": Power()}, probes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "Reichardt+2020"}, r"'patchy_ksz'.*Did you mean 'Reichardt\+2021'"),
        ({"fit_scatter": -1.0}, "fit_scatter"),
    ],
)
def test_what_the_catalog_does_not_have_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        PatchyKsz(**options)


def own(tmp_path, rows=1, **columns):
    made = {"ell": [3000.0], "d_pksz": [1.0], "err_up": [0.5], "err_lo": [0.5], "kind": ["measurement"]}
    made |= {"cl": [float("nan")], "reference": ["Mine"]} | columns
    table = Table({name: values * rows for name, values in made.items()})
    for name in ("d_pksz", "err_up", "err_lo"):
        table[name].unit = "uK2"
    table.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    return PatchyKsz(str(tmp_path / "mine.ecsv"), reference="Mine")


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"ell": [2000.0]}, DataError, "the fit holds at l = 3000 only"),
        ({"kind": ["upper"]}, DataError, "no number in the column 'cl'"),
        ({"kind": ["upper"], "cl": [0.95], "d_pksz": [-1.0]}, DataError, "an upper limit must be above 0"),
        ({"err_lo": [0.0]}, DataError, "'err_lo' is 0"),
        ({"reference": ["A"]}, ConfigurationError, "reference = 'Mine' is not in"),
    ],
)
def test_a_number_without_meaning_is_refused(tmp_path, columns, error, message):
    with pytest.raises(error, match=message):
        own(tmp_path, **columns)


def test_two_rows_of_one_paper_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="has several rows"):
        own(tmp_path, rows=2)
