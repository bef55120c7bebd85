"""The abstract backend: an array library that compiles functions written against ``xp``."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from astroemu.core.array_namespace import Namespace
from astroemu.errors import ConfigurationError, listing

#: A function of arrays, which may be nested in mappings and tuples, that returns such a nest.
Function = Callable[..., Any]
#: Class of each backend, by Keras's name for it, with the module that must be installed.
BACKENDS: Mapping[str, tuple[str, str]] = {
    "tensorflow": ("astroemu.model.backends.tensorflow", "tensorflow"),
    "jax": ("astroemu.model.backends.jax", "jax"),
}


class Backend(ABC):
    """An array library with a compiler."""

    #: Keras's name for it.
    name: str

    #: Its array functions.
    xp: Namespace

    @property
    @abstractmethod
    def device(self) -> str:
        """Where compiled functions run, such as ``cpu`` or the name of a GPU."""

    @property
    @abstractmethod
    def on_gpu(self) -> bool:
        """Whether that is a GPU."""

    @property
    @abstractmethod
    def memory(self) -> float:
        """Bytes that one call may take."""

    @abstractmethod
    def trace(self, function: Function, arguments: Any) -> None:
        """Run a function on symbols of the shapes of the arguments; nothing is compiled or computed."""

    @abstractmethod
    def compile(self, function: Function, arguments: Any) -> Function:
        """Return a function for arguments of these shapes, compiled as a whole.

        It takes and returns NumPy arrays.
        """

    @abstractmethod
    def with_gradient(self, function: Function) -> Function:
        """From ``f(theta (n, d)) -> (n,)``, whose rows are independent, to value and gradient ``(n, d)``."""


def backend_name() -> str:
    """Return the backend to compile with: ``KERAS_BACKEND``, else Keras's own, else what is installed.

    Raises
    ------
    ConfigurationError
        If it is none that astroemu compiles with, or none is installed.
    """
    chosen = os.environ.get("KERAS_BACKEND")
    if not chosen and "keras" in sys.modules:
        chosen = str(import_module("keras").backend.backend())
    if not chosen:
        chosen = next((name for name, (_, module) in BACKENDS.items() if find_spec(module)), "")
    if not chosen:
        raise ConfigurationError(f'engine = "keras" needs one of {listing(BACKENDS)}; install one, or use "numpy"')
    if chosen not in BACKENDS:
        raise ConfigurationError(
            f'KERAS_BACKEND is {chosen!r}; engine = "keras" compiles with {listing(BACKENDS)}. '
            'Set KERAS_BACKEND to one of them, or use engine = "numpy"'
        )
    if not find_spec(BACKENDS[chosen][1]):
        raise ConfigurationError(
            f"KERAS_BACKEND is {chosen!r}, but {BACKENDS[chosen][1]} is not installed; install it or choose another"
        )
    return chosen


def load_backend() -> Backend:
    """Import the backend of :func:`backend_name`, and let Keras use it too."""
    name = backend_name()
    os.environ.setdefault("KERAS_BACKEND", name)  # layers that Keras evaluates must be of the same library
    made = import_module(BACKENDS[name][0]).make()
    assert isinstance(made, Backend)
    return made


def gpu_visible() -> bool:
    """Whether this process may see an NVIDIA GPU, asked without importing anything."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*"))


def host_memory() -> float:
    """A quarter of the memory that is free now, at most 2 GiB."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(0.25 * free, 2.0 * 2**30)
