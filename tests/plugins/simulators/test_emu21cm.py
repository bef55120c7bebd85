"""21cmEMU as a simulator, its two models."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import DataError, PluginError
from astroemu_plugins.thomson import optical_depth

if find_spec("py21cmemu") is None:
    pytest.skip("needs the extra 21cmemu", allow_module_level=True)

from astroemu_plugins.simulators.emu21cm import Emu21cm

MODELS = {"acg": 9, "mcg": 11}
#: In which 21cmFAST starts from ionised gas below the last node of "acg"; none for "mcg".
COSMOLOGY = {"acg": (0.6774, 0.3075, 0.0486), "mcg": (0.6688, 0.321, 0.04952)}
# PyTorch and the package warn of their own dependencies.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", params=MODELS)
def simulator(request):
    return Emu21cm(model=request.param)


def points(simulator, n):
    low, high = np.array([p.prior.support for p in simulator.parameters]).T
    return low + (high - low) * np.random.default_rng(1).random((n, len(low)))


def test_a_batch_is_its_points_one_by_one(simulator):
    theta = points(simulator, 3)
    together = simulator.simulate(theta)
    assert theta.shape[1] == MODELS[simulator.settings["model"]]
    for name, observable in simulator.provides.items():
        assert together[name].shape == (3, *observable.shape)
        alone = np.concatenate([simulator.simulate(point[None])[name] for point in theta])
        np.testing.assert_allclose(together[name], alone, rtol=2e-4, atol=2e-4)


def test_the_box_lies_within_that_of_the_network():
    simulator = Emu21cm(model="mcg")
    known = simulator._emulator.properties
    # the last row is the redshift; the threshold is in eV there
    low, high = np.array(known.lstm_limits[:-1], dtype=float).T / np.where(np.arange(11) == 9, 1000.0, 1.0)[None]
    ours = np.array([p.prior.support for p in simulator.parameters])
    assert np.all(ours[:, 0] >= low) and np.all(ours[:, 1] <= high)
    assert np.max(np.diff(ours)[:, 0] / (high - low)) > 0.998


def test_the_optical_depth_is_the_integral_over_its_history(simulator):
    theta = points(simulator, 20)
    found = simulator.simulate(theta)
    z = simulator.provides["x_hi"].axes[0].values
    early = found["x_hi"][:, 0] < 0.01  # the integral takes the gas below the first node as ionised
    assert np.count_nonzero(early) > 5
    cosmology = (np.full(20, value) for value in COSMOLOGY[simulator.settings["model"]])
    own = optical_depth(*cosmology, z, 1 - found["x_hi"], NUMPY, 0.245)
    np.testing.assert_allclose(found["tau_e"][early], own[early], rtol=0.05)


def test_a_point_outside_the_box_is_refused(simulator):
    theta = points(simulator, 2)
    theta[1, 0] = 1.5
    with pytest.raises(DataError, match=r"row 1 has log10_f_star10 = 1\.5, outside the box of the training points, -"):
        simulator.simulate(theta)
    theta[1, 0] = np.nan
    with pytest.raises(DataError, match="row 1 has log10_f_star10 = nan"):
        simulator.simulate(theta)


def test_an_energy_in_ev_is_named(simulator):
    theta = points(simulator, 1)
    theta[0, [p.name for p in simulator.parameters].index("e_0_keV")] = 500.0
    with pytest.raises(DataError, match=r"0\.1(001)? to 1\.(5|497) keV\. It looks like eV; the unit here is keV: 0\.5"):
        simulator.simulate(theta)


def test_a_point_of_the_unit_cube_is_named(simulator):
    with pytest.raises(DataError, match="give physical values, not those of the unit cube"):
        simulator.simulate(np.full((1, len(simulator.parameters)), 0.5))


def as_the_package(simulator, theta):
    given = theta.copy()
    given[:, 9] *= 1000.0  # keV to eV
    _, output, errors = simulator._emulator.predict(given)
    return output, errors


def plain(values):
    return np.asarray(getattr(values, "value", values))


def test_mcg_is_the_network_of_the_package():
    simulator = Emu21cm(model="mcg")
    theta = points(simulator, 8)
    found, (theirs, _) = simulator.simulate(theta), as_the_package(simulator, theta)
    m_uv = simulator.provides["log10_uv_lf"].axes[1].values
    assert len(m_uv) == 45 and m_uv[0] == pytest.approx(-21.61, abs=0.01) and simulator.provides["t_s"].shape == (92,)
    shown = (m_uv >= -20) & (m_uv <= -10)  # the package returns no others
    np.testing.assert_allclose(found["log10_uv_lf"][..., shown], plain(theirs.UVLFs), atol=1e-4)
    np.testing.assert_allclose(found["delta21_sq"], plain(theirs.PS), rtol=1e-4)
    np.testing.assert_allclose(found["x_hi"], plain(theirs.xHI), atol=1e-6)
    np.testing.assert_allclose(found["tau_e"], plain(theirs.tau), rtol=1e-5)
    np.testing.assert_allclose(found["t_b"], plain(theirs.Tb), atol=1e-3)
    both = np.isfinite(found["t_s"]) & np.isfinite(plain(theirs.Ts)[:, :-1])
    np.testing.assert_allclose(found["t_s"][both], plain(theirs.Ts)[:, :-1][both], rtol=1e-5)
    assert np.mean(both == np.isfinite(found["t_s"])) > 0.99  # the package rescales the logit before the threshold
    assert np.all(np.isnan(plain(theirs.Ts)[:, -1]))


def test_the_errors_that_mcg_states():
    simulator = Emu21cm(model="mcg")
    theta = points(simulator, 40)
    values, (_, theirs) = simulator.simulate(theta), as_the_package(simulator, theta)
    found = simulator.stated_errors(values, "median")
    power, k = values["delta21_sq"], simulator.provides["delta21_sq"].axes[1].values
    strong = (power > 1) & (k > 0.1) & (k < 1)
    # The package applies the same percentages to the power itself.
    assert 0.008 < np.median(found["delta21_sq"][strong]) < 0.02 < np.median(plain(theirs.PS_err)[strong])
    # Its errors of x_hi are large where the gas is neutral, at high redshift. They belong to the other end.
    z = simulator.provides["x_hi"].axes[0].values
    known = simulator._emulator.properties
    np.testing.assert_allclose(found["x_hi"][:, z > 35], known.xHI_med_err[:1] / 100 * values["x_hi"][:, z > 35])
    assert np.median(found["tau_e"] / values["tau_e"]) == pytest.approx(0.00096, abs=2e-5)
    assert np.all(simulator.stated_errors(values)["tau_e"] > found["tau_e"])  # the mean


def test_acg_states_no_errors():
    with pytest.raises(PluginError, match=r"Breitman et al\. 2024"):
        Emu21cm().stated_errors({})
