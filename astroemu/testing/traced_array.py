"""Arrays that only the array namespace can read, as a replacement of a compiled engine.

A compiled engine traces a likelihood through ``xp`` and the operators of its arrays. A call of
``numpy.something(values)`` would fail there, or silently leave the graph. The arrays of this module raise at once, on
any machine and without a compiler. They support only operators, indexing, ``shape`` and the functions of
:data:`TRACED`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace


class TracedArray:
    """An array that only operators and the functions of ``xp`` can read."""

    __array_ufunc__ = None  # NumPy then calls our operators for `numpy_array + traced`, and refuses its own functions

    def __init__(self, value: Any) -> None:
        self._value = np.asarray(value)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a NumPy function was called with the engine's array; use the function of xp")

    def __bool__(self) -> bool:
        raise TypeError("an engine's array was used as a truth value; use xp.where")

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, key: Any) -> TracedArray:
        return TracedArray(self._value[_bare(key)])

    def __invert__(self) -> TracedArray:
        return TracedArray(~self._value)

    def __neg__(self) -> TracedArray:
        return TracedArray(-self._value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as in NumPy."""
        return tuple(self._value.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self._value.ndim)

    @property
    def dtype(self) -> Any:
        """The data type, as in NumPy."""
        return self._value.dtype


def _bare(value: Any) -> Any:
    if isinstance(value, TracedArray):
        return value._value
    if isinstance(value, list | tuple):
        return type(value)(_bare(item) for item in value)
    return value


def _binary(function: Callable[[Any, Any], Any], *, swapped: bool) -> Any:
    def method(self: TracedArray, other: Any) -> TracedArray:
        pair = (_bare(other), self._value) if swapped else (self._value, _bare(other))
        return TracedArray(function(*pair))

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    setattr(TracedArray, f"__{_name}__", _binary(getattr(operator, _name), swapped=False))
    setattr(TracedArray, f"__r{_name}__", _binary(getattr(operator, _name), swapped=True))


for _name in ("lt", "le", "gt", "ge", "and", "or"):
    setattr(
        TracedArray,
        f"__{_name}__",
        _binary(getattr(operator, _name if _name not in ("and", "or") else f"{_name}_"), swapped=False),
    )


for _name in ("and", "or"):
    setattr(TracedArray, f"__{_name}__", _binary(getattr(operator, f"{_name}_"), swapped=False))
    setattr(TracedArray, f"__r{_name}__", _binary(getattr(operator, f"{_name}_"), swapped=True))


def _traced(function: Any) -> Any:
    if not callable(function):
        return function

    def call(*arguments: Any, **options: Any) -> Any:
        given = [_bare(argument) for argument in arguments]
        return TracedArray(function(*given, **{key: _bare(value) for key, value in options.items()}))

    return call


def _where_rows(good: Any, value: Any, otherwise: Any) -> TracedArray:
    return TracedArray(NUMPY.where_rows(_bare(good), _bare(value), lambda choose: _bare(otherwise(choose))))


def _iterate(step: Any, state: Any, most: int) -> Any:
    def bare_step(*arrays: Any) -> Any:
        return _bare(step(*map(TracedArray, arrays)))

    return tuple(map(TracedArray, NUMPY.iterate(bare_step, _bare(tuple(state)), most)))


#: The functions of the NumPy namespace, on :class:`TracedArray`.
TRACED: Namespace = SimpleNamespace(**{name: _traced(function) for name, function in vars(NUMPY).items()})
TRACED.where_rows = _where_rows
TRACED.iterate = _iterate
TRACED.in_columns = lambda function, a, _: function(a)


def traced(value: Any) -> Any:
    """Return a :class:`TracedArray` of an array; None stays None."""
    return None if value is None else TracedArray(value)


def untraced(value: Any) -> Any:
    """Return the NumPy array inside a :class:`TracedArray`; any other value is returned unchanged."""
    return _bare(value)
