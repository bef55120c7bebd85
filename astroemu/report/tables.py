"""Text tables of results, as the command line prints them and as run folders store them.

There is one function per kind of result: a run, several runs together, Bayes factors, tension, calibration, posterior
check, validation, inspection, refinement, repetition, profile and benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from astroemu.analysis.bayes_factor import JEFFREYS, bayes_factors
from astroemu.inference.run_folder import RunFolder
from astroemu.model.benchmark import Peak, Timing
from astroemu.sampling.samples import Samples
from astroemu.validation.accuracy import ERROR_QUANTILES
from astroemu.validation.posterior_check import DIFFERENCE_QUANTILES
from astroemu.validation.ranks import CREDIBLE_LEVELS
from astroemu.validation.sbc import LEAST_P

_INTERVALS = (("q16", "q84"), ("hpd68_low", "hpd68_high"), ("q025", "q975"))


def text_table(summary: Mapping[str, Any]) -> str:
    """Return the table of one run: parameters, derived numbers in brackets, evidence, convergence and cost.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json``.
    """
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
            f"{outside['fraction_outside']:.2%} of the evaluations were outside an emulator's range, "
            f"{outside['not_finite']} had no finite likelihood"
        )
    return "\n".join(lines) + "\n"


def _decimals(std: float) -> int:
    """Return the number of decimals for two digits of a standard deviation; at least four."""
    return min(max(4, 1 - math.floor(math.log10(std))), 12) if 0 < std < math.inf else 4


def comparison_table(runs: Mapping[str, tuple[Samples, Mapping[str, Any]]]) -> str:
    """Return the posteriors of several runs, grouped by parameter.

    The last column is the difference of the mean from that of the first run, in standard deviations of the first run.

    Parameters
    ----------
    runs : mapping of label to (Samples, mapping)
        Samples and summary of each run.
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
                lines.append(f"{start}  not in this run")
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


_RUN = {"log_evidence": "ln Z", "d_kl": "D", "mean_log_likelihood": "<ln L>", "dimensionality": "d"}
_BETWEEN = {
    "log_r": ("ln R", "evidence ratio: positive if the data agree (wider priors increase it)"),
    "information": ("I", "the part of ln R that depends on the priors"),
    "log_s": ("ln S", "suspiciousness, ln R - I: negative if the data disagree"),
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
    if mean is None or std is None:
        return "undefined"
    return f"{mean:.3f} +- {std:.3f}" if std >= 0.001 else f"{mean:.2g} +- {std:.2g}"


def calibration_table(found: Mapping[str, Any]) -> str:
    """Return the table of a calibration, see :func:`astroemu.validation.sbc.verdict`."""
    head = "".join(f"{'in ' + str(round(100 * level)) + ' %':>16}" for level in CREDIBLE_LEVELS)
    lines = [f"{'quantity':<20}{'p':>8}{'corrected':>11}{head}"]
    for name, row in found["quantities"].items():
        cells = "".join(
            f"{100 * c['found']:>6.1f} ({100 * c['low']:.0f}-{100 * c['high']:.0f})".rjust(16)
            for c in row["coverage"].values()
        )
        lines.append(f"{name:<20}{row['p_value']:>8.3f}{row['corrected']:>11.3f}{cells}")
    mean = "".join(f"{100 * share:>6.1f}".ljust(14).rjust(16) for share in found["coverage"].values())
    lines.append(f"{'mean of parameters':<39}{mean}")
    joint = ", ".join(f"{100 * float(k):.0f} %: {100 * c['found']:.1f} %" for k, c in found["joint"].items())
    lines.append(f"truth in the densest region of the posterior: {joint}")
    lines.append(
        f"{found['fits']} fits, {found['unconverged']} unconverged, {found['fewer_effective_samples']} with fewer "
        f"effective samples than the {found['draws']} draws; median {found['median_cpu_seconds']:.1f} s of CPU, "
        f"{found['median_n_likelihood']:.0f} likelihoods, {found['median_ess']:.0f} effective samples"
    )
    for key, count in found["unlikely_truths"].items():
        lines.append(f"{count} truths: the data of {key!r} are a rare fluctuation (docs/calibration.md)")
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
        return "\n".join(lines)
    word = "uniform: calibrated" if found["passed"] else "NOT uniform: not calibrated"
    lines.append(f"ranks {word} (smallest corrected p-value {found['p_value']:.3f}, at least {LEAST_P:g} is needed)")
    return "\n".join(lines)


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
    return "\n".join(lines)


def validation_table(found: Mapping[str, Any]) -> str:
    """Return the table of a validation, see :func:`astroemu.validation.accuracy.validate`."""
    lines = [f"{'':<24} {'error':<11}" + "".join(f"{level:>12}" for level in ERROR_QUANTILES)]
    for name, row in found["observables"].items():
        lines.extend(
            _line(name, kind, {level: row[f"{kind}_{level}"] for level in ERROR_QUANTILES})
            for kind in ("absolute", "fractional", "stated")
            if f"{kind}_median" in row
        )
        if "within_1" in row:
            shares = ", ".join(f"{row[f'within_{n}']:.1%} within {n}" for n in (1, 2, 3))
            lines.append(f"{name:<24} of its stated error: {shares}")
    for name, row in found.get("probes", {}).items():
        lines.append(_line(name, "|delta lnL|", row["delta_log_likelihood"]))
        if any(row["not_finite"].values()):
            lines.append(f"{name:<24} points without a log-likelihood: {row['not_finite']}")
        if "data_sigma" in row:
            lines.append(_line(name, "data sigma", row["data_sigma"]))
    return "\n".join(lines)


def _line(name: str, kind: str, values: Mapping[str, float]) -> str:
    return f"{name:<24} {kind:<11}" + "".join(f"{values[level]:12.3e}" for level in ERROR_QUANTILES)


def inspection_table(found: Mapping[str, Any]) -> str:
    """Return the table of an inspection of a training set, see :mod:`astroemu.emulation.inspection`."""
    lines = [f"{found['points']} points", "", f"{'parameter':18s}{'low':>12s}{'high':>12s}{'coverage':>10s}"]
    for name, p in found["parameters"].items():
        lines.append(f"{name:18s}{_rounded(p['low'])}{_rounded(p['high'])}{p['coverage']:10.0%}")
    if found["pairs"]["names"]:
        share = f"{found['pairs']['coverage']:.0%}"
        lines.append(f"{' and '.join(found['pairs']['names'])}: {share} of the plane is covered")
    counted = f"{'outputs':>9s}{'NaN':>8s}{'inf':>8s}{'negative':>10s}"
    lines += ["", f"{'observable':18s}{'min':>12s}{'max':>12s}{counted}  farthest from smooth"]
    for name, o in found["observables"].items():
        counts = f"{o['outputs']:9d}{o['nan_points']:8d}{o['infinite_points']:8d}{o['negative_points']:10d}"
        rows = ", ".join(f"row {row}: {score:.1f}" for row, score in list(o["farthest"].items())[:2])
        lines.append(f"{name:18s}{_rounded(o['min'])}{_rounded(o['max'])}{counts}  {rows}")
    return "\n".join([*lines, "", *(found["remarks"] or ["Nothing to remark on."])])


def _rounded(value: float | None) -> str:
    return f"{'none':>12s}" if value is None else f"{value:12.4g}"


def refinement_table(found: Mapping[str, Any]) -> str:
    """Return the table of a refinement, see :class:`astroemu.validation.refinement.Refinement`."""
    lines = [f"{'parameter':<20}{'before':>22}{'after':>22}{'shift':>10}"]
    for name, row in found["parameters"].items():
        a, b = (f"{row[k]['mean']:.4g} +- {row[k]['std']:.2g}" for k in ("before", "after"))
        lines.append(f"{name:<20}{a:>22}{b:>22}{row['shift']:>9.2f}s")
    for when, share in found["efficiency"].items():
        if share is not None:
            lines.append(f"effective fraction of the samples under the true simulator, {when}: {share:.1%}")
    lines.append(f"points: {found['points']['added']} added, {found['points']['all']} in all")
    return "\n".join(lines)


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
        lines.append(f"  {other}: {factor}{word}")
    if jeffreys:
        edges = ", ".join(f"{word} from {edge:g}" for edge, word in JEFFREYS[1:])
        lines.append(f"  (Jeffreys 1961 as calibrated by Trotta 2008, arXiv:0803.4089: abs(ln B) {edges})")
    return "\n".join(lines)


def profile_table(summary: dict[str, Any]) -> str:
    """Return the table of the time of each part of a model, from a summary with a profile."""
    profile = summary["profile"]
    rows = [("sampler", profile["sampler_seconds"], ""), ("likelihood", profile["likelihood_seconds"], "")]
    rows += [(f"  {name}", part["seconds"], f"{part['calls']:,}") for name, part in profile["components"].items()]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{'time by component':{width}}  {'seconds':>9}  {'calls':>10}"]
    return "\n".join(lines + [f"{name:{width}}  {seconds:9.2f}  {calls:>10}" for name, seconds, calls in rows])


def benchmark_table(peak: Peak, rows: Sequence[Timing]) -> list[str]:
    """Return the lines of the table of a benchmark.

    Parameters
    ----------
    peak : Peak
        Measured speed of matrix products.
    rows : sequence of Timing
        One per engine and batch size.
    """
    lines = [f"matrix products here: {1e-9 * peak.single:.0f} GFLOP/s in float32, {1e-9 * peak.double:.0f} in float64"]
    lines.append(
        f"{'engine':16s} {'batch':>8s} {'us per point':>13s} {'points per s':>13s} {'GFLOP/s':>8s} {'of sgemm':>9s} "
        f"{'of peak':>8s} {'kB per point':>13s} {'compiled in':>12s}"
    )
    for row in rows:
        lines.append(
            f"{row.engine:16s} {row.batch:8d} {row.microseconds:13.2f} {1e6 / row.microseconds:13,.0f} "
            f"{row.gflops:8.1f} {_percent(row.of_sgemm):>9s} {_percent(row.of_peak):>8s} "
            f"{1e-3 * row.bytes_moved:13.1f} " + (f"{row.compile_seconds:10.2f} s" if row.compile_seconds else "")
        )
    return [line.rstrip() for line in lines]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == share else "-"
