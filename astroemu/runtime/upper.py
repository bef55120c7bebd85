"""Methods of a class that a function of an upper layer carries out, such as the pictures of samples.

A lower layer does not import an upper one. It states such a method, with its signature and its docstring, and asks
:func:`upper` for the function by name. The module that assembles the public interface, ``astroemu/__init__.py``, says
where each function is. It is run before any other module of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

#: Module of each function, by name.
_HOME: dict[str, str] = {}


def register(functions: Mapping[str, str]) -> None:
    """State in which module each function is, by name. Nothing is imported."""
    _HOME.update(functions)


def upper(name: str) -> Callable[..., Any]:
    """Return a registered function. Its module is imported now.

    Raises
    ------
    KeyError
        If no function of this name was registered.
    """
    found = getattr(import_module(_HOME[name]), name)
    assert callable(found)
    return found
