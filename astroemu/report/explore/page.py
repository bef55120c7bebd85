"""One open page: sliders, buttons, numbers and pictures, and what happens when one of them is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import Button, CustomJS, Div, PreText, Slider, TextInput

from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ProbeError
from astroemu.inference.best_fit import BestFit, find_best_fit
from astroemu.report.explore.controls import Scale, point_toml
from astroemu.report.explore.curves import Curves, State
from astroemu.report.explore.figures import Figures
from astroemu.report.explore.numbers import COLOURS, fit_message, head, legend, number_table, title
from astroemu.report.explore.template import PAGE, PARTS
from astroemu.report.html_page import shown

#: Copies a text; where the browser does not allow it, the text can be selected.
_COPY = """
const done = () => { message.text = "Copied: paste it into a configuration."; };
const refused = () => {
  message.text = "The browser did not allow it. Open 'These parameters as TOML', and copy the text from there.";
};
if (navigator.clipboard) { navigator.clipboard.writeText(text.text).then(done, refused); } else { refused(); }
"""


@dataclass(frozen=True, eq=False)
class Subject:
    """What a page shows; all open pages share it.

    Attributes
    ----------
    curves : Curves
    typical : tuple of (n, c) array
        Curves of each panel that set the range of its axis.
    bands : tuple of (n, c) array or None
        Curves of each panel over a posterior.
    median : (d,) array or None
        Median of that posterior.
    run : str
        Its name.
    seed : int
        Seed of the draws from the prior and of the starts of the best fit.
    """

    curves: Curves
    typical: tuple[FloatArray, ...]
    bands: tuple[FloatArray, ...] | None
    median: FloatArray | None
    run: str
    seed: int


class Page:
    """One open page.

    Parameters
    ----------
    subject : Subject
    document : Document
        The page of Bokeh, which this fills.
    websocket : str
        The address to which the page connects.
    """

    def __init__(self, subject: Subject, document: Document, websocket: str) -> None:
        self.subject, self.document = subject, document
        self.model = subject.curves.model
        self._searched = copy(self.model)  # by another thread
        self.state: State
        self.pins: list[State] = []
        self._rng = np.random.default_rng(subject.seed)
        self._units = {name: observable.unit for name, observable in self.model.observables.items()}
        self._scales = [Scale.of(parameter) for parameter in self.model.prior.free]
        self._moving = self._waiting = False
        panels = [panel for _, panel in subject.curves.panels]
        self._figures = Figures(panels, subject.typical, subject.bands)
        self._message = Div(stylesheets=[PARTS], name="message", sizing_mode="stretch_width")
        self._numbers = Div(stylesheets=[PARTS], name="numbers")
        self._toml = PreText(name="toml")
        self._sliders = [self._slider(j) for j in range(len(self._scales))]
        self._texts = [self._text(j) for j in range(len(self._scales))]
        self._buttons = self._made_buttons()
        middle = self.model.prior.transform(np.full((1, len(self._scales)), 0.5))[0]
        self._theta = middle if subject.median is None else subject.median
        self._fill(websocket)
        self.move(self._theta)

    def move(self, theta: FloatArray, message: str = "") -> None:
        """Move the sliders to ``theta (d,)`` and draw the model there."""
        self._theta = np.array(theta, dtype=float)
        self._moving = True  # these changes are not the user's
        try:
            for j, value in enumerate(self._theta.tolist()):
                self._place(j, value)
        finally:
            self._moving = False
        self._draw()
        self._say(message)

    def _place(self, j: int, value: float) -> None:
        """Put a slider, and the number beside it, at a value; a slider that is too short becomes longer."""
        scale = self._scales[j] = self._scales[j].widened(value)
        low, high = scale.ends
        self._sliders[j].update(start=low, end=high, value=scale.position(value))
        self._texts[j].value = scale.text(value)

    def _draw(self) -> None:
        self._waiting = False
        self.state = self.subject.curves.at(self._theta.copy())
        self._figures.show(self.state.curves)
        self._show_numbers()
        self._toml.text = point_toml(self.model.prior, self._theta)

    def _show_numbers(self) -> None:
        self._numbers.text = number_table(self.state, self.pins, self._units)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._message.text = f'<p class="{"bad" if bad else "soft"}">{shown(text)}</p>' if text else ""

    # --- what the user does -----------------------------------------------------------------------------

    def _slid(self, j: int, position: float) -> None:
        if self._moving:
            return
        self._theta[j] = self._scales[j].value(position)
        self._moving = True
        self._texts[j].value = self._scales[j].text(self._theta[j])
        self._moving = False
        self._say("")
        if not self._waiting:  # several moves of the mouse can come before one is drawn
            self._waiting = True
            self.document.add_next_tick_callback(self._draw)

    def _typed(self, j: int, text: str) -> None:
        if self._moving:
            return
        theta = self._theta.copy()
        try:
            theta[j] = self._scales[j].read(text)
        except AstroemuError as error:
            self.move(self._theta)
            self._say(f"{error}. The value stays {self._scales[j].text(self._theta[j])}", bad=True)
            return
        self.move(theta)

    def _draw_from_prior(self) -> None:
        self.move(self.model.prior.sample(1, self._rng)[0])

    def _to_median(self) -> None:
        assert self.subject.median is not None
        self.move(self.subject.median, f"Median of each parameter in {self.subject.run}")

    def _pin(self) -> None:
        if len(self.pins) == len(COLOURS):
            self._say(f"{len(COLOURS)} curves are pinned. Remove them before you pin another one", bad=True)
            return
        self._show_pins([*self.pins, self.state])

    def _show_pins(self, pins: list[State]) -> None:
        self.pins = pins
        self._figures.pin([(colour, state.curves) for colour, state in zip(COLOURS, pins, strict=False)])
        self._show_numbers()

    def _find_best_fit(self) -> None:
        """Search in a thread of its own, with a model of its own, so that the sliders still move."""
        self._buttons["best_fit"].disabled = True
        self._say("Searching for the best fit from 8 starts. The first search compiles the likelihood")
        model, seed = self._searched, self.subject.seed

        def search() -> None:
            try:
                found: BestFit | Exception = find_best_fit(model, seed=seed)
            except Exception as error:  # it is shown on the page
                found = error
            self.document.add_next_tick_callback(lambda: self._found(found))

        threading.Thread(target=search, daemon=True).start()

    def _found(self, best: BestFit | Exception) -> None:
        self._buttons["best_fit"].disabled = False
        if isinstance(best, BestFit):
            self.move(best.theta, fit_message(best))
            return
        kind = "" if isinstance(best, AstroemuError | ProbeError) else f"{type(best).__name__}: "
        self._say(f"No best fit: {kind}{best}", bad=True)

    # --- its parts --------------------------------------------------------------------------------------

    def _slider(self, j: int) -> Slider:
        scale = self._scales[j]
        low, high = scale.ends
        slider = Slider(
            start=low, end=high, value=low, step=scale.step, name=f"slider_{scale.parameter.name}",
            title=None, show_value=False, tooltips=False, sizing_mode="stretch_width", margin=(0, 8, 0, 8),
        )  # fmt: skip
        slider.on_change("value", lambda _, __, new: self._slid(j, new))
        return slider

    def _text(self, j: int) -> TextInput:
        name = f"value_{self._scales[j].parameter.name}"
        text = TextInput(name=name, width=100, height=26, margin=0, stylesheets=[PARTS])
        text.on_change("value", lambda _, __, new: self._typed(j, new))
        return text

    def _made_buttons(self) -> dict[str, Button]:
        actions: dict[str, tuple[str, Callable[[], None]]] = {"best_fit": ("best fit", self._find_best_fit)}
        if self.subject.median is not None:
            actions["median"] = (f"posterior median of {self.subject.run}", self._to_median)
        actions |= {
            "draw": ("draw from prior", self._draw_from_prior),
            "pin": ("pin this curve to compare", self._pin),
            "unpin": ("remove pins", lambda: self._show_pins([])),
        }
        buttons = {}
        for name, (label, act) in actions.items():
            buttons[name] = Button(label=label, name=name, margin=0)
            buttons[name].on_click(act)
        buttons["copy"] = Button(label="copy as TOML", name="copy", margin=0)
        buttons["copy"].js_on_click(CustomJS(args={"text": self._toml, "message": self._message}, code=_COPY))
        return buttons

    def _fill(self, websocket: str) -> None:
        """Fill the page. Every part is a root of its own: in a common layout, each change would move all of them."""
        roots: dict[str, Any] = {
            **self._buttons,
            **{part.name: part for part in (*self._sliders, *self._texts)},
            **{part.name: part for part in (self._toml, self._message, self._numbers)},
        }
        figures = []
        for i, plot in enumerate(self._figures.models):
            plot.name = f"figure_{i}"
            figures.append((plot.name, title(self._figures.panels[i].title)))
            roots[plot.name] = plot
        with self.document.models.freeze():
            for root in roots.values():
                self.document.add_root(root)
        self.document.title = f"{self.model.name} - astroemu explore"
        self.document.template = PAGE
        self.document.template_variables.update(
            heading=self.model.name,
            legend=legend(self.subject.run if self.subject.bands is not None else ""),
            buttons=list(self._buttons),
            controls=[(scale.parameter.name, head(scale)) for scale in self._scales],
            figures=figures,
            websocket=websocket,
        )
