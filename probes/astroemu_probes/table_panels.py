"""The figures of the probe ``table``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray

if TYPE_CHECKING:
    from astroemu_probes.table import Table

#: Most panels of one figure; with more places, one panel shows the rows by number.
_MOST_PANELS = 9
_CURVE = 60


def table_panels(probe: Table) -> tuple[Panel, ...]:
    """Return the panels of a probe: along the last axis, one for each place on the others."""
    requirement = probe.requires[probe.observable]
    axes = list(requirement.at)
    every = np.arange(len(probe.datum))
    if not axes:
        return tuple(_panel(probe, requirement, rows) for rows in every[:, None])
    others = np.stack([np.zeros(len(every)), *(requirement.at[name] for name in axes[:-1])], axis=1)
    places, group = np.unique(others, axis=0, return_inverse=True)
    if len(places) > _MOST_PANELS:
        numbers: FloatArray = np.arange(1.0, len(every) + 1.0)
        return (_panel(probe, requirement, every, numbers, "row", numbers),)
    found = []
    for i, place in enumerate(places):
        rows = np.flatnonzero(np.ravel(group) == i)
        x = requirement.at[axes[-1]][rows]
        fine = np.linspace(x.min(), x.max(), _CURVE) if np.ptp(x) > 0 else x[:1]
        fixed = dict(zip(axes[:-1], place[1:], strict=True))
        at = {**{name: np.full(len(fine), value) for name, value in fixed.items()}, axes[-1]: fine}
        where = ", ".join(f"{name} = {value:g}" for name, value in fixed.items())
        label = _with_unit(axes[-1], probe.rows.axis_units[axes[-1]])
        found.append(_panel(probe, replace(requirement, at=at), rows, x, label, fine, where))
    return tuple(found)


def _panel(
    probe: Table,
    curve: Requirement,
    rows: Any,
    x: FloatArray | None = None,
    label: str = "",
    curve_x: FloatArray | None = None,
    where: str = "",
) -> Panel:
    """Return the panel of some rows. Without ``x`` it is that of a single number."""
    name = _with_unit(f"${probe.latex}$" if probe.latex else probe.observable, probe.unit)
    value = np.where(probe.is_limit, probe.rows.value, probe.datum)[rows]
    low, high = (bar[rows] for bar in probe.rows.bars)
    return Panel(
        title=probe.title + (f", {where}" if where else ""),
        x_label=name if x is None else label,
        y_label="posterior density" if x is None else name,
        x=np.zeros(len(rows)) if x is None else x,
        y=value,
        error_low=low,
        error_high=high,
        kind=tuple(probe.rows.kind[i] for i in rows),
        curve=curve,
        curve_x=curve_x,
    )


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name
