"""The scaling of parameters, and layers that do not fit a network."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.transforms import IdentityTransform
from astroemu.errors import DataError
from astroemu_plugins.networks.layers import DenseLayers
from astroemu_plugins.networks.network import Input, Network, Output, Scaling

X = Observable("x", (Axis("z", np.arange(4.0)),))


def test_the_training_box_is_scaled_to_minus_one_to_one():
    inputs = (Input("a", -1.0, 3.0), Input("b", 0.01, 1.0, log10=True))
    corners = np.array([[-1.0, 0.01], [3.0, 1.0], [1.0, 0.1]])
    np.testing.assert_allclose(Scaling(inputs)(corners, NUMPY), [[-1, -1], [1, 1], [0, 0]], atol=1e-12)
    np.testing.assert_allclose(Scaling(inputs[:1])(corners[:, :1], NUMPY)[:, 0], [-1, 1, 0], atol=1e-12)


@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(5, 4), (6, 3)])
def test_layers_of_other_widths_are_refused(n_inputs, n_outputs):
    """Two parameters and four features make six inputs; one observable on a grid of four makes four outputs."""
    layers = DenseLayers("silu", False, (np.zeros((n_inputs, n_outputs), np.float32),), (np.zeros(n_outputs),))
    output = Output(Observable("y", X.axes), IdentityTransform(), np.zeros(4))
    with pytest.raises(DataError, match=f"from {n_inputs} inputs to {n_outputs} outputs; .* need 6 and 4"):
        Network(("a", "b"), (X,), (output,), layers)
