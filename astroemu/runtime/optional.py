"""runtime.optional."""

from __future__ import annotations

from typing import Any

from astroemu.errors import PluginError


def import_optional(module: str, extra: str) -> Any:
    """Import a package that comes with an extra.

    Raises
    ------
    PluginError
        If it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(f"this needs {module} ({error}): pip install 'astroemu-inference[{extra}]'") from None
