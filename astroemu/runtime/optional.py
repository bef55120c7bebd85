"""Import of packages that are not required dependencies."""

from __future__ import annotations

from typing import Any

from astroemu.errors import PluginError


def import_optional(module: str, extra: str) -> Any:
    """Return an imported module of an optional dependency.

    Parameters
    ----------
    module : str
        Its dotted name.
    extra : str
        The extra of the distribution that installs it.

    Raises
    ------
    PluginError
        If it cannot be imported. The message states the command that installs it.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(f"this needs {module} ({error}): pip install 'astroemu-inference[{extra}]'") from None
