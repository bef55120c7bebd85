"""The tension between sets of data as a text table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RUN = {"log_evidence": "ln Z", "d_kl": "D", "mean_log_likelihood": "<ln L>", "dimensionality": "d"}
_BETWEEN = {
    "log_r": ("ln R", "evidence ratio: positive, they agree (grows with the width of the priors)"),
    "information": ("I", "the part of ln R that the priors make"),
    "log_s": ("ln S", "suspiciousness, ln R - I: negative, they disagree"),
    "dimensionality": ("d", "parameters constrained in common"),
    "p": ("p", "chance of so much discord"),
    "sigma": ("sigma", "the same in standard deviations"),
}


def tension_table(result: Mapping[str, Any]) -> str:
    """Return the result of :func:`astroemu.tension.tension` as text."""
    labels = {label: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i + 1] or str(i) for i, label in enumerate(result["runs"])}
    *alone, joint = labels
    labels[joint] = "all"
    lines = [result["title"] or "Tension", ""]
    lines += [f"{labels[label]}: {label.replace('+', ' + ')}" for label in alone]
    if result["left_out"]:
        lines.append(f"left out: {', '.join(result['left_out'])}")
    lines += ["", "run   " + "".join(f"{head:>21}" for head in _RUN.values())]
    for label, run in result["runs"].items():
        lines.append(f"{labels[label]:<6}" + "".join(f"{_number(run[key]):>21}" for key in _RUN))
    lines.append("")
    for key, (symbol, meaning) in _BETWEEN.items():
        lines.append(f"{symbol:<6}{_number(result['statistics'][key]):>21}   {meaning}")
    lines += ["", *_remarks(result, labels)]
    return "\n".join(lines) + "\n"


def _remarks(result: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    lines = [f"{result['sampler']}, seed {result['seed']}; errors from {result['draws']} draws of the prior volumes"]
    d = result["statistics"]["dimensionality"]
    if d["mean"] < 2 * d["std"]:
        lines.append("d is compatible with none: the sets constrain no parameter in common, and p and sigma say little")
    if result["undefined"]:
        lines.append(f"p and sigma without the {result['undefined']:.1%} of the draws that have d below zero")
    for label, run in result["runs"].items():
        if not run["converged"]:
            lines.append(f"{labels[label]} has NOT converged: {run['converged_reason']}")
    return lines


def _number(moments: Mapping[str, float | None]) -> str:
    mean, std = moments["mean"], moments["std"]
    if mean is None or std is None:
        return "undefined"
    return f"{mean:.3f} +- {std:.3f}" if std >= 0.001 else f"{mean:.2g} +- {std:.2g}"
