"""The joint model: log-likelihoods of several probes for a batch of points.

:mod:`~astroemu.model.graph` matches priors, providers and probes. :mod:`~astroemu.model.pipeline` holds the
arithmetic, and an :mod:`~astroemu.model.engine` evaluates it. Users work with :mod:`~astroemu.model.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astroemu.model.model import Model

__all__ = ["Model"]


def __getattr__(name: str) -> Any:
    if name == "Model":
        from astroemu.model.model import Model

        return Model
    raise AttributeError(f"module 'astroemu.model' has no attribute {name!r}")
