"""The model curves of the panels of a probe: what an emulator predicts, or the model of the probe itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from astroemu.core.panel import Panel
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ProbeError
from astroemu.model.model import Model


def panel_curves(model: Model, probe: str, panels: Sequence[Panel], theta: FloatArray) -> list[FloatArray]:
    """Return the curve ``(n, c)`` of each panel, in the unit of its data before :attr:`Panel.transform`.

    Parameters
    ----------
    model : Model
    probe : str
        Name of the probe in the model.
    panels : sequence of Panel
        Panels of this probe.
    theta : (n, d) array

    Raises
    ------
    ConfigurationError
        If a point lies outside a provider's range.
    ProbeError
        If a function of a panel raises an exception, or returns another shape.
    """
    needs = [required_by(model, probe, panel) for panel in panels]
    wanted = {f"{i} {key}": requirement for i, need in enumerate(needs) for key, requirement in need.items()}
    found = model.predict_for(wanted, theta)
    return [
        curve_of(model, probe, panel, {key: found[f"{i} {key}"] for key in needs[i]}, theta)
        for i, panel in enumerate(panels)
    ]


def required_by(model: Model, probe: str, panel: Panel) -> dict[str, Requirement]:
    """Return what the curve of a panel is made of, by names of its own."""
    if isinstance(panel.curve, Requirement):
        return {"": panel.curve}
    return dict(model.probes[probe].requires if panel.requires is None else panel.requires)


def curve_of(model: Model, probe: str, panel: Panel, found: Mapping[str, FloatArray], theta: FloatArray) -> FloatArray:
    """Return the curve ``(n, c)`` of one panel from the values ``(n, size)`` of :func:`required_by`.

    Raises
    ------
    ProbeError
        As :func:`panel_curves`.
    """
    if isinstance(panel.curve, Requirement):
        return found[""]
    predictions = {key: Prediction(value) for key, value in found.items()}
    try:
        curve = np.asarray(panel.curve(predictions, model.pipeline.nuisance_parameters(probe, np.asarray(theta))))
    except Exception as error:
        raise ProbeError(
            f"{probe!r}: the curve of the panel {panel.title!r} raised {type(error).__name__}: {error}"
        ) from error
    shape = (len(theta), 1 if panel.curve_x is None else len(panel.curve_x))
    if curve.shape != shape:
        raise ProbeError(
            f"{probe!r}: the curve of the panel {panel.title!r} has the shape {curve.shape}; {shape} is needed: one "
            "row per point, and one value per number of `curve_x`"
        )
    return curve
