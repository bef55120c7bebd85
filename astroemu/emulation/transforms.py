"""Invertible elementwise maps between an observable ``y`` and the outputs ``t`` of a network.

Each map is a small class with an exact inverse, the derivative of that inverse, and a JSON form. The derivative
converts an error in ``t`` to an error in ``y``. ``inverse`` and ``slope`` work with any array namespace.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError, closest, listing

_LN_10 = math.log(10.0)
#: Fraction below which, and share of the rest below which, the errors of a fraction stop to shrink.
_NOTHING_LEFT, _NOTHING_ELSE = 1e-3, 1e-6


@dataclass(frozen=True)
class Transform(ABC):
    """An elementwise invertible map ``y -> t``."""

    kind: ClassVar[str]

    @abstractmethod
    def forward(self, y: FloatArray) -> FloatArray:
        """Return ``t`` of the observable ``y``, in the same shape; NaN stays NaN.

        Raises
        ------
        DataError
            If a finite value has no image, such as the logarithm of zero.
        """

    @abstractmethod
    def inverse(self, t: Any, xp: Namespace) -> Any:
        """Return the observable ``y`` of ``t``, in the same shape."""

    @abstractmethod
    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        """Return ``|dy/dt|`` at ``t``, in the same shape; ``y`` is ``inverse(t)``."""

    def error_slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        """Return the factor that converts an error in the space of residuals into an error of ``y``, in its shape.

        See :meth:`residual`. By default it is the slope.
        """
        return self.slope(t, y, xp)

    def residual(self, t: FloatArray, truth: FloatArray) -> FloatArray:
        """Return the residuals of predictions ``t`` in the space in which errors are stated; NaN where undefined."""
        return np.asarray(t - self.forward(truth))

    def feature(self, t: Any, xp: Namespace) -> Any:
        """Return the form of ``t`` that serves as an input of another network."""
        return t

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which :func:`transform_from` reads."""
        return {"transform": self.kind, **asdict(self)}


@dataclass(frozen=True)
class IdentityTransform(Transform):
    """The map t = y."""

    kind: ClassVar[str] = "identity"

    def forward(self, y: FloatArray) -> FloatArray:
        return np.asarray(y)

    def inverse(self, t: Any, xp: Namespace) -> Any:
        return t

    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        return 1.0 + 0.0 * t


@dataclass(frozen=True)
class Log10(Transform):
    """The map t = log10 y, for positive observables."""

    kind: ClassVar[str] = "log10"

    def forward(self, y: FloatArray) -> FloatArray:
        if np.nanmin(y) <= 0:
            raise DataError(f"log10 needs positive values; the lowest is {np.nanmin(y):g}. Clean the data or use asinh")
        return np.log10(y)

    def inverse(self, t: Any, xp: Namespace) -> Any:
        return xp.exp(t * _LN_10)

    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        return _LN_10 * y


@dataclass(frozen=True)
class Asinh(Transform):
    """The map t = asinh((y - centre) / scale): linear near the centre, logarithmic far from it."""

    centre: float = 0.0
    scale: float = 1.0
    kind: ClassVar[str] = "asinh"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.centre) and math.isfinite(self.scale) and self.scale > 0):
            raise DataError(f"asinh needs a finite centre = {self.centre} and a finite scale = {self.scale} above 0")

    def forward(self, y: FloatArray) -> FloatArray:
        return np.arcsinh((y - self.centre) / self.scale)

    def inverse(self, t: Any, xp: Namespace) -> Any:
        return self.centre + self.scale * xp.sinh(t)

    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        return self.scale * xp.cosh(t)


@dataclass(frozen=True)
class Fraction(Transform):
    """A map for fractions in [0, 1], by a root and the logistic function.

    ``forward`` returns only the root, ``y^(1 / power)``. The loss applies the logistic function to the output of the
    network, so that exact zeros and ones are allowed. The inverse is therefore ``logistic(t)^power`` of the raw
    output, which always lies in [0, 1]. A power above one resolves small fractions. This matters at the end of
    reionization, where the last neutral gas determines the 21-cm power.
    """

    power: float = 1.0
    kind: ClassVar[str] = "fraction"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.power) and self.power >= 1):
            raise DataError(f"fraction needs a finite power of at least 1, not {self.power}")

    def forward(self, y: FloatArray) -> FloatArray:
        if np.nanmin(y) < 0 or np.nanmax(y) > 1:
            raise DataError(f"a fraction lies in [0, 1], not [{np.nanmin(y):g}, {np.nanmax(y):g}]")
        return np.asarray(y) ** (1.0 / self.power)

    def inverse(self, t: Any, xp: Namespace) -> Any:
        return xp.sigmoid(t) ** self.power

    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        return self.power * y * (1.0 - xp.sigmoid(t))

    def error_slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        """Return ``sqrt(y + 1e-3) (1 - y + 1e-6)``.

        The errors of an ionisation history grow with the root of a small neutral fraction, and with the ionised
        fraction of nearly neutral gas. The slope itself vanishes faster, and would claim an end of reionization that is
        known exactly.
        """
        return xp.sqrt(y + _NOTHING_LEFT) * (1.0 - y + _NOTHING_ELSE)

    def residual(self, t: FloatArray, truth: FloatArray) -> FloatArray:
        """Return the residuals of the fraction, in units of :meth:`error_slope`; NaN where almost nothing is left.

        A prediction of zero for a true zero shows nothing of the size of errors.
        """
        y = self.inverse(t, NUMPY)
        return np.where(y < _NOTHING_LEFT, np.nan, (y - truth) / self.error_slope(t, y, NUMPY))

    def feature(self, t: Any, xp: Namespace) -> Any:
        return xp.sigmoid(t)


TRANSFORMS: Mapping[str, type[Transform]] = {cls.kind: cls for cls in (IdentityTransform, Log10, Asinh, Fraction)}


def transform_from(spec: Mapping[str, Any]) -> Transform:
    """Return the transform that a JSON form describes, such as ``{"transform": "asinh", "scale": 2.0}``.

    Raises
    ------
    DataError
        If the transform is unknown, or a number is unknown or not valid.
    """
    numbers = dict(spec)
    kind = numbers.pop("transform", None)
    if not isinstance(kind, str) or kind not in TRANSFORMS:
        raise DataError(f"unknown transform {kind!r}.{closest(str(kind), TRANSFORMS)} Known: {listing(TRANSFORMS)}")
    known = [field.name for field in fields(TRANSFORMS[kind])]
    for key, value in numbers.items():
        if key not in known:
            raise DataError(f"the transform {kind!r} takes no {key!r}.{closest(key, known)} It takes {listing(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise DataError(f"{key} = {value!r:.60} of the transform {kind!r} must be a finite number")
    return TRANSFORMS[kind](**{key: float(value) for key, value in numbers.items()})
