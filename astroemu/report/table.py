"""The short text table of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from astroemu.samples import Samples

_INTERVALS = (("q16", "q84"), ("hpd68_low", "hpd68_high"), ("q025", "q975"))


def text_table(summary: Mapping[str, Any]) -> str:
    """Return the result as text: parameters, derived numbers in brackets, evidence, convergence, cost."""
    lines = [summary["title"] or "Run", ""]
    rows = {**summary["parameters"], **{f"({name})": p for name, p in summary.get("derived", {}).items()}}
    width = max(len(name) for name in rows)
    heads = "  ".join(f"{head:>19}" for head in ("68 % interval", "shortest 68 %", "95 % interval"))
    lines.append(f"{'parameter':<{width}}  {'mean':>9} {'std':>8}   {'median':>9}  {heads}")
    for name, p in rows.items():
        d = _decimals(p["std"])
        lines.append(
            f"{name:<{width}}  {p['mean']:9.{d}f} {p['std']:8.{d}f}   {p['median']:9.{d}f}  "
            + "  ".join(f"[{p[a]:8.{d}f}, {p[b]:8.{d}f}]" for a, b in _INTERVALS)
        )
    lines.append("")
    lines.append(
        "ln L at the best sample: " + ", ".join(f"{k} {v:.2f}" for k, v in summary["best_log_likelihood"].items())
    )
    if summary["log_evidence"] is not None:
        lines.append(f"ln Z = {summary['log_evidence']:.2f} +- {summary['log_evidence_err']:.2f}")
    lines.append(
        f"{summary['sampler']}, seed {summary['seed']}: {summary['n_likelihood']:,} likelihoods in "
        f"{summary['wall_seconds']:.1f} s, {summary['ess']:.0f} effective samples"
    )
    verdict = "converged" if summary["converged"] else "NOT converged"
    lines.append(f"{verdict}: {summary['converged_reason']}")
    outside = summary["evaluations"]
    if outside["outside_emulator_range"] or outside["not_finite"]:
        lines.append(
            f"{outside['fraction_outside']:.2%} of the evaluations lay outside an emulator's range, "
            f"{outside['not_finite']} had no finite likelihood"
        )
    return "\n".join(lines) + "\n"


def _decimals(std: float) -> int:
    """Places after the point that give two digits of a standard deviation; four at least."""
    return min(max(4, 1 - math.floor(math.log10(std))), 12) if 0 < std < math.inf else 4


def comparison_table(runs: Mapping[str, tuple[Samples, Mapping[str, Any]]]) -> str:
    """Return the posteriors of several runs, samples and summary, side by side by parameter.

    The last column of each run but the first is the difference of its mean from the first's, in
    units of the first's standard deviation.
    """
    tables = {label: samples.table() | dict(run.get("derived", {})) for label, (samples, run) in runs.items()}
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    first = next(iter(tables.values()))
    width = max(len(name) for name in names)
    lines = []
    for name in names:
        for i, (label, table) in enumerate(tables.items()):
            start = f"{'' if i else name:<{width}}  {label:<20}"
            p = table.get(name)
            if p is None:
                lines.append(f"{start}  not there")
                continue
            d = _decimals(p["std"])
            shift = f"{(p['mean'] - first[name]['mean']) / first[name]['std']:+.2f} std" if i and name in first else ""
            lines.append(
                f"{start}  {p['mean']:9.{d}f} +- {p['std']:.{d}f}   shortest 68 % "
                f"[{p['hpd68_low']:8.{d}f}, {p['hpd68_high']:8.{d}f}]  {shift}".rstrip()
            )
    for label, (_, run) in runs.items():
        evidence = run["log_evidence"]
        lines.append(
            f"{label}: {run['sampler']}, seed {run['seed']}, {run['n_likelihood']:,} likelihoods in "
            f"{run['wall_seconds']:.1f} s, {run['ess']:.0f} effective samples, "
            f"{'converged' if run['converged'] else 'NOT converged'}"
            + ("" if evidence is None else f", ln Z = {evidence:.2f} +- {run['log_evidence_err']:.2f}")
        )
    return "\n".join(lines)
