"""How objects show themselves in a notebook: a small table in HTML.

Every text is escaped. There are no scripts, classes or style sheets, so nothing else on the page changes. A failure
becomes a text: to look at an object never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from html import escape
from itertools import islice
from typing import Any, TypeVar

from astroemu.core.observable import Observable
from astroemu.core.prior import Prior
from astroemu.emulation.emulator import Emulator
from astroemu.inference.run_folder import RunFolder
from astroemu.io.terminal import visible_line
from astroemu.model.model import Model
from astroemu.report.digits import INTERVALS, Digits, constant, with_error
from astroemu.report.prior_words import prior_words
from astroemu.sampling.samples import Samples

_T = TypeVar("_T")
#: Most rows of a table, and most characters of a text.
_ROWS, _LONGEST = 40, 300


def _guarded(draw: Callable[[_T], str]) -> Callable[[_T], str]:
    @wraps(draw)
    def html(thing: _T) -> str:
        try:
            return draw(thing)
        except Exception as error:
            return _line(type(thing).__name__, f"cannot be shown: {type(error).__name__}: {error}")

    return html


@_guarded
def prior_html(prior: Prior) -> str:
    """Return a table of the parameters of a prior."""
    return _line("Prior", f"{len(prior.free)} free parameters") + _priors(prior)


@_guarded
def model_html(model: Model) -> str:
    """Return the probes, the providers and the parameters of a model."""
    probes = [
        (name, type(probe).__name__, ", ".join(p.name for p in probe.parameters))
        for name, probe in model.probes.items()
    ]
    providers = [(name, type(one).__name__, ", ".join(one.provides)) for name, one in model.providers.items()]
    return (
        _line(f"Model {model.name}", f"{len(probes)} probes, {len(model.names)} free parameters")
        + _table(("probe", "class", "nuisance parameters"), probes)
        + _table(("provider", "class", "observables"), providers)
        + _priors(model.prior)
    )


@_guarded
def samples_html(samples: Samples) -> str:
    """Return a table of the statistics of samples, with their evidence and convergence."""
    facts = f"{len(samples):,} of {samples.sampler}, {samples.ess:.0f} effective, {samples.n_likelihood:,} likelihoods"
    verdict = f"{'converged' if samples.converged else 'NOT converged'}: {samples.reason}"
    return (
        _line("Samples", facts)
        + _statistics(samples.table(), samples.prior)
        + _facts(samples.log_evidence, samples.log_evidence_err, verdict)
    )


@_guarded
def run_html(run: RunFolder) -> str:
    """Return the results of a run folder, or its state if it is not finished."""
    if not run.finished:
        return _line("Run", f"{run.path}: {run.state}")
    summary = run.summary()
    derived = {f"{name} (derived)": row for name, row in summary.get("derived", {}).items()}
    verdict = f"{'converged' if summary['converged'] else 'NOT converged'}: {summary['converged_reason']}"
    return (
        _line("Run", f"{run.path}: {summary['title'] or 'no title'}, {summary['sampler']}, seed {summary['seed']}")
        + _statistics({**summary["parameters"], **derived})
        + _facts(summary["log_evidence"], summary["log_evidence_err"], verdict)
    )


@_guarded
def emulator_html(emulator: Emulator) -> str:
    """Return the training box, the observables and the origin of an emulator."""
    name = str(emulator.provenance.get("name", ""))
    box = [(key, f"{low:.6g} to {high:.6g}") for key, (low, high) in emulator.bounds.items()]
    observables = [(key, _grid(observable), observable.unit) for key, observable in emulator.provides.items()]
    return (
        _line(f"Emulator {name}".strip(), f"{emulator.kind}; {emulator.citation}".rstrip("; "))
        + _table(("parameter", "training range"), box)
        + _table(("observable", "grid", "unit"), observables)
    )


def _grid(observable: Observable) -> str:
    axes = [
        f"{axis.name}: {len(axis.values)} from {axis.values[0]:.4g} to {axis.values[-1]:.4g}"
        for axis in observable.axes
    ]
    return ", ".join(axes) or "one number"


def _priors(prior: Prior) -> str:
    rows = [(p.name, prior_words(prior, p.name)) for p in prior.parameters]
    return _table(("parameter", "prior"), rows)


def _statistics(rows: Mapping[str, Mapping[str, Any]], prior: Prior | None = None) -> str:
    units = {p.name: p.unit for p in prior.parameters} if prior is not None else {}
    cells = [(f"{name} [{units[name]}]" if units.get(name) else name, *_numbers(row)) for name, row in rows.items()]
    return _table(("parameter", "mean", "std", "median", "68 % interval"), cells)


def _numbers(row: Mapping[str, Any]) -> Sequence[str]:
    if row.get("constant"):
        return (constant(row), "fixed by the inputs")
    digits = Digits.of_row(row)
    low, high = INTERVALS["68 % interval"]
    return (*(digits(row[key]) for key in ("mean", "std", "median")), digits.interval(row.get(low), row.get(high)))


def _facts(log_evidence: Any, error: Any, verdict: str) -> str:
    return ("" if log_evidence is None else _line("ln Z", with_error(log_evidence, error))) + _line("Run", verdict)


def _line(what: str, text: str) -> str:
    return f"<div><b>{_shown(what)}</b> {_shown(text)}</div>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; none if there are no rows."""
    rows = list(rows)
    if not rows:
        return ""
    lines = ["".join(f"<th>{_shown(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{_shown(cell)}</td>" for cell in row) for row in islice(rows, _ROWS)]
    more = len(rows) - _ROWS
    table = "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
    return table + (_line("", f"and {more} more") if more > 0 else "")


def _shown(text: str) -> str:
    text = visible_line(text)
    # A dollar sign would begin a formula in a notebook.
    return escape(text if len(text) <= _LONGEST else text[:_LONGEST] + " ...").replace("$", "&#36;<span></span>")
