"""Counts of the work of a function written against ``xp``: operations of matrix products, and bytes of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import Any

from astroemu.core.array_namespace import Namespace


@dataclass
class OperationCount:
    """The work counted so far.

    Attributes
    ----------
    flops : float
        Floating-point operations of matrix products in float32 (the networks). A multiplication with an addition
        counts as two.
    flops_double : float
        The same in float64.
    bytes_made : float
        Size of all arrays that functions of ``xp`` returned. Operators (``+``, ``*``) are not counted.
    bytes_read : float
        Size of all inputs of matrix products, weights included.
    """

    flops: float = 0.0
    flops_double: float = 0.0
    bytes_made: float = 0.0
    bytes_read: float = 0.0


def counting_namespace(xp: Namespace, count: OperationCount) -> Namespace:
    """Return a namespace with the functions of ``xp`` that also adds their work to ``count``.

    Only shapes and dtypes are used, so a trace without values can be counted too.
    """

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            result = function(*arguments, **keywords)
            count.bytes_made += _size(result)
            if name == "matmul":
                left, right = arguments
                operations = 2.0 * prod(result.shape) * left.shape[-1]
                count.bytes_read += _size(left) + _size(right)
                if _bytes_each(result) == 4:
                    count.flops += operations
                else:
                    count.flops_double += operations
            return result

        return call

    return SimpleNamespace(
        **{name: wrapped(name, member) if callable(member) else member for name, member in vars(xp).items()}
    )


def _bytes_each(array: Any) -> int:
    dtype = array.dtype
    return int(getattr(dtype, "itemsize", None) or dtype.size)


def _size(array: Any) -> float:
    return float(prod(array.shape)) * _bytes_each(array) if hasattr(array, "shape") else 8.0
