"""Import of packages that are not required dependencies."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
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


def is_installed(distribution: str) -> bool:
    """Return True if a distribution, such as ``nautilus-sampler``, is installed. Nothing is imported."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
