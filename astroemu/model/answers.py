"""What plugins return to the pipeline: views that no other plugin can change, copies, and the check of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.provider import Prediction
from astroemu.errors import ProbeError
from astroemu.model.resolution import Step


def read_only(array: Any) -> Any:
    """Return a view of a NumPy array that a plugin cannot write to: other plugins receive the same memory."""
    if isinstance(array, np.ndarray) and array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def own(array: Any) -> Any:
    """Return a copy of a NumPy array: a plugin may return its own buffer, and write to it again."""
    return array.copy() if isinstance(array, np.ndarray) else array


def check_answer(step: Step, answer: Mapping[str, Prediction], n: int) -> None:
    """Raise an error for values of another shape, such as those of a provider that ignores the requested rows."""
    for name, size in step.sizes.items():
        if name not in answer:
            raise ProbeError(f"the provider {step.key!r} returned no {name!r}, which is in its `provides`")
        prediction = answer[name]
        for what, values in (("values", prediction.value), ("errors", prediction.error)):
            if values is not None and tuple(values.shape) != (n, size):
                raise ProbeError(
                    f"the provider {step.key!r} returned {what} of {name!r} in the shape {tuple(values.shape)}; "
                    f"{(n, size)} is needed: {n} point(s) by the {size} requested row(s)"
                )
        modes = prediction.modes
        if modes is not None and (len(modes.shape) != 3 or tuple(modes.shape[::2]) != (n, size)):
            raise ProbeError(
                f"the provider {step.key!r} returned modes of {name!r} in the shape {tuple(modes.shape)}; "
                f"({n}, number of modes, {size}) is needed"
            )
        if modes is not None and prediction.error is None:
            raise ProbeError(f"the provider {step.key!r} returned modes of {name!r} without the total error")
