"""RELIKE: its own package, tau_e from tangents, errors of an emulator, gradients and bad files."""

from __future__ import annotations

import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers import TAU, X_HI, Stub, Z, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.model import Model
from astroemu_catalogs import RELIKE
from astroemu_probes.optical_depth import OpticalDepth
from astroemu_probes.relike import Relike

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "scripts" / "low_ell_ee.py"))
pytestmark = pytest.mark.skipif(not RELIKE.path.is_file(), reason="the wheel relike is not installed")
MIDPOINTS = np.linspace(6.3, 11.0, 12)[:, None]


@pytest.fixture(scope="module")
def probe():
    return Relike()


def projected(probe, x_hi):
    """Return the prediction for histories given as a function of z."""
    needed = probe.requires["x_hi"]
    return Prediction(x_hi(needed.at["z"]) @ needed.weights.T)


def tangents(z):
    return SCRIPT["tangent"](z, MIDPOINTS)


def at(probe, prediction):
    return probe.log_likelihood({"x_hi": prediction}, {}, NUMPY)


def test_tangents_give_tau_e(probe):
    """0.0595 +- 0.0061 was stated for the package; its code gives 0.0589 +- 0.0062 with a prior flat in tau_e."""
    mean, sd, *_ = SCRIPT["summary"](SCRIPT["of_tangents"](probe))
    assert mean == pytest.approx(0.0595, abs=0.1 * 0.0061)
    assert sd == pytest.approx(0.0061, abs=0.1 * 0.0061)
    assert mean == pytest.approx(0.05893, abs=2e-4)


@pytest.mark.filterwarnings("ignore")
def test_amplitudes_and_likelihoods_are_those_of_its_own_package(probe):
    relike = pytest.importorskip("relike", exc_type=ImportError)
    from scipy.integrate import simpson

    components, theirs, z = relike.PC().data, relike.GaussianLikelihood(), np.linspace(6.0, 30.0, 24 * 400 + 1)
    for midpoint, found, value in zip(
        MIDPOINTS[:, 0],
        projected(probe, tangents).value + probe._ionised,
        at(probe, projected(probe, tangents)),
        strict=True,
    ):
        change = relike.TanhModel().get_xe_func(midpoint)(z) - components.xe_fid_func(z)
        expected = np.array([simpson(each(z) * change, x=z) for each in components.xe_mjs_func]) / 24.0
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.sqrt(np.diag(probe._covariance)).min())
        assert value == pytest.approx(theirs.get_loglike(expected, normalize=False), abs=1e-3)


def test_a_history_of_an_emulator_is_projected_by_the_model(probe):
    stub = Stub(("z_re",), {X_HI: lambda theta: SCRIPT["tangent"](Z, theta)})
    model = Model(uniform(z_re=(6.0, 12.0)), {"stub": stub}, {"relike": probe})
    found = model.log_likelihood(MIDPOINTS)
    # The emulated history is linear between its nodes.
    expected = at(probe, projected(probe, lambda z: np.stack([np.interp(z, Z, row) for row in tangents(Z)])))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found, at(probe, projected(probe, tangents)), atol=0.15)


def test_outside_the_range_the_gas_is_ionised_or_neutral(probe):
    def history(z):
        return np.where(z < 7.0, 0.0, np.where(z > 15.0, 1.0, (z - 7.0) / 8.0))[None]

    narrow = Relike(z_min=7.0, z_max=15.0)
    z = narrow.requires["x_hi"].at["z"]
    assert z.min() > 7.0 and z.max() < 15.0
    np.testing.assert_allclose(at(narrow, projected(narrow, history)), at(probe, projected(probe, history)), rtol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(5.0, None), (None, 31.0), (12.0, 12.0), (20.0, 8.0)])
def test_a_range_beyond_the_components_is_refused(low, high):
    with pytest.raises(ConfigurationError, match=r"within the range of the components, 6 to 30"):
        Relike(z_min=low, z_max=high)


def test_modes_and_independent_errors_add_to_the_covariance(probe):
    rng, given = np.random.default_rng(0), projected(probe, tangents)
    modes, rest = 0.02 * rng.normal(size=(12, 2, 5)), 0.01 * rng.random((12, 5))
    error = np.sqrt(np.sum(modes**2, axis=1) + rest**2)
    found = at(probe, Prediction(given.value, error, modes))
    for row, value in enumerate(found):
        covariance = probe._covariance + modes[row].T @ modes[row] + np.diag(rest[row] ** 2)
        r = given.value[row] + probe._ionised - probe.mean
        norm = np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(probe._covariance)[1]
        assert value == pytest.approx(-0.5 * (r @ np.linalg.solve(covariance, r) + norm), rel=1e-9)


def test_an_error_of_unknown_correlation_is_independent(probe):
    given, error = projected(probe, tangents), np.full((12, 5), 0.03)
    found = at(probe, Prediction(given.value, error))
    modes = np.zeros((12, 1, 5))
    np.testing.assert_allclose(found, at(probe, Prediction(given.value, error, modes)), rtol=1e-12)
    assert np.all(np.abs(found - at(probe, given)) > 1e-3)


def test_what_is_drawn_is_written_and_read_again(probe, tmp_path):
    truth = Prediction(projected(probe, tangents).value[3:4])
    asimov = probe.simulate({"x_hi": truth}, {}, None)
    assert at(asimov, truth)[0] == pytest.approx(0.0, abs=1e-20)
    mock = probe.simulate({"x_hi": truth}, {}, np.random.default_rng(1))
    again = Relike(str(tmp_path / mock.save(tmp_path, "mine")["catalog"]))
    given = projected(probe, tangents)
    np.testing.assert_allclose(at(again, given), at(mock, given), rtol=1e-10)
    assert not np.allclose(at(again, given), at(probe, given), rtol=1e-3)


def test_it_shares_its_sky_with_a_value_of_tau_e(probe):
    stub = Stub(("tau",), {TAU: lambda t: t[:, 0], X_HI: lambda t: np.zeros((len(t), len(Z)))})
    with pytest.warns(DoubleCountingWarning, match="Planck low-l polarisation"):
        Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, {"tau": OpticalDepth(), "relike": probe})


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BACKENDS))
def test_compiled_values_and_gradients_are_those_of_numpy(probe, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    backend, x, rng = load_backend(), projected(probe, tangents).value, np.random.default_rng(0)
    modes = 0.02 * rng.normal(size=(12, 2, 5))
    error = np.sqrt(np.sum(modes**2, axis=1)) + 0.01

    def log_l(values, xp):
        return probe.log_likelihood({"x_hi": Prediction(values, error, modes)}, {}, xp)

    value, gradient = backend.compile(backend.with_gradient(lambda values: log_l(values, backend.xp)), (x,))(x)
    np.testing.assert_allclose(value, log_l(x, NUMPY), rtol=1e-10)
    step = 1e-5 * rng.normal(size=x.shape)
    expected = (log_l(x + step, NUMPY) - log_l(x - step, NUMPY)) / 2
    np.testing.assert_allclose(np.sum(gradient * step, axis=1), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.attack("data", "components of RELIKE: an amplitude less, redshifts that fall, no covariance")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": np.zeros(4)}, r"'component' has the shape \(5, 95\)"),
        ({"z": np.linspace(30.0, 6.0, 95)}, "must increase"),
        ({"covariance": np.zeros((5, 5))}, "variance that is not above 0"),
        ({"helium": 0.0}, "'helium' .* is 0; it must be above 0"),
    ],
)
def test_data_without_meaning_are_refused(tmp_path, changes, message):
    path = tmp_path / "mine.h5"
    with RELIKE.hdf5() as source, h5py.File(path, "w") as file:
        for name in source:
            file[name] = changes.get(name, source[name][()])
            file[name].attrs["units"] = ""
        for key, value in source.attrs.items():
            file.attrs[key] = changes.get(key, value)
    with pytest.raises(DataError, match=message):
        Relike(str(path))
