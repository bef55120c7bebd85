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

#: A function of arrays that returns arrays; both may be nested in mappings and tuples.
Function = Callable[..., Any]
#: Largest number of pieces into which ``where_rows`` cuts a batch; a power of two, as batches are.
MOST_PIECES = 16
#: Class of each backend, by Keras's name for it, with the module that must be installed.
BACKENDS: Mapping[str, tuple[str, str]] = {
    "tensorflow": ("astroemu.model.backends.tensorflow", "tensorflow"),
    "jax": ("astroemu.model.backends.jax", "jax"),
}


class Backend(ABC):
    """An array library with a compiler."""

    #: Keras's name for it.
    name: str

    #: Its array functions, the same as in :data:`astroemu.core.array_namespace.NUMPY`.
    xp: Namespace

    @property
    @abstractmethod
    def device(self) -> str:
        """The device that runs compiled functions: ``cpu`` or the name of a GPU."""

    @property
    @abstractmethod
    def on_gpu(self) -> bool:
        """True if compiled functions run on a GPU."""

    @property
    @abstractmethod
    def memory(self) -> float:
        """Memory that one call may use, in bytes."""

    @abstractmethod
    def trace(self, function: Function, arguments: Any) -> None:
        """Trace a function for the shapes of the arguments; nothing is compiled or computed."""

    @abstractmethod
    def compile(self, function: Function, arguments: Any) -> Function:
        """Return the function compiled into one program, for arguments of these shapes.

        It takes and returns NumPy arrays.
        """

    @abstractmethod
    def with_gradient(self, function: Function) -> Function:
        """Return a function of ``theta (n, d)`` that gives the values ``(n,)`` of ``function`` and its gradient.

        The gradient is ``(n, d)``. The value of each row must depend on that row of ``theta`` only.
        """


def backend_name() -> str:
    """Return the name of the backend: ``KERAS_BACKEND`` if set, else that of an imported Keras, else an installed one.

    Raises
    ------
    ConfigurationError
        If astroemu cannot compile with the chosen backend, or none is installed.
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


def backend_installed() -> bool:
    """Return True if a library that can compile is installed. Nothing is imported."""
    return any(find_spec(module) for _, module in BACKENDS.values())


def load_backend() -> Backend:
    """Return the backend of :func:`backend_name`; Keras will use it too."""
    name = backend_name()
    os.environ.setdefault("KERAS_BACKEND", name)  # layers that Keras evaluates must be of the same library
    made = import_module(BACKENDS[name][0]).make()
    assert isinstance(made, Backend)
    return made


def gpu_visible() -> bool:
    """Return True if this process may see an NVIDIA GPU. No array library is imported for this."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*"))


def host_memory() -> float:
    """Return a quarter of the free memory, and at most 2 GiB, in bytes."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(0.25 * free, 2.0 * 2**30)
