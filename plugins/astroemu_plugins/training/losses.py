"""Loss functions for training.

All are means over the outputs; an undefined output (NaN) contributes zero. The sum is divided by the number of all
outputs, defined or not. An output that is often undefined has thus less weight, and the loss of a batch is smaller by
the fraction that is undefined. The accuracy in the file counts only defined outputs.

* ``mse``, ``mae``: mean squared and mean absolute residual of the standardised targets;
* ``msle``: mean squared residual of ``log(1 + t)``, with ``t`` before standardisation;
* ``chi2``: mean squared residual in units of the data errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from astroemu.errors import DataError
from astroemu_plugins.training.targets import Targets

Loss = Callable[[Any, Any], Any]


def loss_function(ops: Any, kind: str, targets: Targets) -> Loss:
    """Return ``loss(truth, raw)`` for Keras.

    ``raw`` is the output of the layers ``(n, m)``, and ``truth`` contains the targets ``(n, m)``. For ``chi2``,
    ``truth`` is ``(n, 2 m)``: the targets and the factors of
    :func:`astroemu_plugins.training.targets.in_data_errors`.

    Parameters
    ----------
    ops : module
        ``keras.ops``.
    kind : {"mse", "mae", "msle", "chi2"}
    targets : Targets

    Raises
    ------
    DataError
        If the loss is ``msle`` and a target is negative.
    """
    width = targets.width
    fractions = targets.fractions[None]
    mean, std = targets.mean[None].astype(np.float32), targets.std[None].astype(np.float32)
    if kind == "msle":
        lowest = float(np.nanmin(targets.values * std + mean))
        if lowest < 0:
            raise DataError(f"the loss msle needs transformed outputs that are not negative; the lowest is {lowest:g}")

    def predicted(raw: Any) -> Any:
        # The logistic function is applied here and not to the targets: targets of exactly 0 or 1 are then allowed.
        if fractions.all():
            return ops.sigmoid(raw)
        return ops.where(fractions, ops.sigmoid(raw), raw) if fractions.any() else raw

    def log1p(t: Any) -> Any:
        return ops.log1p(ops.maximum(t * std + mean, 0.0))

    def loss(truth: Any, raw: Any) -> Any:
        factor = truth[:, width:] if kind == "chi2" else None
        truth = truth[:, :width]
        defined = ops.isfinite(truth)
        truth = ops.where(defined, truth, 0.0)
        t = predicted(raw)
        residual = log1p(t) - log1p(truth) if kind == "msle" else t - truth
        if factor is not None:
            residual = residual * factor
        residual = ops.where(defined, residual, 0.0)
        return ops.mean(ops.abs(residual) if kind == "mae" else ops.square(residual))

    return loss
