"""A derived number from an expression, such as ``log10_f_star10 + log10_f_esc10``.

The text is parsed into a tree of the operations below, and is never evaluated as Python. Names are those of parameters,
and of single numbers that other providers compute, such as ``tau_e``.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.observable import Observable
from astroemu.core.provider import Evaluate, Prediction, Provider
from astroemu.errors import ConfigurationError, closest, listing

#: Functions of one number, by their names in ``xp``.
_OF_ONE = ("abs", "arcsinh", "cosh", "erf", "exp", "log", "log10", "log1p", "sinh", "sqrt", "tanh")
#: Functions of two numbers, by their own names and those in ``xp``.
_OF_TWO = {"max": "maximum", "min": "minimum"}
FUNCTIONS = (*_OF_ONE, *_OF_TWO)
CONSTANTS: Mapping[str, float] = {"pi": math.pi}
#: Most characters of an expression, numbers and names in it, and its greatest depth.
LONGEST, MOST_VALUES, DEEPEST = 1000, 200, 40
_MOST_SHOWN = 60
_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_RESERVED = frozenset((*FUNCTIONS, *CONSTANTS))
_ALLOWED = f"use numbers, names, + - * / **, brackets, and {', '.join(FUNCTIONS)}"
#: ``f(values, xp)``, with values ``(n,)`` by name.
_Function = Callable[[Mapping[str, Any], Namespace], Any]


class Expression(Provider):
    """A single number that is computed from parameters and other single numbers.

    Parameters
    ----------
    name : str
        Name of the number.
    text : str
        Numbers, names, ``+ - * / **``, brackets, and the functions of :data:`FUNCTIONS`.
    latex, unit : str
        Symbol without dollar signs, and unit, for labels.

    Raises
    ------
    ConfigurationError
        For another operation, an unknown function, an expression without a name, or one that is too long.
    """

    def __init__(self, name: str, text: str, latex: str = "", unit: str = "") -> None:
        if not name.isidentifier():
            raise ConfigurationError(f"{name!r} is not an identifier; use letters, digits and underscores")
        self.text = text
        tree = _parsed(text)
        self._function = _compiled(tree, text)
        names = [node.id for node in _values(tree) if isinstance(node, ast.Name) and node.id not in _RESERVED]
        if not names:
            raise ConfigurationError(f"{text!r} names no parameter, so that it is the same everywhere")
        if name in names:
            raise ConfigurationError(f"{text!r} names {name!r} itself; give the new number another name")
        self.parameters = tuple(dict.fromkeys(names))
        self._provides = {name: Observable(name, (), unit, f"{name} = {text}", latex)}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        wanted = tuple(rows)

        def evaluate(theta: Any, observables: Mapping[str, Prediction], xp: Namespace) -> dict[str, Prediction]:  # noqa: ARG001
            values = {name: theta[:, j] for j, name in enumerate(self.parameters)}
            found = self._function(values, xp)
            return {name: Prediction(found[:, None]) for name in wanted}

        return evaluate


def _parsed(text: str) -> ast.expr:
    """Return the tree of an expression that is not too large."""
    if len(text) > LONGEST:
        raise ConfigurationError(f"an expression of {len(text)} characters is too long; at most {LONGEST} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of a text that is refused below
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigurationError(f"{text!r} is no expression: {why}") from None
    if sum(1 for _ in _values(tree)) > MOST_VALUES:
        raise ConfigurationError(f"{text[:_MOST_SHOWN]!r}... has more than {MOST_VALUES} numbers and names; divide it")
    return tree


def _values(tree: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Constant))


def _compiled(node: ast.expr, text: str, depth: int = 0) -> _Function:
    """Return a tree as a function of values and ``xp``. Parts without a name are computed at once."""
    if depth > DEEPEST:
        raise ConfigurationError(f"{text[:_MOST_SHOWN]!r}... is nested more than {DEEPEST} deep; divide it")
    inner = [_compiled(part, text, depth + 1) for part in _parts(node, text)]
    function = _operation(node, inner, text)
    if all(not isinstance(each, ast.Name) or each.id in _RESERVED for each in ast.walk(node)):
        return _constant(function, node, text)
    return function


def _parts(node: ast.expr, text: str) -> list[ast.expr]:
    """Return the operands of a node."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        return [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _arguments(node, node.func.id, text)
    if isinstance(node, ast.Name | ast.Constant):
        return []
    raise ConfigurationError(f"{_shown(node, text)} is not possible in an expression: {_ALLOWED}")


def _arguments(call: ast.Call, name: str, text: str) -> list[ast.expr]:
    if name not in FUNCTIONS:
        hint = f"{closest(name, FUNCTIONS)} Functions: {listing(FUNCTIONS)}"
        raise ConfigurationError(f"{text!r}: no function is called {name!r}.{hint}")
    number = 2 if name in _OF_TWO else 1
    if call.keywords or len(call.args) != number or any(isinstance(each, ast.Starred) for each in call.args):
        raise ConfigurationError(f"{text!r}: the function {name!r} takes {number} number{'s' if number > 1 else ''}")
    return call.args


def _operation(node: ast.expr, inner: list[_Function], text: str) -> _Function:
    """Return the function of a node, given those of its operands."""
    if isinstance(node, ast.BinOp):
        operate = _OPERATORS[type(node.op)]
        return lambda values, xp: operate(inner[0](values, xp), inner[1](values, xp))
    if isinstance(node, ast.UnaryOp):
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return lambda values, xp: sign * inner[0](values, xp)
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        function = _OF_TWO.get(node.func.id, node.func.id)
        return lambda values, xp: getattr(xp, function)(*(each(values, xp) for each in inner))
    if isinstance(node, ast.Constant):
        number = _number(node, text)
        return lambda values, xp: number  # noqa: ARG005
    assert isinstance(node, ast.Name)
    name = node.id
    if name in FUNCTIONS:
        raise ConfigurationError(f"{text!r}: {name!r} is a function; write {name}(...), or rename the parameter")
    if name in CONSTANTS:
        return lambda values, xp: CONSTANTS[name]  # noqa: ARG005
    return lambda values, xp: values[name]  # noqa: ARG005


def _number(node: ast.Constant, text: str) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise ConfigurationError(f"{_shown(node, text)} is no number: {_ALLOWED}")
    try:
        return float(node.value)
    except OverflowError:
        raise ConfigurationError(f"{text[:_MOST_SHOWN]!r} holds a number that is too large") from None


def _constant(function: _Function, node: ast.expr, text: str) -> _Function:
    """Return a part without names as its value."""
    with np.errstate(all="ignore"):
        try:
            value = float(np.asarray(function({}, NUMPY), dtype=float))
        except (ZeroDivisionError, OverflowError, TypeError):  # the last for a complex power
            value = math.nan
    if not math.isfinite(value):
        raise ConfigurationError(f"{_shown(node, text)} is not a finite number")
    return lambda values, xp: value  # noqa: ARG005


def _shown(node: ast.AST, text: str) -> str:
    """Return the part of the text that a node stands for, quoted."""
    part = ast.get_source_segment(text.strip(), node) or text
    return repr(part if len(part) <= _MOST_SHOWN else part[:_MOST_SHOWN] + "...")
