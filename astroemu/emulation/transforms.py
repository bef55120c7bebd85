"""Invertible maps between an observable and what a network is trained on.

Each is a small class with an exact inverse, the derivative of that inverse (which carries an
error from one space to the other), and a JSON form. They are elementwise; ``inverse`` and
``slope`` work against any array namespace.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError, closest, listing

_LN_10 = math.log(10.0)


@dataclass(frozen=True)
class Transform(ABC):
    """An elementwise invertible map ``y -> t``."""

    kind: ClassVar[str]

    @abstractmethod
    def forward(self, y: FloatArray) -> FloatArray:
        """From the observable to the network's space.

        Raises
        ------
        DataError
            If a finite value has no image (a logarithm of zero, say).
        """

    @abstractmethod
    def inverse(self, t: Any, xp: Namespace) -> Any:
        """Back to the observable."""

    @abstractmethod
    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        """|dy/dt| at ``t``, where ``y`` is ``inverse(t)``."""

    def feature(self, t: Any, xp: Namespace) -> Any:
        """The form in which a later network takes this output: ``t``, unless that is unbounded."""
        return t

    def to_json(self) -> dict[str, Any]:
        """Return the written form, read by :func:`transform_from`."""
        return {"transform": self.kind, **asdict(self)}


@dataclass(frozen=True)
class IdentityTransform(Transform):
    """t = y."""

    kind: ClassVar[str] = "identity"

    def forward(self, y: FloatArray) -> FloatArray:
        return np.asarray(y)

    def inverse(self, t: Any, xp: Namespace) -> Any:
        return t

    def slope(self, t: Any, y: Any, xp: Namespace) -> Any:
        return 1.0 + 0.0 * t


@dataclass(frozen=True)
class Log10(Transform):
    """t = log10 y, for positive observables."""

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
    """t = asinh((y - centre) / scale): linear near the centre, logarithmic far from it."""

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
    """A fraction in [0, 1] through the logistic function, for a loss in a root of the fraction.

    ``forward`` takes the root, ``y^(1 / power)``, and no more: the network's output passes through
    the logistic function inside the loss, so that exact zeros and ones are fine. The inverse is
    therefore ``logistic(t)^power`` of the network's raw output and never leaves [0, 1]. A power above
    one resolves small fractions: what is left of the neutral gas at the end of reionization decides
    the 21-cm power there.
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

    def feature(self, t: Any, xp: Namespace) -> Any:
        return xp.sigmoid(t)


TRANSFORMS: Mapping[str, type[Transform]] = {cls.kind: cls for cls in (IdentityTransform, Log10, Asinh, Fraction)}


def transform_from(spec: Mapping[str, Any]) -> Transform:
    """Build a transform from its written form.

    Raises
    ------
    DataError
        For an unknown kind or a wrong number.
    """
    numbers = dict(spec)
    kind = numbers.pop("transform", None)
    if not isinstance(kind, str) or kind not in TRANSFORMS:
        raise DataError(f"unknown transform {kind!r}.{closest(str(kind), TRANSFORMS)} Known: {listing(TRANSFORMS)}")
    known = [field.name for field in fields(TRANSFORMS[kind])]
    for key, value in numbers.items():
        if key not in known:
            raise DataError(f"the transform {kind!r} takes no {key!r}.{closest(key, known)} It takes {listing(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{key} = {value!r} of the transform {kind!r} must be a number")
    return TRANSFORMS[kind](**{key: float(value) for key, value in numbers.items()})
