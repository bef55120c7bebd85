"""Messages of TensorFlow, kept away from the terminal of the command line.

TensorFlow reports at its import which processor it was built for, and that there is no GPU. Most of this comes before
its settings are read, straight to the standard error of the process. Only the process of the command line is changed:
in a script, TensorFlow speaks as it always does.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = "tensorflow"
#: Environment variable of TensorFlow: 2 leaves errors and 3 nothing. Without a GPU, the errors are about its absence.
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def silenced() -> Iterator[None]:
    """Context manager in which the first import of TensorFlow makes no noise, nor does TensorFlow from then on.

    What the user has set in the environment holds.
    """
    finder = _Finder()
    if _MODULE not in sys.modules:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        finder.retire()


class _Finder(MetaPathFinder):
    """Finds TensorFlow, and lets it be loaded in silence. It may be looked for without being imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((found for found in others if found is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Silent(spec.loader)
        return spec

    def retire(self) -> None:
        """Find nothing from now on."""
        with suppress(ValueError):
            sys.meta_path.remove(self)


class _Silent(Loader):
    """A loader that lets another one work without standard error."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.inner
        from astroemu.model.backends.base import gpu_visible

        os.environ.setdefault(_LEVEL, "2" if gpu_visible() else "3")
        with _standard_error_aside():
            self.inner.exec_module(module)


@contextmanager
def _standard_error_aside() -> Iterator[None]:
    """Context manager that drops what goes to standard error, unless an exception ends the block."""
    try:
        before = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(before, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)
