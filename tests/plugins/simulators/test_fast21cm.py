"""21cmFAST as a simulator, in a box too small for science."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from astroemu.errors import ConfigurationError, PluginError
from astroemu_plugins.simulators.fast21cm import Fast21cm

POINT = np.array([[-1.25, 0.5, -1.0, -0.3, 8.55, 0.5, 40.64, 0.72, 1.0]])
installed = pytest.mark.skipif(find_spec("py21cmfast") is None, reason="needs the extra 21cmfast")
# It warns of the small box, and of its own dependencies.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.skipif(find_spec("py21cmfast") is not None, reason="21cmFAST is installed")
def test_without_the_extra_the_remedy_is_named():
    with pytest.raises(PluginError, match=r"libgsl-dev.*astroemu-inference\[21cmfast\]"):
        Fast21cm()


@installed
def test_options_without_meaning_are_refused():
    with pytest.raises(ConfigurationError, match=r"z_step = 1\.0 above 1"):
        Fast21cm(z_step=1.0)


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
