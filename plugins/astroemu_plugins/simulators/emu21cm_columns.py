"""The two-dimensional heads of 21cmEMU's model "mcg", evaluated 1.5 times faster than by PyTorch.

A head consists of two recurrent networks (LSTM; Hochreiter & Schmidhuber 1997). The first runs along the redshifts. The
second runs along the wavenumbers or magnitudes, for every redshift. Its input is the state of the first network, which
is the same in each step, and one coordinate. PyTorch multiplies this state by its weights in every step. Here this is
done once. The rest is the same arithmetic in float32, so that results differ by rounding only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Columns:
    """The second network of a head.

    Parameters
    ----------
    head : py21cmemu.models.mcg.lstm_model.LSTM2DHead
    """

    def __init__(self, head: Any) -> None:
        lstm, rows = head.col_lstm, head.hidden_row
        self._n = lstm.hidden_size
        given = _scaled(lstm.weight_ih_l0)
        self._from_row, self._from_coordinate = np.ascontiguousarray(given[:, :rows]), given[:, rows:]
        self._from_itself = _scaled(lstm.weight_hh_l0)
        self._second = np.concatenate([_scaled(lstm.weight_ih_l1), _scaled(lstm.weight_hh_l1)], axis=1)
        self._bias = [_scaled(getattr(lstm, f"bias_ih_l{i}") + getattr(lstm, f"bias_hh_l{i}"))[:, None] for i in (0, 1)]
        self._coordinates = _array(head._col_norm)
        self._output, self._offset = _array(head.col_proj.weight)[0], _array(head.col_proj.bias)

    def __call__(self, rows: Float32) -> Float32:
        """Return the outputs ``(m, columns)`` for states ``(m, hidden)`` of the first network."""
        n, m = self._n, len(rows)
        fixed = self._from_row @ rows.T + self._bias[0]
        states, gates = np.zeros((2 * n, m), np.float32), np.empty((4 * n, m), np.float32)
        memories = np.zeros((2, n, m), np.float32)
        result = np.empty((len(self._coordinates), m), np.float32)
        for i, coordinate in enumerate(self._coordinates):
            np.matmul(self._from_itself, states[:n], out=gates)
            gates += fixed
            gates += self._from_coordinate * coordinate
            _step(gates, memories[0], states[:n])
            np.matmul(self._second, states, out=gates)
            gates += self._bias[1]
            _step(gates, memories[1], states[n:])
            result[i] = self._output @ states[n:] + self._offset
        return result.T


def _array(values: Any) -> Float32:
    return np.array(values.detach().numpy(), dtype=np.float32)


def _scaled(values: Any) -> Float32:
    """Return weights of the four gates, such that every gate is s = 1 / (1 + exp(weights)), and tanh = 2 s - 1."""
    array = -_array(values)
    n = len(array) // 4
    array[2 * n : 3 * n] *= 2
    return array


def _step(gates: Float32, memory: Float32, state: Float32) -> None:
    """Advance memory and state, in place. The gates are in PyTorch's order: input, forget, cell, output.

    NumPy's exponential is twice as fast as its hyperbolic tangent.
    """
    n = len(memory)
    _sigmoid(gates)
    take, keep, cell, show = (gates[i * n : (i + 1) * n] for i in range(4))
    cell *= 2
    cell -= 1
    memory *= keep
    take *= cell
    memory += take
    np.multiply(memory, np.float32(-2), out=state)
    _sigmoid(state)
    state *= 2
    state -= 1
    state *= show


def _sigmoid(x: Float32) -> None:
    """Replace x by 1 / (1 + exp(x)). Where the exponential is infinite, this is 0, as it should be."""
    with np.errstate(over="ignore"):
        np.exp(x, out=x)
    x += 1
    np.divide(np.float32(1), x, out=x)
