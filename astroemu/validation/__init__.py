"""Validation of emulators and of posteriors.

:mod:`~astroemu.validation.accuracy` compares an emulator with simulations. :mod:`~astroemu.validation.posterior_check`
compares a run with the true simulator. :mod:`~astroemu.validation.refinement` adds simulations near a posterior.
:mod:`~astroemu.validation.sbc` fits mock data (:mod:`~astroemu.validation.mock`) whose true parameters are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astroemu.validation.accuracy import validate

__all__ = ["validate"]


def __getattr__(name: str) -> Any:
    if name == "validate":
        from astroemu.validation.accuracy import validate

        return validate
    raise AttributeError(f"module 'astroemu.validation' has no attribute {name!r}")
