"""The state of the process that a plugin shares with its user: it must be the same before and after."""

from __future__ import annotations

import contextlib
import io
import locale
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from astroemu.testing.findings import NonConformance

_Read = Callable[[], Any]
#: What an import may change, for example because packages below it register warnings.
_CHANGED_BY_IMPORTS = frozenset({"os.environ", "warnings.filters", "sys.path", "the locale", "Matplotlib's rcParams"})


def _rc_params() -> dict[str, Any]:
    """Return Matplotlib's settings if it is loaded. Their own methods would choose a backend."""
    library = sys.modules.get("matplotlib")
    settings = getattr(library, "rcParams", {})
    return {key: dict.__getitem__(settings, key) for key in list(dict.keys(settings))}


def _set_rc_params(stored: Mapping[str, Any]) -> None:
    for key, value in stored.items():
        dict.__setitem__(sys.modules["matplotlib"].rcParams, key, value)


def _set_environment(stored: Mapping[str, str]) -> None:
    for key in set(os.environ) - set(stored):
        del os.environ[key]
    os.environ.update(stored)


def _set_filters(stored: list[Any]) -> None:
    warnings.filters[:] = stored  # type: ignore[index]
    getattr(warnings, "_filters_mutated", lambda: None)()


def _set_signals(stored: Mapping[int, Any]) -> None:
    for number, handler in stored.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


#: How each part of the state is read and set.
_PARTS: dict[str, tuple[_Read, Callable[[Any], object]]] = {
    "np.seterr": (np.geterr, lambda stored: np.seterr(**stored)),
    "np.random's global generator": (lambda: tuple(np.random.get_state()), np.random.set_state),
    "random's global generator": (random.getstate, random.setstate),
    "np.set_printoptions": (np.get_printoptions, lambda stored: np.set_printoptions(**stored)),
    "the working folder": (os.getcwd, os.chdir),
    "os.environ": (lambda: dict(os.environ), _set_environment),
    "warnings.filters": (lambda: list(warnings.filters), _set_filters),
    "sys.path": (lambda: list(sys.path), lambda stored: sys.path.__setitem__(slice(None), stored)),
    "sys.excepthook": (lambda: sys.excepthook, lambda stored: setattr(sys, "excepthook", stored)),
    "the locale": (lambda: locale.setlocale(locale.LC_ALL), lambda stored: locale.setlocale(locale.LC_ALL, stored)),
    "signal handlers": (lambda: {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}, _set_signals),
    "Matplotlib's rcParams": (_rc_params, _set_rc_params),
}


@contextlib.contextmanager
def unchanged(what: str) -> Iterator[None]:
    """Demand that a block leaves the state of the process as it is, and prints nothing. What it changed is set back.

    If it imports modules, what packages often change at their import is not compared.

    Parameters
    ----------
    what : str
        What runs in the block, for the message.

    Raises
    ------
    NonConformance
    """
    before, modules = {name: read() for name, (read, _) in _PARTS.items()}, len(sys.modules)
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        yield
    changes = []
    ignored = _CHANGED_BY_IMPORTS if len(sys.modules) > modules else frozenset()
    for name, (read, restore) in _PARTS.items():
        after = read()
        if name not in ignored and not _equal(before[name], after):
            changes.append(f"{name}{_detail(before[name], after)}")
            restore(before[name])
    if changes:
        raise NonConformance(f"{what} changes {'; '.join(changes)}. These belong to the user's process")
    if heard.getvalue().strip():
        said = heard.getvalue().strip().splitlines()[0]
        raise NonConformance(f"{what} prints {said[:60]!r}. Use the module `logging`")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _detail(before: Any, after: Any) -> str:
    """Return which keys changed and, if they are not secrets, how."""
    if not isinstance(before, Mapping):
        return f" from {before!r} to {after!r}" if isinstance(before, str) else ""
    keys = sorted((k for k in {*before, *after} if before.get(k) != after.get(k)), key=str)
    return f" ({', '.join(str(key) for key in keys[:5])})"
