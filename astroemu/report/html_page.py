"""One self-contained HTML file for one run or several; it can be read without a network.

Figures and styles are stored in the file. It contains no scripts.
"""

from __future__ import annotations

import base64
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.analysis.bayes_factor import bayes_factors
from astroemu.core.parameter import Parameter
from astroemu.errors import AstroemuError, ConfigurationError, ReportWarning
from astroemu.inference.bibliography import bibtex
from astroemu.inference.reuse import model_of
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import POSTERIOR_DRAWS
from astroemu.io.files import new_file, write_text
from astroemu.io.terminal import visible
from astroemu.io.toml import parse_toml
from astroemu.model.model import Model
from astroemu.report.comparison import draw_corners, draw_evidence
from astroemu.report.digits import INTERVALS, Digits, constant, with_error
from astroemu.report.observables import draw_observables
from astroemu.report.run_report import predictive_file, write_report
from astroemu.report.style import drawn, formula, settable
from astroemu.report.tables import bayes_table, comparison_table, likelihoods, rejected_points, undefined_draws
from astroemu.report.trace import draw_trace
from astroemu.runtime.provenance import provenance, without_host

_STYLE = """
:root { --ink: #1c2733; --soft: #5b6b7a; --line: #d9e0e6; --paper: #ffffff; --back: #f4f6f8; --main: #1f5a8a;
        --bad: #b3330a; --good: #1d7a46; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { background: var(--main); color: white; padding: 2rem max(1.5rem, calc((100% - 1400px) / 2)); }
header h1 { margin: 0 0 .3rem; font-size: 1.6rem; }
header p { margin: 0; opacity: .85; }
nav { background: var(--paper); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1;
      padding: .5rem max(1.5rem, calc((100% - 1400px) / 2)); }
nav a { color: var(--main); text-decoration: none; margin-right: 1.2rem; white-space: nowrap; }
footer { max-width: 1400px; margin: 0 auto; padding: 0 1.5rem 2rem; color: var(--soft); font-size: .82rem; }
main { max-width: 1400px; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1.2rem 1.5rem;
          margin: 1.2rem 0; overflow-x: auto; scroll-margin-top: 3rem; }
h2 { font-size: 1.2rem; margin: 0 0 .8rem; } h3 { font-size: 1rem; color: var(--soft); }
img.picture { max-width: 100%; height: auto; display: block; margin: .5rem auto; }
td img { vertical-align: -.3em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th { text-align: right; color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
td { text-align: right; white-space: nowrap; }
/* Only numbers stay in one line: all columns fit a narrow window. */
th, td:first-child { white-space: normal; overflow-wrap: anywhere; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--back); padding: .8rem; border-radius: 6px; font-size: .82rem; overflow-x: auto; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""


def write_page(runs: Sequence[RunFolder], path: str | Path) -> Path:
    """Write one self-contained HTML file of finished runs and return its path.

    Parameters
    ----------
    runs : sequence of RunFolder
        With more than one, the page begins with a comparison.
    path : str or Path

    Raises
    ------
    DataError
        If the file exists already.
    ConfigurationError
        If no run is given, or one is given twice.
    """
    labels = [str(run.path) for run in runs]
    if not runs or len(set(labels)) < len(labels):
        raise ConfigurationError("a report needs run folders, each once")
    target = new_file(path)
    models = {label: model_of(run) for label, run in zip(labels, runs, strict=True)}
    sections: list[tuple[str, str]] = []
    if len(runs) > 1:
        sections += _together(dict(zip(labels, runs, strict=True)), models)
    for label, run in zip(labels, runs, strict=True):
        prefix = f"{label}: " if len(runs) > 1 else ""
        sections += [(prefix + title, body) for title, body in _one(run, models[label])]
    title = runs[0].summary()["title"] or labels[0]
    page = html_page(title if len(runs) == 1 else f"{len(runs)} runs", ", ".join(labels), sections)
    write_text(target, page)
    return target


def html_page(title: str, subtitle: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return a complete page.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of (str, str)
        Heading and HTML of each section.
    """
    targets: dict[str, int] = {}  # with several runs, one link per run
    for i, (name, _) in enumerate(sections):
        targets.setdefault(name.partition(": ")[0], i)
    links = "".join(f'<a href="#s{i}">{shown(name)}</a>' for name, i in targets.items())
    bodies = "".join(
        f'<section id="s{i}"><h2>{shown(name)}</h2>{body}</section>' for i, (name, body) in enumerate(sections)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{shown(title)}</title>'
        f"<style>{_STYLE}</style></head><body><header><h1>{shown(title)}</h1><p>{shown(subtitle)}</p></header>"
        f"<nav>{links}</nav><main>{bodies}</main><footer>{_block(provenance())}</footer></body></html>\n"
    )


def _together(runs: Mapping[str, RunFolder], models: Mapping[str, Model]) -> list[tuple[str, str]]:
    """Return the sections that compare runs."""
    samples = {label: run.samples() for label, run in runs.items()}
    summaries = {label: run.summary() for label, run in runs.items()}
    text = comparison_table({label: (samples[label], summaries[label]) for label in runs})
    sections = [("Compared", f"<pre>{shown(text)}</pre>")]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        priors = {label: model.prior for label, model in models.items()}
        if drawn(draw_corners, samples, priors, path=picture):
            sections.append(("Posteriors together", embedded(picture, "Overlaid marginals, 68 and 95 %")))
        if factors := bayes_table(runs, jeffreys=True):
            body = f"<pre>{shown(factors)}</pre>"
            reference, against = bayes_factors(runs)
            alike = [reference, *(label for label, factor in against.items() if factor.log_b is not None)]
            if len(alike) > 1:
                evidences = {k: (summaries[k]["log_evidence"], summaries[k]["log_evidence_err"]) for k in alike}
                if drawn(draw_evidence, evidences, path=picture):
                    body = embedded(picture, "ln Z by run") + body
            sections.append(("Evidences", body))
    return sections


def _one(run: RunFolder, model: Model) -> list[tuple[str, str]]:
    """Return the sections of one run."""
    samples, summary = run.samples(), run.summary()
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(summary["seed"]))
    missing: list[str] = []
    with _warnings_collected(missing):
        written = write_report(run, model)
        corner, trace, sky = (run.path / f"{name}.png" for name in ("corner", "trace", "observables"))
        written += [trace] if drawn(draw_trace, samples, model.prior, path=trace) else []
        written += [sky] if drawn(draw_observables, model, theta, path=sky) else []
    panels = [(name, predictive_file(run, name)) for name in model.probes]
    data = [f"<h3>{shown(name)}</h3>{embedded(path, name)}" for name, path in panels if path in written]
    bodies = {
        "Result": _result(summary, model) + "".join(f"<p>{shown(line)}</p>" for line in missing),
        "Posterior": embedded(corner, "Marginals, 68 and 95 % regions") if corner in written else "",
        "Data and model": "".join(data),
        "Sky": embedded(sky, "Observables over the posterior") if sky in written else "",
        "Convergence": _convergence(summary) + (embedded(trace, "Trace") if trace in written else ""),
        "Provenance": _provenance(run, summary),
    }
    return [(title, body) for title, body in bodies.items() if body]


@contextmanager
def _warnings_collected(messages: list[str]) -> Iterator[None]:
    """Context manager that adds the messages of warnings about the report to a list, and issues them as well."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, ReportWarning):
            messages.append(str(warning.message))
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _result(summary: Mapping[str, Any], model: Model) -> str:
    heads = ("", "mean", "std", "median", *INTERVALS)
    derived = summary.get("derived", {})
    rows = [_row(_symbol(model.prior[name]), numbers) for name, numbers in summary["parameters"].items()]
    rows += [_row(f"<code>{shown(name)}</code> <small>(derived)</small>", n) for name, n in derived.items()]
    facts = {"ln L at the best sample": likelihoods(summary)}
    if summary["log_evidence"] is not None:
        facts["ln Z"] = with_error(summary["log_evidence"], summary["log_evidence_err"]).replace("+-", "±")
    head = "".join(f"<th>{text}</th>" for text in heads)
    notes = [note for name, row in {**summary["parameters"], **derived}.items() if (note := undefined_draws(name, row))]
    notes += summary.get("remarks", [])
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"{''.join(f'<p>{shown(note)}</p>' for note in notes)}<br>{_facts(facts)}"
    )


def _row(label: str, p: Mapping[str, float]) -> str:
    if p.get("constant"):
        return f'<tr><td>{label}</td><td class="text" colspan="6">{constant(p)} (fixed by the inputs)</td></tr>'
    digits = Digits.of_row(p)
    cells = [digits(p[key]) for key in ("mean", "std", "median")]
    cells += [digits.interval(p.get(low), p.get(high)) for low, high in INTERVALS.values()]
    return f"<tr><td>{label}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _symbol(parameter: Parameter) -> str:
    """Return the name of a parameter as HTML, with its symbol as an image if mathtext can draw it."""
    unit = f" <small>[{shown(parameter.unit)}]</small>" if parameter.unit else ""
    name = f"<code>{shown(parameter.name)}</code>{unit}"
    try:
        if not parameter.latex or not settable(parameter.latex):
            return name
        data = base64.b64encode(formula(parameter.latex)).decode()
    except Exception:  # as for a picture: the name is there
        return name
    return f'<img alt="{shown(parameter.latex)}" src="data:image/svg+xml;base64,{data}"> {name}'


def _convergence(summary: Mapping[str, Any]) -> str:
    good = summary["converged"]
    verdict = '<span class="good">converged</span>' if good else '<span class="bad">NOT converged</span>'
    facts = {
        "sampler": f"{summary['sampler']}, seed {summary['seed']}",
        "cost": f"{summary['n_likelihood']:,} likelihoods in {summary['wall_seconds']:.1f} s",
        "effective samples": f"{summary['ess']:.0f}",
    }
    rejected = "".join(f"<p>{shown(line)}</p>" for line in rejected_points(summary["evaluations"]))
    return f"<p>{verdict}: {shown(summary['converged_reason'])}</p>{_facts(facts)}{rejected}"


def _provenance(run: RunFolder, summary: Mapping[str, Any]) -> str:
    block = summary.get("provenance") or {"versions": summary["versions"]}
    inputs = "".join(
        f'<tr><td>{shown(name)}</td><td class="text"><code>{shown(digest)}</code></td></tr>'
        for name, digest in summary["inputs"].items()
    )
    try:
        entries = bibtex(run.configuration(), summary["sampler"])
    except AstroemuError as error:
        entries = str(error)
    written = run.configuration().text
    return (
        f"{_block(block)}<h3>SHA-256 of the inputs</h3><table>{inputs}</table>"
        f"<h3>Configuration, as written</h3><pre>{shown(written)}</pre>{_overrides(run, written)}"
        f"<h3>BibTeX</h3><pre>{shown(entries)}</pre>"
    )


def _block(block: Mapping[str, Any]) -> str:
    """Return a provenance block as HTML, without its inputs, which have their own table."""
    facts = {key: value for key, value in without_host(block).items() if key not in ("versions", "inputs")}
    versions = block.get("versions")
    return _facts({**facts, **(versions if isinstance(versions, Mapping) else {})})


def _overrides(run: RunFolder, written: str) -> str:
    """Return the changes of the configuration by command-line options, as HTML."""
    changed = sorted(_changes(parse_toml(written, run.configuration_file), run.resolved()["configuration"]))
    return f"<h3>Changed by the command line</h3><pre>{shown(chr(10).join(changed))}</pre>" if changed else ""


def _changes(before: Any, after: Any, key: str = "") -> Iterable[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in {*before, *after}:
            yield from _changes(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif before != after:
        yield f"{key}: {before!r} -> {after!r}"


def shown(text: object) -> str:
    """Return a text as HTML that shows it as it is: markup and characters that control a terminal have no effect."""
    return escape(visible(str(text)))


def _facts(facts: Mapping[str, Any]) -> str:
    return f"<dl>{''.join(f'<dt>{shown(k)}</dt><dd>{shown(v)}</dd>' for k, v in facts.items())}</dl>"


def embedded(path: Path, text: str) -> str:
    """Return an HTML image that contains the data of a PNG file; ``text`` is its alternative text."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img class="picture" alt="{shown(text)}" src="data:image/png;base64,{data}">'
