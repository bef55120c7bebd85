"""JAX's double precision for a block: packages that need it switch it on for the whole process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


@contextmanager
def double_precision() -> Iterator[None]:
    """Context manager in which JAX, if it is loaded, computes in double precision.

    A package that is imported in the block may load JAX, and change its precision. Afterwards the setting is that from
    before the block, or JAX's own if it was not loaded.
    """
    before = _setting()
    loaded: Any = sys.modules.get("jax")
    try:
        with nullcontext() if loaded is None else loaded.enable_x64(True):
            yield
    finally:
        if (jax := sys.modules.get("jax")) is not None:
            jax.config.update("jax_enable_x64", before)


def _setting() -> bool:
    jax: Any = sys.modules.get("jax")
    if jax is not None:
        return bool(jax.config.jax_enable_x64)
    return os.environ.get("JAX_ENABLE_X64", "").lower() in ("1", "true", "on", "yes", "t", "y")
