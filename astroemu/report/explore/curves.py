"""The model at one point, fast enough to follow a slider: log-likelihoods, and the curves of all panels.

The matrices of the panels are made once. A point then costs as much as a few likelihoods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ProbeError
from astroemu.model.model import Model
from astroemu.model.panel_curves import curve_of, required_by
from astroemu.model.pipeline import Pipeline

#: User of the parameters that one provider computes for another. No probe has this name, which is no identifier.
_COMPUTED = "computed parameters"
#: User of the derived numbers, as :meth:`ModelGraph.numbers` names it.
_DERIVED = "derived"


@dataclass(frozen=True, eq=False)
class State:
    """The model at one point.

    Attributes
    ----------
    theta : (d,) array
    by_probe : dict of str to float
        Log-likelihood of each probe; minus infinity where there is none.
    log_prior : float
    curves : tuple of (c,) array
        Model of each panel of :attr:`Curves.panels`, in the unit of the figure; NaN if there is none at this point.
    reason : str
        Why there is no likelihood here; empty if there is one.
    derived : dict of str to float
        Derived numbers, by name; NaN if there is none at this point.
    """

    theta: FloatArray
    by_probe: Mapping[str, float]
    log_prior: float
    curves: tuple[FloatArray, ...]
    reason: str = ""
    derived: Mapping[str, float] = field(default_factory=dict)

    @property
    def log_likelihood(self) -> float:
        """The joint log-likelihood."""
        return sum(self.by_probe.values())


class Curves:
    """The curves of all panels of a model.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    model : Model
    panels : tuple of (str, Panel)
        Name of the probe, and one of its panels.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.panels: tuple[tuple[str, Panel], ...] = tuple(
            (name, panel) for name, probe in model.probes.items() for panel in probe.panels()
        )
        self._computed = {
            f"{key}.{requirement.observable}": (key, requirement)
            for key in (step.key for step in model.pipeline.steps)
            for requirement in model.graph.derived_inputs(key)
        }
        wanted = {probe: self._wanted(probe) for probe in model.probes}
        computed = {key: requirement for key, (_, requirement) in self._computed.items()}
        self._pipeline = Pipeline(model.graph, {**wanted, _COMPUTED: computed}, 0.0)
        # Of its own: a provider that only a derived number needs may have a narrower range.
        self._numbers = Pipeline(model.graph, model.graph.numbers(), 0.0)

    def _wanted(self, probe: str) -> dict[str, Requirement]:
        return {f"{i} {key}": requirement for i in self._rows(probe) for key, requirement in self._needs(i).items()}

    def _rows(self, probe: str) -> list[int]:
        return [i for i, (name, _) in enumerate(self.panels) if name == probe]

    def _needs(self, i: int) -> dict[str, Requirement]:
        return required_by(self.model, *self.panels[i])

    def of(self, theta: FloatArray) -> tuple[FloatArray, ...]:
        """Return the curve ``(n, c)`` of each panel at ``theta (n, d)``: NaN at points outside a provider's range."""
        inside = self._pipeline.in_range(theta)
        found = [np.full((len(theta), _length(panel)), np.nan) for _, panel in self.panels]
        if inside.any():
            values, within = self._inside(theta[inside])
            rows = np.flatnonzero(inside)[within]
            for curve, value in zip(found, values, strict=True):
                curve[rows] = value[within]
        return tuple(found)

    def _inside(self, theta: FloatArray) -> tuple[list[FloatArray], NDArray[np.bool_]]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            provided = self._pipeline.run_providers(theta)
            values: dict[int, FloatArray] = {}
            for probe in self.model.probes:
                predictions = self._pipeline.predictions_for(probe, provided)
                for i in self._rows(probe):
                    panel = self.panels[i][1]
                    found = {key: np.asarray(predictions[f"{i} {key}"].value) for key in self._needs(i)}
                    curve = panel.transform(curve_of(self.model, probe, panel, found, theta))
                    values[i] = np.asarray(curve, dtype=float)
        within = np.ones(len(theta), dtype=bool) if provided.inside is None else np.asarray(provided.inside)
        return [values[i] for i in range(len(self.panels))], within

    def derived(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Return the derived numbers ``(n,)`` at ``theta (n, d)``, by name: NaN outside a provider's range."""
        inside = self._numbers.in_range(theta)
        found = {name: np.full(len(theta), np.nan) for name in self._numbers.terms.get(("probe", _DERIVED), {})}
        if not found or not inside.any():
            return found
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            predictions, within = self._numbers.predictions(theta[inside], _DERIVED)
        for name, prediction in predictions.items():
            value = np.asarray(prediction.value, dtype=float)[:, 0]
            found[name][inside] = value if within is None else np.where(within, value, np.nan)
        return found

    def at(self, theta: FloatArray) -> State:
        """Return the model at one point ``theta (d,)``. An exception of a plugin becomes the reason of the state."""
        point = theta[None]
        log_prior = float(self.model.log_prior(point)[0])
        try:
            parts = {key: float(part[0]) for key, part in self.model.log_likelihood_by_probe(point).items()}
            curves = tuple(curve[0] for curve in self.of(point))
            derived = {name: float(value[0]) for name, value in self.derived(point).items()}
        except (AstroemuError, ProbeError) as error:
            nothing = tuple(np.full(_length(panel), np.nan) for _, panel in self.panels)
            return State(theta, dict.fromkeys(self.model.probes, -np.inf), log_prior, nothing, str(error))
        reason = "" if np.isfinite(sum(parts.values())) else self._why(point)
        return State(theta, parts, log_prior, curves, reason, derived)

    def _why(self, point: FloatArray) -> str:
        """Return why a point has no likelihood."""
        low, high = self.model.pipeline.low, self.model.pipeline.high
        ranges = [
            _beyond(name, value, a, b, "the emulators")
            for name, value, a, b in zip(self.model.names, point[0], low, high, strict=True)
        ]
        if not any(ranges) and self._computed:
            provided = self._pipeline.run_providers(point)
            values = self._pipeline.predictions_for(_COMPUTED, provided)
            for name, (key, requirement) in self._computed.items():
                value = float(np.asarray(values[name].value)[0, 0])
                bounds = self.model.providers[key].bounds.get(requirement.observable, (-np.inf, np.inf))
                ranges.append(_beyond(requirement.observable, value, *bounds, repr(key)))
        found = [text for text in ranges if text]
        return "; ".join(found) or "a probe has no finite likelihood here"


def _length(panel: Panel) -> int:
    return 1 if panel.curve_x is None else len(panel.curve_x)


def _beyond(name: str, value: float, low: float, high: float, whose: str) -> str:
    """Return a text if a value is not inside a range, else an empty one."""
    if low <= value <= high:
        return ""
    return f"{name} = {value:.6g} is outside the range of {whose}, {low:.6g} to {high:.6g}"
