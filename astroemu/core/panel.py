"""What a picture of a probe shows: data points and the curve to draw through them.

A panel holds numbers only, so that probes need no plotting library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray

#: ``measurement`` with error bars; ``upper`` or ``lower`` limit with an arrow.
DataKind = Literal["measurement", "upper", "lower"]
MEASUREMENT: DataKind = "measurement"


@dataclass(frozen=True, eq=False)
class Panel:
    """One set of axes: data, and the model curve on a finer grid.

    Attributes
    ----------
    title, x_label, y_label : str
    x, y : (m,) array
        Data; for a limit, ``y`` is the limit.
    error_low, error_high : (m,) array
        Lengths of the error bars, zero for a limit.
    kind : tuple of m str
        See :data:`Kind`.
    curve : Requirement
        The model along ``curve_x``.
    curve_x : (c,) array, optional
        None for a single number, which is drawn as a histogram instead.
    transform : callable
        From the unit of the observable to that of the picture (ten to the power of it, say).
    x_log, y_log : bool
    """

    title: str
    x_label: str
    y_label: str
    x: FloatArray
    y: FloatArray
    error_low: FloatArray
    error_high: FloatArray
    kind: tuple[DataKind, ...]
    curve: Requirement
    curve_x: FloatArray | None = None
    transform: Callable[[FloatArray], FloatArray] = np.asarray
    x_log: bool = False
    y_log: bool = False
