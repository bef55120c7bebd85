"""CAMB as a simulator: the multipoles that are stored, its options; spectra where CAMB is installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from astroemu.errors import ConfigurationError, PluginError
from astroemu_plugins.simulators import camb
from astroemu_plugins.simulators.camb import Camb, multipole_nodes

installed = pytest.mark.skipif(find_spec("camb") is None, reason="needs the extra camb")


@pytest.fixture
def any_version(monkeypatch):
    """Let the simulator be made without CAMB; it cannot run then."""
    monkeypatch.setattr(camb, "version", lambda _: "0")


def test_all_multipoles_up_to_40_are_stored_and_fewer_above():
    nodes = multipole_nodes(2508)
    np.testing.assert_array_equal(nodes[:39], np.arange(2, 41))
    steps = np.diff(nodes)
    assert nodes[-1] == 2508 and np.all(np.diff(steps[:-1]) >= 0) and set(steps[:-1]) == {1, 4, 10}
    assert multipole_nodes(8500)[-1] == 8500 and len(multipole_nodes(8500)) < 600


@pytest.mark.skipif(find_spec("camb") is not None, reason="CAMB is installed")
def test_without_the_extra_the_remedy_is_named():
    with pytest.raises(PluginError, match=r"pip install 'astroemu-inference\[camb\]'"):
        Camb()


def test_every_observable_of_a_spectrum_lies_on_the_stored_multipoles(any_version):
    simulator = Camb(l_max=200)
    for name in ("d_ell_tt", "d_ell_te", "d_ell_ee", "d_ell_pp"):
        np.testing.assert_array_equal(simulator.provides[name].axes[0].values, multipole_nodes(200))
    assert simulator.provides["h"].shape == () and simulator.settings["l_max"] == 200


@pytest.mark.parametrize(
    "options",
    [{"l_max": 50}, {"lens_potential_accuracy": 0.0}, {"accuracy_boost": 0.5}, {"m_nu": -0.1}, {"delta_redshift": 0.0}],
)
def test_options_without_meaning_are_refused(any_version, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Camb(**options)


@installed
def test_the_spectra_of_planck_are_close_to_its_best_fit():
    from astroemu.core.catalog import load_catalog
    from astroemu_probes.cmb_bandpowers import read_spectra

    ell, table = read_spectra(load_catalog("planck2018_best_fit"))
    simulator = Camb(l_max=2000, lens_potential_accuracy=1.0)
    # Planck 2018 VI, table 1, plik best fit.
    found = simulator.simulate(np.array([[0.022383, 0.12011, 1.040909, 0.96605, 3.0448, 0.0543]]))
    nodes = simulator.provides["d_ell_tt"].axes[0].values
    for name, key in (("d_ell_tt", "TT"), ("d_ell_ee", "EE")):
        truth = np.interp(nodes, ell, table[key])
        inside = nodes >= 30
        np.testing.assert_allclose(found[name][0][inside], truth[inside], rtol=0.02)
    assert found["sigma_8"][0] == pytest.approx(0.812, abs=0.005)
