"""ELiCA: its own package, its published tau_e, gradients, and files that are not its data."""

from __future__ import annotations

import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers import TAU, Stub, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.model import Model
from astroemu_catalogs import ELICA
from astroemu_probes.elica import PAIRS, Elica
from astroemu_probes.optical_depth import OpticalDepth

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "scripts" / "low_ell_ee.py"))
pytestmark = pytest.mark.skipif(not ELICA.path.is_file(), reason="the wheel elica is not installed")


@pytest.fixture(scope="module")
def probe():
    return Elica()


def at(probe, value):
    return probe.log_likelihood({"EE": Prediction(np.atleast_2d(value))}, {}, NUMPY)


def spectra(n, seed=0):
    """Return ``n`` spectra (n, 28) around the fiducial one, some of them far away."""
    rng = np.random.default_rng(seed)
    return Elica()._fiducial * np.exp(rng.normal(0.0, 1.0, (n, 1)) + rng.normal(0.0, 0.3, (n, 28)))


def test_the_published_tau_e(probe):
    """0.0575 +0.0048 -0.0058 from EE alone (Genesini et al. 2026, abstract)."""
    mean, sd, up, down = SCRIPT["summary"](SCRIPT["of_spectra"](probe))
    assert mean == pytest.approx(0.0575, abs=0.1 * 0.0053)
    assert up == pytest.approx(0.0048, abs=0.1 * 0.0053) and down == pytest.approx(0.0058, abs=0.1 * 0.0053)
    assert sd == pytest.approx(0.0054, abs=2e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["hybrid", "cross"])
def test_fifty_spectra_have_the_likelihood_of_its_own_package(name):
    elica = pytest.importorskip("elica")
    theirs = (elica.elica if name == "hybrid" else elica.cross)()
    values = spectra(50)
    expected = [theirs.log_likelihood({"ee": np.pad(row, (2, 971))}) for row in values]
    np.testing.assert_allclose(at(Elica(spectra=name), values), expected, atol=1e-6, rtol=0)


def test_the_covariance_is_that_of_the_spectra_in_use():
    """The file of all six spectra has another order than its description."""
    path = ELICA.path.parent / "covmat_elica.dat"
    with ELICA.hdf5() as file:
        rows = (6 * np.arange(28)[:, None] + np.array([1, 2, 4, 5])).ravel()
        np.testing.assert_array_equal(file["covariance"][()][np.ix_(rows, rows)], np.loadtxt(path))


def test_a_spectrum_below_the_noise_is_impossible(probe):
    value = np.array([probe._fiducial, probe._fiducial])
    value[0, 3] = 1.01 * probe._least[3]
    found = at(probe, value)
    assert found[0] == -np.inf and np.isfinite(found[1])
    with pytest.raises(ConfigurationError, match="no sky has such spectra"):
        probe.simulate({"EE": Prediction(value[:1])}, {}, None)


def test_an_error_of_the_emulator_is_refused(probe):
    value = probe._fiducial[None]
    with pytest.raises(ConfigurationError, match="emulator_error = false"):
        probe.log_likelihood({"EE": Prediction(value, 0.1 * value)}, {}, NUMPY)


def test_without_noise_the_truth_is_the_best_fit(probe):
    value = 1.3 * probe._fiducial[None]
    mock = probe.simulate({"EE": Prediction(value)}, {}, None)
    found = at(mock, value * np.array([0.97, 1.0, 1.03])[:, None])
    assert found[1] == pytest.approx(0.0, abs=1e-20) and found[0] < 0 and found[2] < 0


@pytest.mark.parametrize("name", ["hybrid", "cross"])
def test_what_is_drawn_is_written_and_read_again(name, tmp_path):
    probe = Elica(spectra=name)
    mock = probe.simulate({"EE": Prediction(probe._fiducial[None])}, {}, np.random.default_rng(1))
    again = Elica(str(tmp_path / mock.save(tmp_path, "mine")["catalog"]), spectra=name)
    values = spectra(4)
    np.testing.assert_allclose(at(again, values), at(mock, values), rtol=1e-12)
    assert not np.allclose(at(again, values), at(probe, values), rtol=1e-3)
    np.testing.assert_allclose(again.panels()[0].y, mock.panels()[0].y)


def test_the_draws_have_the_distribution_of_the_likelihood(probe):
    """chi^2 / s is distributed as F, with the degrees of freedom of Sellentin & Heavens."""
    rng, size = np.random.default_rng(2), 112
    x = np.stack([probe._noise_of_data(rng).ravel() for _ in range(4000)])
    chi2 = np.sum((x @ probe._whitening) ** 2, axis=1)
    freedom = 500 - size
    assert np.mean(chi2) == pytest.approx(size * 499 / (freedom - 2), rel=0.01)


def test_it_shares_its_sky_with_a_value_of_tau_e(probe):
    ee = Observable("d_ell_ee", (Axis("ell", np.arange(2.0, 40.0)),), "uK^2")
    stub = Stub(("tau",), {TAU: lambda t: t[:, 0], ee: lambda t: np.full((len(t), 38), 0.03)})
    with pytest.warns(DoubleCountingWarning, match="Planck low-l polarisation"):
        Model(uniform(tau=(0.0, 1.0)), {"stub": stub}, {"tau": OpticalDepth(), "elica": probe})


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BACKENDS))
def test_compiled_values_and_gradients_are_those_of_numpy(probe, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    backend, x = load_backend(), spectra(6)
    x[4] = probe._fiducial
    x[5, 0] = 2.0 * probe._least[0]

    def log_l(values, xp):
        return probe.log_likelihood({"EE": Prediction(values)}, {}, xp)

    value, gradient = backend.compile(backend.with_gradient(lambda values: log_l(values, backend.xp)), (x,))(x)
    np.testing.assert_allclose(value, log_l(x, NUMPY), rtol=1e-10)
    assert np.all(np.isfinite(np.asarray(gradient)[:5]))
    x, gradient = x[:5], np.asarray(gradient)[:5]
    step = 1e-5 * x * np.random.default_rng(3).normal(size=x.shape)
    expected = (log_l(x + step, NUMPY) - log_l(x - step, NUMPY)) / 2
    np.testing.assert_allclose(np.sum(gradient * step, axis=1), expected, rtol=1e-5)


def written(path, **changes):
    with ELICA.hdf5() as source, h5py.File(path, "w") as file:
        for name in source:
            file[name] = changes.get(name, source[name][()])
            file[name].attrs["units"] = source[name].attrs["units"]
        file.attrs["simulations"] = changes.get("simulations", 500)
    return str(path)


@pytest.mark.attack("data", "spectra of ELiCA: too few simulations, no offset, one multipole less")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulations": 100}, r"'simulations' .* is 100; it must be above 168"),
        ({"offset": np.zeros((28, 6))}, r"noise and offset .* not positive definite at l = 3; increase the offset"),
        ({"D_ell": np.ones((27, 6))}, r"'D_ell' has the shape \(27, 6\)"),
        ({"covariance": np.eye(112)}, r"has 112 rows; 168 are needed"),
        ({"covariance": -np.eye(168)}, "variance that is not above 0"),
    ],
)
def test_data_without_meaning_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        Elica(written(tmp_path / "mine.h5", **changes))


def test_the_spectra_are_in_the_order_of_the_maps(probe):
    assert len(PAIRS) == probe.data.shape[1] == 6
    assert all(probe._noise[0, column] == 0 for column, (i, j) in enumerate(PAIRS) if i != j)
