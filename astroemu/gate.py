"""An accuracy gate: the largest errors with which an emulator may pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astroemu.errors import ConfigurationError, closest, listing

#: By observable or probe, by figure (``fractional_q95``, ``delta_log_likelihood_q95``): the limit.
Gate = Mapping[str, Mapping[str, float]]


def failures(found: Mapping[str, Any], gate: Gate) -> list[str]:
    """Return, in words, every limit of a gate that a validation exceeds.

    Parameters
    ----------
    found : mapping
        From :func:`astroemu.validation.validate`.
    gate : mapping

    Raises
    ------
    ConfigurationError
        If the gate names what the validation did not measure.
    """
    figures = _figures(found)
    exceeded = []
    for name, limits in gate.items():
        if name not in figures:
            raise ConfigurationError(
                f"[gate.{name}] names what was not measured.{closest(name, figures)} Measured: {listing(figures)}; "
                "a probe is measured when validate is given --model"
            )
        for figure, limit in limits.items():
            if figure not in figures[name]:
                hint = closest(figure, figures[name])
                raise ConfigurationError(f"[gate.{name}] {figure} was not measured.{hint} {listing(figures[name])}")
            value = figures[name][figure]
            if not value <= limit:
                exceeded.append(f"{name} {figure} = {value:.4g} exceeds {limit:.4g}")
    return exceeded


def _figures(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """All figures by name, nested ones joined with an underscore."""
    figures = {
        name: {k: v for k, v in row.items() if not isinstance(v, list)} for name, row in found["observables"].items()
    }
    for name, row in found.get("probes", {}).items():
        figures[name] = {f"{kind}_{level}": value for kind, values in row.items() for level, value in values.items()}
    return figures
