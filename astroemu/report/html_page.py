"""One self-contained HTML file for one run or several; it can be read without a network.

Figures and styles are stored in the file. It contains no scripts.
"""

from __future__ import annotations

import base64
import io
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.analysis.bayes_factor import bayes_factors
from astroemu.core.parameter import Parameter
from astroemu.errors import AstroemuError, ConfigurationError
from astroemu.inference.bibliography import bibtex
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import POSTERIOR_DRAWS
from astroemu.io.files import new_file, write_text
from astroemu.model.model import Model
from astroemu.report.comparison import draw_corners, draw_evidence
from astroemu.report.observables import draw_observables
from astroemu.report.run_report import write_report
from astroemu.report.style import settable, style
from astroemu.report.tables import bayes_table, comparison_table
from astroemu.report.trace import draw_trace
from astroemu.runtime.provenance import provenance, without_host

_STYLE = """
:root { --ink: #1c2733; --soft: #5b6b7a; --line: #d9e0e6; --paper: #ffffff; --back: #f4f6f8; --main: #1f5a8a;
        --bad: #b3330a; --good: #1d7a46; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { background: var(--main); color: white; padding: 2rem max(1.5rem, calc((100% - 1100px) / 2)); }
header h1 { margin: 0 0 .3rem; font-size: 1.6rem; }
header p { margin: 0; opacity: .85; }
nav { background: var(--paper); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1;
      padding: .5rem max(1.5rem, calc((100% - 1100px) / 2)); }
nav a { color: var(--main); text-decoration: none; margin-right: 1.2rem; white-space: nowrap; }
footer { max-width: 1100px; margin: 0 auto; padding: 0 1.5rem 2rem; color: var(--soft); font-size: .82rem; }
main { max-width: 1100px; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1.2rem 1.5rem;
          margin: 1.2rem 0; overflow-x: auto; scroll-margin-top: 3rem; }
h2 { font-size: 1.2rem; margin: 0 0 .8rem; } h3 { font-size: 1rem; color: var(--soft); }
img.picture { max-width: 100%; height: auto; display: block; margin: .5rem auto; }
td img { vertical-align: -.3em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th { text-align: right; color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
td { text-align: right; white-space: nowrap; }
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
    models = {label: run.configuration().model() for label, run in zip(labels, runs, strict=True)}
    sections: list[tuple[str, str]] = []
    if len(runs) > 1:
        sections += _together(dict(zip(labels, runs, strict=True)), models[labels[0]])
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
    shown: dict[str, int] = {}  # with several runs, one link per run
    for i, (name, _) in enumerate(sections):
        shown.setdefault(name.partition(": ")[0], i)
    links = "".join(f'<a href="#s{i}">{escape(name)}</a>' for name, i in shown.items())
    bodies = "".join(
        f'<section id="s{i}"><h2>{escape(name)}</h2>{body}</section>' for i, (name, body) in enumerate(sections)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>"
        f"<nav>{links}</nav><main>{bodies}</main><footer>{_block(provenance())}</footer></body></html>\n"
    )


def _together(runs: Mapping[str, RunFolder], first: Model) -> list[tuple[str, str]]:
    """Return the sections that compare runs."""
    samples = {label: run.samples() for label, run in runs.items()}
    summaries = {label: run.summary() for label, run in runs.items()}
    text = comparison_table({label: (samples[label], summaries[label]) for label in runs})
    sections = [("Compared", f"<pre>{escape(text)}</pre>")]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        if draw_corners(samples, first.prior, picture):
            sections.append(("Posteriors together", embedded(picture, "Overlaid marginals, 68 and 95 %")))
        if factors := bayes_table(runs, jeffreys=True):
            body = f"<pre>{escape(factors)}</pre>"
            reference, against = bayes_factors(runs)
            alike = [reference, *(label for label, factor in against.items() if factor.log_b is not None)]
            if len(alike) > 1:
                evidences = {k: (summaries[k]["log_evidence"], summaries[k]["log_evidence_err"]) for k in alike}
                draw_evidence(evidences, picture)
                body = embedded(picture, "ln Z by run") + body
            sections.append(("Evidences", body))
    return sections


def _one(run: RunFolder, model: Model) -> list[tuple[str, str]]:
    """Return the sections of one run."""
    samples, summary = run.samples(), run.summary()
    write_report(run, model)
    draw_trace(samples, model.prior, run.path / "trace.png")
    theta = samples.equal_weight(POSTERIOR_DRAWS, np.random.default_rng(summary["seed"]))
    sections = [
        ("Result", _result(summary, model)),
        ("Posterior", embedded(run.path / "corner.png", "Marginals, 68 and 95 % regions")),
    ]
    panels = [(name, run.path / f"predictive_{name}.png") for name in model.probes]
    drawn = "".join(f"<h3>{escape(name)}</h3>{embedded(path, name)}" for name, path in panels if path.exists())
    if drawn:
        sections.append(("Data and model", drawn))
    if draw_observables(model, theta, run.path / "observables.png"):
        sections.append(("Sky", embedded(run.path / "observables.png", "Observables over the posterior")))
    sections.append(("Convergence", _convergence(summary) + embedded(run.path / "trace.png", "Trace")))
    sections.append(("Provenance", _provenance(run, summary)))
    return sections


def _result(summary: Mapping[str, Any], model: Model) -> str:
    heads = ("", "mean", "std", "median", "68 % interval", "shortest 68 %", "95 % interval")
    rows = [_row(_symbol(model.prior[name]), numbers) for name, numbers in summary["parameters"].items()]
    rows += [_row(f"{escape(name)} <small>(derived)</small>", n) for name, n in summary.get("derived", {}).items()]
    best = summary["best_log_likelihood"]
    facts = {"ln L at the best sample": ", ".join(f"{name} {value:.2f}" for name, value in best.items())}
    if summary["log_evidence"] is not None:
        facts["ln Z"] = f"{summary['log_evidence']:.2f} ± {summary['log_evidence_err']:.2f}"
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table><br>{_facts(facts)}"


def _row(label: str, p: Mapping[str, float]) -> str:
    intervals = (("q16", "q84"), ("hpd68_low", "hpd68_high"), ("q025", "q975"))
    cells = [f"{p[key]:.4g}" for key in ("mean", "std", "median")]
    cells += [f"{p[low]:.4g} to {p[high]:.4g}" for low, high in intervals]
    return f"<tr><td>{label}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _symbol(parameter: Parameter) -> str:
    """Return the name of a parameter as HTML, with its symbol as an image if mathtext can draw it."""
    name = f"<code>{escape(parameter.name)}</code>" + (f" [{escape(parameter.unit)}]" if parameter.unit else "")
    if not parameter.latex or not settable(parameter.latex):
        return name
    buffer = io.BytesIO()
    with style():
        from matplotlib import font_manager, mathtext

        size = font_manager.FontProperties(size=12)
        mathtext.math_to_image(f"${parameter.latex}$", buffer, prop=size, format="svg", color="#1c2733")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(parameter.latex)}" src="data:image/svg+xml;base64,{data}"> {name}'


def _convergence(summary: Mapping[str, Any]) -> str:
    good = summary["converged"]
    verdict = '<span class="good">converged</span>' if good else '<span class="bad">NOT converged</span>'
    evaluations = summary["evaluations"]
    facts = {
        "sampler": f"{summary['sampler']}, seed {summary['seed']}",
        "cost": f"{summary['n_likelihood']:,} likelihoods in {summary['wall_seconds']:.1f} s",
        "effective samples": f"{summary['ess']:.0f}",
        "outside an emulator's range": f"{evaluations['fraction_outside']:.2%}",
        "without a finite likelihood": f"{evaluations['not_finite']:,}",
    }
    return f"<p>{verdict}: {escape(summary['converged_reason'])}</p>{_facts(facts)}"


def _provenance(run: RunFolder, summary: Mapping[str, Any]) -> str:
    block = summary.get("provenance", {"versions": summary["versions"]})
    inputs = "".join(
        f'<tr><td>{escape(name)}</td><td class="text"><code>{digest}</code></td></tr>'
        for name, digest in summary["inputs"].items()
    )
    try:
        entries = bibtex(run.configuration(), summary["sampler"])
    except AstroemuError as error:
        entries = str(error)
    written = (run.path / "configuration.toml").read_text(encoding="utf-8")
    return (
        f"{_block(block)}<h3>SHA-256 of the inputs</h3><table>{inputs}</table>"
        f"<h3>Configuration, as written</h3><pre>{escape(written)}</pre>{_overrides(run, written)}"
        f"<h3>BibTeX</h3><pre>{escape(entries)}</pre>"
    )


def _block(block: Mapping[str, Any]) -> str:
    """Return a provenance block as HTML, without its inputs, which have their own table."""
    facts = {key: value for key, value in without_host(block).items() if key not in ("versions", "inputs")}
    return _facts({**facts, **block["versions"]})


def _overrides(run: RunFolder, written: str) -> str:
    """Return the changes of the configuration by command-line options, as HTML."""
    changed = sorted(_changes(tomllib.loads(written), run.configuration().raw))
    return f"<h3>Changed by the command line</h3><pre>{escape(chr(10).join(changed))}</pre>" if changed else ""


def _changes(before: Any, after: Any, key: str = "") -> Iterable[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in {*before, *after}:
            yield from _changes(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif before != after:
        yield f"{key}: {before!r} -> {after!r}"


def _facts(facts: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>' for k, v in facts.items())}</dl>"


def embedded(path: Path, text: str) -> str:
    """Return an HTML image that contains the data of a PNG file; ``text`` is its alternative text."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img class="picture" alt="{escape(text)}" src="data:image/png;base64,{data}">'
