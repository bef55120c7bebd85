"""21cmEMU as a simulator, its two models."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import DataError
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
    theta = points(simulator, 1)
    theta[0, 0] = 1.5
    with pytest.raises(DataError, match="outside the box"):
        simulator.simulate(theta)
