"""21cmFAST as a simulator, in a box too small for science."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from astroemu.errors import ConfigurationError, PluginError
from astroemu_plugins.simulators import emu21cm_minihalos, fast21cm_releases
from astroemu_plugins.simulators.fast21cm import Fast21cm
from astroemu_plugins.simulators.fast21cm_releases import RELEASES

POINT = np.array([[-1.25, 0.5, -1.0, -0.3, 8.55, 0.5, 40.64, 0.72, 1.0]])
MINIHALO_POINT = np.array([[-1.25, 0.5, 0.5, -1.2, 0.0, -2.5, -2.0, 40.5, 40.5, 0.5, 0.81]])
installed = pytest.mark.skipif(find_spec("py21cmfast") is None, reason="needs the extra 21cmfast")
# It warns of the small box, and of its own dependencies.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.skipif(find_spec("py21cmfast") is not None, reason="21cmFAST is installed")
def test_without_the_extra_the_remedy_is_named():
    with pytest.raises(PluginError, match=r"libgsl-dev.*astroemu-inference\[21cmfast\]"):
        Fast21cm()


@pytest.fixture(params=RELEASES)
def release(request, monkeypatch):
    """A release that seems to be installed. A simulator can be made without it, and not be run."""
    monkeypatch.setattr(fast21cm_releases, "version", lambda _: request.param)
    return RELEASES[request.param]


def test_a_release_that_was_not_tested_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(fast21cm_releases, "version", lambda _: "4.2.0")
    remedies = r"pip install '21cmFAST==4\.1\.1' \(with Python 3\.11\) or pip install '21cmFAST==4\.3\.1'"
    with pytest.raises(PluginError, match=rf"not tested with 21cmFAST 4\.2\.0.*{remedies}"):
        Fast21cm()


def test_options_without_meaning_are_refused(release):
    with pytest.raises(ConfigurationError, match=r"z_step = 1\.0 above 1"):
        Fast21cm(z_step=1.0)
    with pytest.raises(ConfigurationError, match=r'photon_conservation = "redshift" does not exist with minihalos'):
        Fast21cm(minihalos=True, photon_conservation="redshift")


def test_the_settings_state_photon_conservation(release):
    for option, theirs in (("none", "no-photoncons"), ("redshift", "z-photoncons")):
        settings = Fast21cm(photon_conservation=option).settings
        assert settings["photon_conservation"] == option and settings["inputs"]["PHOTON_CONS_TYPE"] == theirs
    assert Fast21cm(minihalos=True).settings["inputs"]["PHOTON_CONS_TYPE"] == "no-photoncons"


def test_minihalos_have_the_parameters_of_the_emulator(release):
    simulator, theirs = Fast21cm(minihalos=True), emu21cm_minihalos.PARAMETERS
    assert [(p.name, p.unit) for p in simulator.parameters] == [(p.name, p.unit) for p in theirs]
    cosmology = simulator.settings["cosmology"]
    assert [cosmology[key] for key in ("hlittle", "OMm", "OMb", "POWER_INDEX")] == list(
        emu21cm_minihalos.SETTINGS["cosmology"].values()
    )
    for ours, other in zip(simulator.parameters, theirs, strict=True):
        low, high = other.prior.support
        assert ours.prior.support[0] <= low
        assert ours.prior.support[1] >= (0.0 if ours.name == "log10_f_star10" else high)  # 21cmFAST has none above


@installed
@pytest.mark.parametrize("minihalos", [False, True])
def test_every_name_is_one_of_the_installed_release(minihalos):
    import attrs
    import py21cmfast

    simulator = Fast21cm(minihalos=minihalos)
    kinds = (
        py21cmfast.CosmoParams,
        py21cmfast.SimulationOptions,
        py21cmfast.MatterOptions,
        py21cmfast.AstroParams,
        py21cmfast.AstroOptions,
    )
    known = {a.alias for kind in kinds for a in attrs.fields(kind) if not a.metadata.get("deprecated")}
    assert set(simulator._release.parameters.values()) <= known
    assert set(simulator.settings["inputs"]) <= known


@installed
@pytest.mark.slow
def test_a_lightcone():
    simulator = Fast21cm(box=90.0, cells=24, z_step=1.2)
    found = simulator.simulate(POINT)
    for name, observable in simulator.provides.items():
        assert found[name].shape == (1, *observable.shape) and np.all(np.isfinite(found[name]))
    x_hi = found["x_hi"][0]
    assert np.all(np.diff(x_hi) > -1e-3) and x_hi[0] < 0.2 and x_hi[-1] > 0.99  # the nodes rise in z
    assert 0.04 < found["tau_e"][0] < 0.09
    assert np.all(found["delta21_sq"] > 0)
    # Park et al. 2019, figure 3: a thousandth to a hundredth of a galaxy a Mpc^3 and magnitude at -18.
    at_18 = found["log10_uv_lf"][0, 0, np.argmin(np.abs(simulator.provides["log10_uv_lf"].axes[1].values + 18))]
    assert -3.3 < at_18 < -1.8
    again = Fast21cm(box=90.0, cells=24, z_step=1.2).simulate(POINT)
    np.testing.assert_array_equal(found["delta21_sq"], again["delta21_sq"])
    other = Fast21cm(box=90.0, cells=24, z_step=1.2, seed=2).simulate(POINT)
    assert not np.array_equal(found["delta21_sq"], other["delta21_sq"])


@installed
@pytest.mark.slow
def test_a_lightcone_with_minihalos():
    simulator = Fast21cm(box=90.0, cells=24, z_step=1.2, minihalos=True)
    found = simulator.simulate(MINIHALO_POINT)
    for name, observable in simulator.provides.items():
        assert found[name].shape == (1, *observable.shape) and np.all(np.isfinite(found[name]))
    x_hi = found["x_hi"][0]
    assert np.all(np.diff(x_hi) > -1e-3) and x_hi[0] < 0.2 and x_hi[-1] > 0.99
    assert 0.04 < found["tau_e"][0] < 0.12
    # Faint galaxies are molecular ones, which weaker star formation removes.
    fewer = MINIHALO_POINT.copy()
    fewer[0, 5] = -4.0
    without = simulator.simulate(fewer)
    m_uv = simulator.provides["log10_uv_lf"].axes[1].values
    bright, faint = np.argmin(np.abs(m_uv + 18)), np.argmin(np.abs(m_uv + 9))
    difference = (found["log10_uv_lf"] - without["log10_uv_lf"])[0, 0]
    assert abs(difference[bright]) < 0.02 < 0.1 < difference[faint]
    assert without["tau_e"][0] < found["tau_e"][0]


@installed
@pytest.mark.slow
def test_photons_are_conserved():
    points = {
        option: Fast21cm(box=90.0, cells=24, z_step=1.2, photon_conservation=option) for option in ("none", "redshift")
    }
    found = {option: simulator.simulate(POINT) for option, simulator in points.items()}
    # Without it photons are lost, and reionization is later.
    assert found["redshift"]["tau_e"][0] > found["none"]["tau_e"][0]


@installed
def test_the_power_of_a_plane_wave():
    simulator = Fast21cm(box=100.0, cells=32)
    number, _, k = simulator._bins
    x = np.arange(32) * 100.0 / 32
    mode = 2 * np.pi * 4 / 100.0
    power = simulator._power(np.sqrt(2) * np.cos(mode * x)[:, None, None] * np.ones((1, 32, 32)))
    edges = np.geomspace(2 * np.pi / 100.0 * 0.99, np.pi * 32 / 100.0, len(k) + 1)
    inside = int(np.digitize(mode, edges)) - 1
    assert np.argmax(power) == inside and np.allclose(np.delete(power, inside), 0, atol=1e-20)
    # Variance 1 in 2 modes of the bin's: sum of k^3 P / 2 pi^2 over its modes, over their number.
    n_modes = np.sum(np.where(number == inside + 1, simulator._bins[1], 0.0))
    expected = k[inside] ** 3 / (2 * np.pi**2) * (100.0**3 * 1.0 / n_modes)
    assert power[inside] == pytest.approx(expected, rel=1e-6)
