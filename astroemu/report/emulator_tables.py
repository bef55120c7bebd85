"""Text tables about emulators: validation, inspection of a training set, and refinement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from astroemu.report.columns import columns, wrapped
from astroemu.report.digits import with_error
from astroemu.validation.accuracy import ERROR_QUANTILES
from astroemu.validation.coverage import missed_targets


def validation_table(found: Mapping[str, Any]) -> str:
    """Return the table of a validation, see :func:`astroemu.validation.accuracy.validate`."""
    rows: list[tuple[str, ...]] = []
    for name, row in found["observables"].items():
        rows += [
            _errors(name, kind, {level: row[f"{kind}_{level}"] for level in ERROR_QUANTILES})
            for kind in ("absolute", "fractional", "stated")
            if f"{kind}_median" in row
        ]
    for name, row in found.get("probes", {}).items():
        rows.append(_errors(name, "|delta lnL|", row["delta_log_likelihood"]))
        if any(row["not_finite"].values()):
            rows.append((name, f"no log-likelihood: {row['not_finite']}"))
        if "data_sigma" in row:
            rows.append(_errors(name, "data sigma", row["data_sigma"]))
    lines = columns(("", "error", *ERROR_QUANTILES), rows)
    for title, kind in (("all outputs", found["observables"]), ("outputs in use", found.get("used", {}))):
        lines += _coverage_lines(title, {name: row for name, row in kind.items() if "within_1" in row})
    return "\n".join(lines)


_CHI2 = {"mean": "chi2/dof", "of_99": "of 99 %", "median": "median"}


def _coverage_lines(title: str, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the shares of values within their stated errors, with the range over the quarters of the parameters."""
    if not rows:
        return []
    head = (f"stated errors, {title}", *(f"within {n} sigma" for n in (1, 2, 3)), *_CHI2.values(), "left out")
    cells = [
        (
            name,
            *(_share(row, f"within_{n}") for n in (1, 2, 3)),
            *(f"{row.get(f'chi2_{kind}', math.nan):.2f}" for kind in _CHI2),
            f"{row.get('undefined', 0) + row.get('at_limit', 0)}",
        )
        for name, row in rows.items()
    ]
    lines = ["", *columns(head, cells)]
    missed = missed_targets(rows)
    lines += [f"stated errors, {title}: {'outside the targets:' if missed else 'all within the targets'}"]
    return [*lines, *(f"  {line}" for line in missed)]


def _share(row: Mapping[str, float], figure: str) -> str:
    ends = f" ({row[f'{figure}_low']:.1%} to {row[f'{figure}_high']:.1%})" if f"{figure}_low" in row else ""
    return f"{row[figure]:.1%}{ends}"


def _errors(name: str, kind: str, values: Mapping[str, float]) -> tuple[str, ...]:
    return name, kind, *(f"{values[level]:.3e}" for level in ERROR_QUANTILES)


def inspection_table(found: Mapping[str, Any]) -> str:
    """Return the table of an inspection of a training set, see :mod:`astroemu.emulation.inspection`."""
    lines = [f"{found['points']} points", "", f"{'parameter':18s}{'low':>12s}{'high':>12s}{'coverage':>10s}"]
    for name, p in found["parameters"].items():
        lines.append(f"{name:18s}{_rounded(p['low'])}{_rounded(p['high'])}{p['coverage']:10.0%}")
    if found["pairs"]["names"]:
        share = f"{found['pairs']['coverage']:.0%}"
        lines.append(f"{' and '.join(found['pairs']['names'])}: {share} of the plane is covered")
    head = ("observable", "min", "max", "outputs", "NaN", "inf", "negative", "farthest from smooth")
    keys = ("outputs", "nan_points", "infinite_points", "negative_points")
    rows = [
        (
            name,
            *(_rounded(o[key]).strip() for key in ("min", "max")),
            *(str(o[key]) for key in keys),
            ", ".join(f"row {row}: {score:.1f}" for row, score in list(o["farthest"].items())[:2]),
        )
        for name, o in found["observables"].items()
    ]
    lines += ["", *columns(head, rows)]
    return "\n".join([*lines, "", *map(wrapped, found["remarks"] or ["Nothing to remark on."])])


def _rounded(value: float | None) -> str:
    return f"{'none':>12s}" if value is None else f"{value:12.4g}"


def refinement_table(found: Mapping[str, Any]) -> str:
    """Return the table of a refinement, see :class:`astroemu.validation.refinement.Refinement`."""
    lines = [f"{'parameter':<20}{'before':>22}{'after':>22}{'shift':>10}"]
    for name, row in found["parameters"].items():
        a, b = (with_error(row[k]["mean"], row[k]["std"]) for k in ("before", "after"))
        lines.append(f"{name:<20}{a:>22}{b:>22}{row['shift']:>9.2f}s")
    for when, share in found["efficiency"].items():
        if share is not None:
            lines.append(f"effective fraction of the samples under the true simulator, {when}: {share:.1%}")
    lines.append(f"points: {found['points']['added']} added, {found['points']['all']} in all")
    return "\n".join(lines)
