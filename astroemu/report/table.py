"""The short text table of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_table(summary: Mapping[str, Any]) -> str:
    """Return the result as text: parameters, evidence, convergence, cost."""
    lines = [summary["title"] or "Run", ""]
    width = max(len(name) for name in summary["parameters"])
    lines.append(
        f"{'parameter':<{width}}  {'mean':>9} {'std':>8}   {'median':>9}  {'68 % interval':>19}  {'95 % interval':>19}"
    )
    for name, p in summary["parameters"].items():
        lines.append(
            f"{name:<{width}}  {p['mean']:9.4f} {p['std']:8.4f}   {p['median']:9.4f}  "
            f"[{p['q16']:8.4f}, {p['q84']:8.4f}]  [{p['q025']:8.4f}, {p['q975']:8.4f}]"
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
