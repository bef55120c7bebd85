"""The texts of the page: the table of log-likelihoods, the heads of the sliders, and messages."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from astroemu.inference.best_fit import BestFit
from astroemu.report.explore.controls import Scale
from astroemu.report.explore.curves import State
from astroemu.report.html_page import shown
from astroemu.report.style import ACCENT, COLOUR, DATA, formula, settable

#: Colour of a posterior, and colours of pinned curves; as many can be pinned.
BAND = "#6b7785"
COLOURS = (ACCENT, "#2e7d32", "#6a3d9a", "#b8860b")


def number_table(state: State, pins: Sequence[State], units: Mapping[str, str] | None = None) -> str:
    """Return the log-likelihoods and the derived numbers of a state, and of pinned ones, as HTML.

    Parameters
    ----------
    state : State
    pins : sequence of State
    units : mapping of str to str, optional
        Units of the derived numbers.
    """
    states = [state, *pins]
    names = ("here", *(f"pin {i + 1}" for i in range(len(pins))))
    heads = "".join(
        f'<th><span class="line" style="border-color:{colour}"></span>{name}</th>'
        for name, colour in zip(names, (COLOUR, *COLOURS), strict=False)
    )
    rows = [_row(f"ln L <code>{shown(key)}</code>", [s.by_probe[key] for s in states]) for key in state.by_probe]
    rows += [_row("ln L, total", [s.log_likelihood for s in states], "total")]
    rows += [_row("ln prior density", [s.log_prior for s in states])]
    for name in state.derived:
        unit = f" [{shown(units[name])}]" if units and units.get(name) else ""
        values = [s.derived.get(name, np.nan) for s in states]
        rows += [_row(f"<code>{shown(name)}</code>{unit}, derived", values, digits=_digits)]
    notes = [f"No likelihood here: {state.reason}"] if state.reason else []
    if state.log_prior == -np.inf:
        notes.append("The prior excludes this point")
    why = "".join(f'<p class="bad">{shown(note)}.</p>' for note in notes)
    return f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>{why}"


def _thousandths(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no negative zero


def _digits(value: float) -> str:
    return f"{value:.5g}"


def _row(label: str, values: Sequence[float], kind: str = "", digits: Callable[[float], str] = _thousandths) -> str:
    cells = "".join(f"<td>{_number(value, digits)}</td>" for value in values)
    return f'<tr class="{kind}"><td>{label}</td>{cells}</tr>'


def _number(value: float, digits: Callable[[float], str]) -> str:
    if not np.isfinite(value):
        return "-∞" if value < 0 else "-"
    return digits(value)


def legend(run: str) -> str:
    """Return what the colours mean as HTML; ``run`` is the name of a posterior, or empty."""
    keys = [
        (f"border-top: 3px solid {COLOUR}", "model here"),
        (f"border-top: 2px dashed {COLOURS[0]}", "pinned"),
        (f"border-top: 3px solid {DATA}", "data; triangles are limits"),
    ]
    if run:
        keys.append((f"border-top: 9px solid {BAND}; opacity: .4", f"68 and 95 % of {run}"))
    line = '<p class="legend"><span class="key" style="{}"></span>{}</p>'
    return "".join(line.format(style, shown(text)) for style, text in keys)


def head(scale: Scale) -> str:
    """Return the symbol, the name, the range and the unit of a slider as HTML."""
    parameter = scale.parameter
    symbol = _image(parameter.latex) if parameter.latex and settable(parameter.latex) else ""
    unit = f" [{shown(parameter.unit)}]" if parameter.unit else ""
    return f"{symbol}<code>{shown(parameter.name)}</code><span>{scale.low:.6g} to {scale.high:.6g}{unit}</span>"


def title(text: str) -> str:
    """Return the title of a panel as HTML, with images of its formulas."""
    parts = re.split(r"\$([^$]+)\$", text)
    return "".join(shown(part) if i % 2 == 0 or not settable(part) else _image(part) for i, part in enumerate(parts))


@lru_cache(maxsize=256)  # every page that is opened shows the same ones
def _image(latex: str) -> str:
    data = base64.b64encode(formula(latex)).decode()
    return f'<img alt="{shown(latex)}" src="data:image/svg+xml;base64,{data}">'


def fit_message(best: BestFit) -> str:
    """Return what a search found, in a sentence or two."""
    same = int(np.sum(best.starts > best.starts[0] - 0.1))
    text = f"Best fit: log-posterior {best.value:.3f}, where {same} of {len(best.starts)} starts ended"
    if best.at_edge:
        text += f". At an edge of the prior: {', '.join(best.at_edge)}"
    if best.flat:
        text += f". Any value near by is as good for {', '.join(best.flat)}"
    return text
