"""Layers of a network: a function from scaled inputs to raw outputs, and its arrays.

:class:`DenseLayers` need NumPy only:

    h_i = act(W_i h_{i-1} + b_i)     (plus h_{i-1} of the same width in a residual network)
    t = W_out h + b_out

The activation ``act`` works on each unit, or takes the larger of two halves (maxout, Goodfellow et al. 2013).
Weights are plain float32 arrays. Only the requested output columns are evaluated. SiLU is computed as
``u (1 + tanh u)``, with ``u = x / 2`` folded into the weights: this takes two passes over memory and cannot overflow.
In NumPy, layers are computed in place, in blocks of points that stay in the processor's cache.

Products of wide layers are in float32. Products of narrow layers are in float64, which costs little. Most first and
last layers are narrow. There, the scaling of features and outputs is folded into the weights, and large terms cancel.
With this choice, float32 changes a log-likelihood of the default model by less than 1e-3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.errors import DataError, listing

Weights = NDArray[np.float32]
Forward = Callable[[Any, Namespace], Any]
#: Number of points evaluated together in NumPy.
_BLOCK = 256
#: A kernel is multiplied in float32 if both of its sides have at least this width.
_WIDE = 256


class Layers(ABC):
    """Function between the inputs and the outputs of a network (base class)."""

    #: Name in the emulator file of the class that reads the layers.
    kind: ClassVar[str]

    @property
    @abstractmethod
    def n_inputs(self) -> int:
        """Number of input columns."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of output columns."""

    @abstractmethod
    def forward(self, columns: NDArray[np.intp]) -> Forward:
        """Return a function from inputs ``(n, n_inputs)`` to the stated output columns ``(n, k)``, both float64.

        Parameters
        ----------
        columns : (k,) int array
            Indices of the wanted outputs.
        """

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """Return the JSON that :meth:`rebuilt` needs in addition to the arrays."""

    @abstractmethod
    def arrays(self) -> dict[str, Weights]:
        """Return the weights by name."""

    @classmethod
    @abstractmethod
    def rebuilt(cls, header: Mapping[str, Any], arrays: Mapping[str, Weights]) -> Self:
        """Return the layers described by :meth:`header` and :meth:`arrays`.

        Raises
        ------
        DataError, KeyError
            If an array or an entry of the header is missing or has the wrong shape.
        """

    @property
    def n_weights(self) -> int:
        """Number of weights."""
        return sum(array.size for array in self.arrays().values())


@dataclass(frozen=True, eq=False)
class DenseLayers(Layers):
    """Fully connected layers.

    Attributes
    ----------
    activation : str
        A key of :data:`ACTIVATIONS`.
    residual : bool
        If True, each hidden layer after the first adds its input to its output where both have the same width.
    kernels, biases : tuple of (width in, width out) and (width out,) float32 array
        One pair per layer; the last pair belongs to the output.
    shapes : tuple of (2, width) float32 array, optional
        Shape parameters of the activation of each hidden layer (``alsing`` only).

    Raises
    ------
    DataError
        If the activation is unknown, or the shapes of the arrays do not fit each other.
    """

    activation: str
    residual: bool
    kernels: tuple[Weights, ...]
    biases: tuple[Weights, ...]
    shapes: tuple[Weights, ...] = ()
    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise DataError(f"unknown activation {self.activation!r}. Known: {listing(ACTIVATIONS)}")
        if len(self.kernels) != len(self.biases) or not self.kernels:
            raise DataError(
                f"{len(self.kernels)} kernels and {len(self.biases)} biases; one of each per layer is needed"
            )
        width = self.kernels[0].shape[0]
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if kernel.shape != (width, len(bias)):
                raise DataError(f"layer {i} has the shape {kernel.shape}, not {(width, len(bias))}")
            width = len(bias) // 2 if self.activation == "maxout" else len(bias)
        wanted = [(2, len(bias)) for bias in self.biases[:-1]] if self.activation == "alsing" else []
        if [shape.shape for shape in self.shapes] != wanted:
            raise DataError(f"the activation {self.activation!r} needs shape parameters {wanted}")

    @property
    def n_inputs(self) -> int:
        return int(self.kernels[0].shape[0])

    @property
    def n_outputs(self) -> int:
        return len(self.biases[-1])

    def forward(self, columns: NDArray[np.intp]) -> Forward:
        scale, activation = ACTIVATIONS[self.activation]
        shapes: tuple[Weights | None, ...] = self.shapes or (None,) * len(self.kernels[:-1])
        hidden = []
        for kernel, bias, shape in zip(self.kernels[:-1], self.biases[:-1], shapes, strict=True):
            dtype = _precision(kernel)
            hidden.append((_scaled(kernel, scale, dtype), _scaled(bias, scale, dtype), dtype, shape))
        final = _precision(self.kernels[-1][:, columns])
        last, shift = _scaled(self.kernels[-1][:, columns], 1.0, final), self.biases[-1][columns].astype(float)
        residual, in_place = self.residual, IN_PLACE.get(self.activation)

        def raw(x: Any, xp: Namespace) -> Any:
            h = x
            for i, (kernel, bias, dtype, shape) in enumerate(hidden):
                h = xp.astype(h, dtype)
                u = xp.matmul(h, kernel)
                if in_place is None or not isinstance(u, np.ndarray):
                    g = activation(u + bias, shape, xp)
                else:
                    g = in_place(np.add(u, bias, u), shape)
                h = h + g if residual and i and h.shape == g.shape else g
            return xp.matmul(xp.astype(h, final), last)

        def evaluate(x: Any, xp: Namespace) -> Any:
            if not isinstance(x, np.ndarray):
                return xp.astype(raw(x, xp), "float64") + shift
            if len(x) <= _BLOCK:
                return raw(x, xp) + shift
            found = np.empty((len(x), len(shift)))
            pieces = -(-len(x) // _BLOCK)
            for part, rows in zip(np.array_split(x, pieces), np.array_split(found, pieces), strict=True):
                np.add(raw(part, xp), shift, rows)
            return found

        return evaluate

    def header(self) -> dict[str, Any]:
        return {"activation": self.activation, "residual": self.residual, "layers": len(self.kernels)}

    def arrays(self) -> dict[str, Weights]:
        return {
            **{f"kernel{i}": kernel for i, kernel in enumerate(self.kernels)},
            **{f"bias{i}": bias for i, bias in enumerate(self.biases)},
            **{f"shape{i}": shape for i, shape in enumerate(self.shapes)},
        }

    @classmethod
    def rebuilt(cls, header: Mapping[str, Any], arrays: Mapping[str, Weights]) -> Self:
        n = int(header["layers"])
        kernels, biases = (tuple(arrays[f"{what}{i}"] for i in range(n)) for what in ("kernel", "bias"))
        shapes = tuple(arrays[f"shape{i}"] for i in range(n - 1)) if header["activation"] == "alsing" else ()
        return cls(str(header["activation"]), bool(header["residual"]), kernels, biases, shapes)


def _precision(kernel: Weights) -> str:
    return "float32" if min(kernel.shape) >= _WIDE else "float64"


def _scaled(array: Weights, scale: float, dtype: str) -> NDArray[Any]:
    return np.ascontiguousarray(array.astype(dtype) * np.dtype(dtype).type(scale))


def _alsing(x: Any, shape: Any, xp: Namespace) -> Any:
    alpha, beta = shape
    # beta + (1 - beta) / (1 + exp(-alpha x)), in a form that cannot overflow
    return x * (0.5 * (1.0 + beta) + 0.5 * (1.0 - beta) * xp.tanh(0.5 * alpha * x))


def _maxout(x: Any, shape: Any, xp: Namespace) -> Any:  # noqa: ARG001
    half = x.shape[-1] // 2
    return xp.maximum(x[..., :half], x[..., half:])


def _silu(u: Any, shape: Any, xp: Namespace) -> Any:  # noqa: ARG001
    return u * (1.0 + xp.tanh(u))


def _alsing_in_place(u: NDArray[Any], shape: Any) -> NDArray[Any]:
    alpha, beta = shape
    g = np.multiply(u, 0.5 * alpha)
    np.tanh(g, g)
    np.multiply(g, 0.5 * (1.0 - beta), g)
    np.add(g, 0.5 * (1.0 + beta), g)
    return np.multiply(g, u, g)


def _silu_in_place(u: NDArray[Any], shape: Any) -> NDArray[Any]:  # noqa: ARG001
    g = np.tanh(u)
    np.add(g, 1.0, g)  # u + u tanh u would have a larger rounding error
    return np.multiply(g, u, g)


#: Activations for NumPy that allocate one array only.
IN_PLACE: Mapping[str, Callable[[NDArray[Any], Any], NDArray[Any]]] = {
    "alsing": _alsing_in_place,
    "silu": _silu_in_place,
}

#: Factor folded into the weights, and the activation of the folded argument. ``alsing`` is the activation of Alsing
#: et al. 2020 (ApJS 249, 5, eq. 8), which CosmoPower also uses.
ACTIVATIONS: Mapping[str, tuple[float, Callable[[Any, Any, Namespace], Any]]] = {
    "alsing": (1.0, _alsing),
    "elu": (1.0, lambda x, _, xp: xp.where(x > 0, x, xp.exp(xp.minimum(x, 0.0)) - 1.0)),
    "leaky_relu": (1.0, lambda x, _, xp: xp.where(x > 0, x, np.float32(0.2) * x)),
    "maxout": (1.0, _maxout),
    "relu": (1.0, lambda x, _, xp: xp.maximum(x, 0.0)),
    "sigmoid": (1.0, lambda x, _, xp: xp.sigmoid(x)),
    "silu": (0.5, _silu),
    "tanh": (1.0, lambda x, _, xp: xp.tanh(x)),
}
