"""Text tables of results, as the command line prints them and as run folders store them.

There is one function per kind of result: a run, several runs together, Bayes factors, tension, calibration, posterior
check, repetition and profile. Those of emulators are in :mod:`astroemu.report.emulator_tables`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

from astroemu.analysis.bayes_factor import JEFFREYS, bayes_factors
from astroemu.inference.run_folder import RunFolder
from astroemu.io.terminal import visible, visible_line
from astroemu.report.columns import WIDTH, columns, wrapped
from astroemu.report.digits import INTERVALS, UNDEFINED, Digits, constant, with_error
from astroemu.sampling.samples import Samples
from astroemu.validation.posterior_check import DIFFERENCE_QUANTILES
from astroemu.validation.ranks import CREDIBLE_LEVELS
from astroemu.validation.verdict import LEAST_P, TELLING_FITS


def text_table(summary: Mapping[str, Any], width: int = WIDTH) -> str:
    """Return the table of one run: parameters, derived numbers, evidence, convergence and cost.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    width : int
        Largest length of a line.
    """
    named = {**summary["parameters"], **{f"{k} (derived)": p for k, p in summary.get("derived", {}).items()}}
    rows = {visible_line(name): row for name, row in named.items()}
    lines = [visible_line(summary["title"] or "Run"), ""]
    lines += columns(("parameter", "mean", "std", "median", *INTERVALS), list(starmap(_cells, rows.items())), width)
    lines.append("")
    facts = [note for name, p in rows.items() if (note := undefined_draws(name, p))]
    facts.append(f"ln L at the best sample: {likelihoods(summary)}")
    if summary["log_evidence"] is not None:
        facts.append(f"ln Z = {with_error(summary['log_evidence'], summary['log_evidence_err'])}")
    facts.append(
        f"{summary['sampler']}, seed {summary['seed']}: {summary['n_likelihood']:,} likelihoods in "
        f"{summary['wall_seconds']:.1f} s, {summary['ess']:.0f} effective samples"
    )
    verdict = "converged" if summary["converged"] else "NOT converged"
    facts.append(f"{verdict}: {summary['converged_reason']}")
    facts += rejected_points(summary["evaluations"])
    facts += summary.get("remarks", [])
    return "\n".join(lines + [wrapped(visible_line(fact), width) for fact in facts]) + "\n"


def _cells(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    if row.get("constant"):
        return name, f"{constant(row)} (fixed by the inputs)"
    digits = Digits.of_row(row)
    numbers = (digits(row[key]) for key in ("mean", "std", "median"))
    return name, *numbers, *(digits.interval(row.get(low), row.get(high)) for low, high in INTERVALS.values())


def likelihoods(summary: Mapping[str, Any]) -> str:
    """Return the log-likelihood of each probe at the best sample, as text."""
    best = summary["best_log_likelihood"]
    return ", ".join(f"{name} {Digits.of([value, 1.0], 0.1)(value)}" for name, value in best.items()) or UNDEFINED


def undefined_draws(name: str, row: Mapping[str, Any]) -> str:
    """Return a sentence on the draws at which a number is undefined or infinite; empty if there are none."""
    draws, undefined, infinite = row.get("draws", 0), row.get("undefined", 0), row.get("infinite", 0)
    parts = [f"over {draws - undefined:,} of {draws:,} draws, undefined at the others"] if undefined else []
    parts += [f"infinite at {infinite:,} of {draws:,} draws"] if infinite else []
    return f"{name}: {'; '.join(parts)}" if parts else ""


def rejected_points(evaluations: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each kind of points that had no likelihood, with its number, share and cause."""
    whole = max(evaluations.get("evaluated", 0), 1)
    blamed = ", ".join(f"{name} {number:,}" for name, number in evaluations.get("not_finite_by_probe", {}).items())
    kinds = {
        "outside_emulator_range": "outside an emulator's range",
        "not_finite": f"without a finite likelihood{f' ({blamed})' if blamed else ''}",
    }
    return [
        f"{evaluations[key]:,} of {whole:,} evaluations ({evaluations[key] / whole:.2%}) were {words}"
        for key, words in kinds.items()
        if evaluations[key]
    ]


def comparison_table(runs: Mapping[str, tuple[Samples, Mapping[str, Any]]], width: int = WIDTH) -> str:
    """Return the posteriors of several runs, grouped by parameter.

    The last column is the difference of the mean from that of the first run, in standard deviations of the first run.

    Parameters
    ----------
    runs : mapping of label to (Samples, mapping)
        Samples and summary of each run.
    width : int
        Largest length of a sentence below the table.
    """
    tables = {label: samples.table() | dict(run.get("derived", {})) for label, (samples, run) in runs.items()}
    first = next(iter(tables.values()))
    names = dict.fromkeys(name for table in tables.values() for name in table)
    cells = {
        (name, label): _compared(table.get(name), run.get("fixed", {}).get(name), first.get(name) if i else None)
        for name in names
        for i, (label, table, (_, run)) in enumerate(zip(tables, tables.values(), runs.values(), strict=True))
    }
    shown = {label: visible_line(label) for label in runs}
    size = max(map(len, shown.values()))
    sizes = [max((len(row[j]) for row in cells.values() if len(row) > 1), default=0) for j in (0, 1)]
    lines = [f"{'':<{size}}    {'mean +- std':<{sizes[0]}}  shortest 68 %"]
    for name in names:
        lines.append(visible_line(name))
        for label in runs:
            text = "  ".join(f"{cell:<{size}}" for cell, size in zip(cells[name, label], [*sizes, 0], strict=False))
            lines.append(f"  {shown[label]:<{size}}  {text}".rstrip())
    for label, (_, run) in runs.items():
        evidence = run["log_evidence"]
        ln_z = "" if evidence is None else f", ln Z = {with_error(evidence, run['log_evidence_err'])}"
        sentence = (
            f"{shown[label]}: {run['sampler']}, seed {run['seed']}, {run['n_likelihood']:,} likelihoods in "
            f"{run['wall_seconds']:.1f} s, {run['ess']:.0f} effective samples, "
            f"{'converged' if run['converged'] else 'NOT converged'}{ln_z}"
        )
        lines.append(wrapped(sentence, width))
    return "\n".join(lines)


def _compared(row: Mapping[str, Any] | None, fixed: float | None, first: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the cells of one parameter of a run: mean and std, shortest interval, difference from the first run."""
    if row is None:
        return ("not in this run" if fixed is None else f"fixed at {fixed:.6g}",)
    if row.get("constant"):
        return (f"{constant(row)} (fixed by the inputs)",)
    digits = Digits.of_row(row)
    values = f"{digits(row['mean'])} +- {digits(row['std'])}"
    return values, digits.interval(row.get("hpd68_low"), row.get("hpd68_high")), _shift(row, first or {})


def _shift(row: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    mean, std = first.get("mean"), first.get("std")
    if None in (mean, std, row["mean"]) or not std or first.get("constant"):
        return ""
    shift = (row["mean"] - mean) / std
    return f"{shift:+.2f} std of the first run" if math.isfinite(shift) else ""


_RUN = {"log_evidence": "ln Z", "d_kl": "D", "mean_log_likelihood": "<ln L>", "dimensionality": "d"}
_BETWEEN = {
    "log_r": ("ln R", "evidence ratio: agreement where positive (wider priors increase it)"),
    "information": ("I", "the part of ln R that depends on the priors"),
    "log_s": ("ln S", "suspiciousness, ln R - I: agreement where positive, tension where negative"),
    "dimensionality": ("d", "number of parameters constrained in common"),
    "p": ("p", "probability of a tension at least this large"),
    "sigma": ("sigma", "the same in standard deviations of a Gaussian"),
}


def tension_table(result: Mapping[str, Any]) -> str:
    """Return the table of a result of :func:`astroemu.analysis.tension.tension`."""
    labels = {label: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i + 1] or str(i) for i, label in enumerate(result["runs"])}
    *alone, joint = labels
    labels[joint] = "all"
    lines = [result["title"] or "Tension", ""]
    lines += [f"{labels[label]}: {label.replace('+', ' + ')}" for label in alone]
    if result["left_out"]:
        lines.append(f"left out: {', '.join(result['left_out'])}")
    rows = [(labels[label], *(_number(run[key]) for key in _RUN)) for label, run in result["runs"].items()]
    lines += ["", *columns(("run", *_RUN.values()), rows), ""]
    for key, (symbol, meaning) in _BETWEEN.items():
        moments = result["statistics"][key]
        # A probability that is one in every draw, as for d near zero, measures nothing.
        number = UNDEFINED if key in ("p", "sigma") and moments["std"] == 0 else _number(moments)
        lines.append(wrapped(f"{symbol:<6}{number:>21}   {meaning}", WIDTH, 30))
    lines += ["", *(wrapped(remark) for remark in _remarks(result, labels))]
    return "\n".join(lines) + "\n"


def _remarks(result: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    lines = [f"{result['sampler']}, seed {result['seed']}; errors from {result['draws']} draws of the prior volumes"]
    d = result["statistics"]["dimensionality"]
    if d["mean"] < 2 * d["std"]:
        lines.append(
            "d is compatible with zero: no parameter is constrained in common, so p and sigma have little meaning"
        )
    if result["undefined"]:
        lines.append(f"p and sigma leave out the {result['undefined']:.1%} of the draws with d below zero")
    for label, run in result["runs"].items():
        if not run["converged"]:
            lines.append(f"{labels[label]} has NOT converged: {run['converged_reason']}")
    return lines


def _number(moments: Mapping[str, float | None]) -> str:
    mean, std = moments["mean"], moments["std"]
    return "undefined" if mean is None or std is None else with_error(mean, std)


def calibration_table(found: Mapping[str, Any]) -> str:
    """Return the table of a calibration, see :func:`astroemu.validation.verdict.verdict`."""
    head = ("quantity", "p", "corrected", *(f"in {round(100 * level)} %" for level in CREDIBLE_LEVELS))
    rows = [
        (
            name,
            f"{row['p_value']:.3f}",
            f"{row['corrected']:.3f}",
            *(f"{100 * c['found']:.1f} ({100 * c['low']:.0f}-{100 * c['high']:.0f})" for c in row["coverage"].values()),
        )
        for name, row in found["quantities"].items()
    ]
    rows.append(("mean of parameters", "", "", *(f"{100 * share:.1f}" for share in found["coverage"].values())))
    lines = columns(head, rows)
    joint = ", ".join(f"{100 * float(k):.0f} %: {100 * c['found']:.1f} %" for k, c in found["joint"].items())
    lines.append(f"truth in the densest region of the posterior: {joint}")
    lines.append(
        f"{found['fits']} fits, {found['unconverged']} unconverged, {found['fewer_effective_samples']} with fewer "
        f"effective samples than the {found['draws']} draws; median {found['median_cpu_seconds']:.1f} s of CPU, "
        f"{found['median_n_likelihood']:.0f} likelihoods, {found['median_ess']:.0f} effective samples"
    )
    for key, count in found["unlikely_truths"].items():
        lines.append(f"{count} truths: the data of {key!r} are a rare fluctuation (docs/calibration.md)")
    if found["passed"] is None:
        lines.append(
            f"too few fits to tell: nothing speaks against the calibration (smallest corrected p-value "
            f"{found['p_value']:.3f}), but {TELLING_FITS} fits are needed to see that it is right"
        )
        return _wrapped_lines(lines)
    if found.get("truths_from_prior", 1.0) <= LEAST_P:
        share = found["weighted_joint"]["0.95"]
        lines.append(
            f"the truths are not draws from the prior (p = {found['truths_from_prior']:.1g}), so their ranks need not "
            "be uniform"
        )
        lines.append(
            f"{'calibrated' if found['passed'] else 'NOT calibrated'}: the densest 95 % of the posteriors hold "
            f"{100 * share['found']:.0f} +- {100 * share['error']:.0f} % of the truths, weighted by the probability "
            f"of such data ({share['effective']:.0f} effective)"
        )
        return _wrapped_lines(lines)
    word = "uniform: calibrated" if found["passed"] else "NOT uniform: not calibrated"
    lines.append(f"ranks {word} (smallest corrected p-value {found['p_value']:.3f}, at least {LEAST_P:g} is needed)")
    return _wrapped_lines(lines)


def _wrapped_lines(lines: Sequence[str]) -> str:
    """Return lines as one text. Those that are too long continue in further lines."""
    return "\n".join(wrapped(line) if len(line) > WIDTH else line for line in lines)


def check_table(found: Mapping[str, Any]) -> str:
    """Return the table of a posterior check, see :func:`astroemu.validation.posterior_check.compare_likelihoods`."""
    lines = [f"{'|ln L of the truth - ln L|':<34}" + "".join(f"{key:>10}" for key in DIFFERENCE_QUANTILES)]
    for name, row in found["delta_log_likelihood"].items():
        label = {"total": "all probes", "scatter": "all probes, about the mean"}.get(name, name)
        lines.append(f"{label:<34}" + "".join(f"{row[key]:>10.3g}" for key in DIFFERENCE_QUANTILES))
    lines.append(f"{'parameter':<34}{'shift of the mean':>24}")
    for name, row in found["parameters"].items():
        lines.append(f"{name:<34}{row['shift']:>13.2f} +- {row['error']:.2f} sigma")
    lines.append(f"effective fraction of the {found['n']} draws under the truth: {found['efficiency']:.0%}")
    if found["impossible"]:
        lines.append(f"{found['impossible']} of them have no finite likelihood under the truth")
    for name, row in found["far"].items():
        lines.append(
            f"distance to the training points of {name!r}: median {row['median']:.2f}, and above one for "
            f"{row['share']:.0%} of the draws (one: 95 % of the training points are this near to their neighbour)"
        )
    return _wrapped_lines(lines)


def repetition_table(found: Mapping[str, Any]) -> str:
    """Return the table of a repetition, see :func:`astroemu.analysis.rerun.rerun`."""
    lines = []
    for name, array in found["arrays"].items():
        if array["identical"]:
            text = "identical"
        elif "shape" in array:
            text = f"of the shape {array['shape'][0]} in the run, {array['shape'][1]} now"
        else:
            text = (
                f"{array['number']:,} of {array['values']:,} values differ, from row {array['first']} on, by "
                f"{array['largest']:.3g} at most"
            )
        lines.append(f"{name:<16}{text}")
    lines += [f"differs: {line}" for line in found["differs"]]
    lines.append("identical" if found["identical"] else "NOT identical")
    return "\n".join(lines)


def bayes_table(runs: Mapping[str, RunFolder], *, jeffreys: bool = False) -> str:
    """Return the table of Bayes factors of several runs; empty if there is nothing to compare.

    Parameters
    ----------
    runs : mapping of label to RunFolder
    jeffreys : bool
        If true, add the words of Jeffreys' scale.
    """
    first, factors = bayes_factors(runs)
    if not factors:
        return ""
    lines = [f"Bayes factors against {first} (positive: preferred to it)"]
    for other, factor in factors.items():
        word = f"   {factor.jeffreys()} evidence" if jeffreys and factor.log_b is not None else ""
        text = factor.why_not if factor.why_not.startswith(f"{other}: ") else f"{other}: {factor}{word}"
        lines.append(f"  {visible(text)}")
    if jeffreys:
        edges = ", ".join(f"{word} from {edge:g}" for edge, word in JEFFREYS[1:])
        lines.append(f"  (Jeffreys 1961 as calibrated by Trotta 2008, arXiv:0803.4089: abs(ln B) {edges})")
    return _wrapped_lines(lines)


def profile_table(summary: dict[str, Any]) -> str:
    """Return the table of the time of each part of a model, from a summary with a profile."""
    profile = summary["profile"]
    rows = [("sampler", profile["sampler_seconds"], ""), ("likelihood", profile["likelihood_seconds"], "")]
    rows += [(f"  {name}", part["seconds"], f"{part['calls']:,}") for name, part in profile["components"].items()]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{'time by component':{width}}  {'seconds':>9}  {'calls':>10}"]
    return "\n".join(lines + [f"{name:{width}}  {seconds:9.2f}  {calls:>10}" for name, seconds, calls in rows])
