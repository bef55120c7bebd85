"""From a batch of points to log-likelihoods.

:mod:`~astroemu.model.graph` matches priors, providers and probes; :mod:`~astroemu.model.pipeline` holds the arithmetic;
an :mod:`~astroemu.model.engine` evaluates it; :mod:`~astroemu.model.model` is what users see.
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
