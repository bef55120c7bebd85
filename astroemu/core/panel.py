"""Panels: the data points of a figure and the model curve over them.

A panel contains only numbers, so that probes need no plotting library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray

#: ``measurement`` with error bars, or ``upper`` or ``lower`` limit with an arrow.
DataKind = Literal["measurement", "upper", "lower"]
MEASUREMENT: DataKind = "measurement"

#: ``curve(predictions, parameters)``: the model of a probe along ``curve_x``, as ``(n, c)``. The predictions have
#: values ``(n, size)`` and no errors. The parameters are the nuisance parameters ``(n,)`` of the probe, by name.
Curve = Callable[[Mapping[str, Prediction], Mapping[str, FloatArray]], FloatArray]


def _unchanged(values: FloatArray) -> FloatArray:
    """Convert arrays from the unit of the observable to the unit of the figure. By default nothing changes."""
    return np.asarray(values)


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes with data points and a model curve on a finer grid.

    Attributes
    ----------
    title, x_label, y_label : str
    x, y : (m,) array
        Data. For a limit, ``y`` is the limit.
    error_low, error_high : (m,) array
        Lengths of the error bars, zero for a limit.
    kind : tuple of m str
        See :data:`DataKind`.
    curve : Requirement or callable
        Requirement of the model values along ``curve_x``. A function is the model of the probe itself, with its
        nuisance parameters, see :data:`Curve`.
    curve_x : (c,) array, optional
        None for a single number, which is drawn as a histogram.
    transform : callable
        Converts arrays from the unit of the observable to the unit of the figure, for example ``10**values``.
    x_log, y_log : bool
        True for a logarithmic axis.
    requires : mapping of str to Requirement, optional
        The predictions that a function ``curve`` receives, for example on a finer grid. By default those of the probe.
    """

    title: str
    x_label: str
    y_label: str
    x: FloatArray
    y: FloatArray
    error_low: FloatArray
    error_high: FloatArray
    kind: tuple[DataKind, ...]
    curve: Requirement | Curve
    curve_x: FloatArray | None = None
    transform: Callable[[FloatArray], FloatArray] = _unchanged
    x_log: bool = False
    y_log: bool = False
    requires: Mapping[str, Requirement] | None = None
