"""Training targets: the split of the points, and standardised outputs in the space of their transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.typing import FloatArray
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Fraction, Transform
from astroemu.errors import DataError
from astroemu_plugins.training import settings as options

Weights = NDArray[np.float32]
Rows = NDArray[np.int64]
#: Smallest spread of an output over its mean: float32 then rounds by less than a hundredth of the spread.
RESOLVED = 1e-5


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of the training set for training, validation and test. Settings and seed decide them.

    Attributes
    ----------
    train, validation, test : (n,) int array
    """

    train: Rows
    validation: Rows
    test: Rows

    @classmethod
    def drawn(cls, n: int, settings: options.Settings, seed: int) -> Split:
        """Return a random split of ``n`` rows."""
        order = np.random.default_rng(seed).permutation(n)
        a, b = settings.test_points, settings.test_points + settings.validation_points
        return cls(order[b:][: settings.train_points], order[a:b], order[:a])


class Targets:
    """Standardised outputs of one network, in the space of their transforms.

    Parameters
    ----------
    data : TrainingSet
    names : list of str
        Observables that the network predicts.
    transforms : list of Transform
        One per observable.
    rows : (n,) int array
        Training points, from which mean and standard deviation are computed.
    scaling : {"each", "common"}
        Divide each output by its own standard deviation, or all outputs of an observable by the rms of theirs.

    Attributes
    ----------
    values : (n, m) float32 array
        ``(t - mean) / std``; fractions are not standardised. NaN where undefined.
    mean, std : (m,) array
    fractions : (m,) bool array
        Outputs that pass through the logistic function inside the loss; see
        :class:`astroemu.emulation.transforms.Fraction`.

    Raises
    ------
    DataError
        If an observable has infinities, is NaN at every training point, or varies too little about its mean for
        float32.
    """

    def __init__(
        self,
        data: TrainingSet,
        names: list[str],
        transforms: list[Transform],
        rows: Rows,
        scaling: Literal["each", "common"] = "each",
    ) -> None:
        columns, mean, std, fractions = [], [], [], []
        for name, transform in zip(names, transforms, strict=True):
            raw = np.asarray(data.values[name]).reshape(len(data), -1)
            _refuse_undefined(name, raw, rows)
            t = transform.forward(raw)
            is_fraction, n = isinstance(transform, Fraction), t.shape[1]
            mean.append(np.zeros(n) if is_fraction else np.nanmean(t[rows], axis=0, dtype=float))
            spread = np.ones(n) if is_fraction else np.nanstd(t[rows], axis=0, dtype=float)
            if not is_fraction:
                _refuse_unresolved(name, mean[-1], spread)
            std.append(np.full(n, np.sqrt(np.mean(spread**2))) if scaling == "common" else spread)
            fractions.append(np.full(n, is_fraction))
            columns.append(np.asarray(t, dtype=np.float32))
        self.mean, self.std = np.concatenate(mean), np.concatenate(std)
        self.std = np.where(self.std > 0, self.std, 1.0)  # a constant output is predicted by its mean
        self.fractions = np.concatenate(fractions)
        self.values: Weights = np.concatenate(columns, axis=1)
        self.values -= self.mean.astype(np.float32)
        self.values /= self.std.astype(np.float32)

    @property
    def width(self) -> int:
        """Number of outputs."""
        return int(self.values.shape[1])


def _refuse_unresolved(name: str, mean: FloatArray, spread: FloatArray) -> None:
    """Raise an error if float32, in which networks are, cannot resolve the spread of any output about its mean."""
    varies = spread > 0
    if varies.any() and np.all(spread[varies] < RESOLVED * np.abs(mean[varies])):
        at = int(np.argmax(spread))
        raise DataError(
            f"{name!r} varies by {spread[at]:.3g} about {mean[at]:.10g}, which networks in float32 cannot resolve. "
            f'Set [training.transforms] {name} = {{ transform = "asinh", centre = {mean[at]:.10g}, scale = '
            f"{spread[at]:.3g} }}"
        )


def in_data_errors(
    data: TrainingSet,
    targets: Targets,
    transforms: Mapping[str, Transform],
    errors: Mapping[str, options.DataError],
) -> Weights:
    """Return factors that convert residuals of standardised targets into units of the data errors.

    The factor is |dy/dt| std / sigma at the true value, which is exact to first order.

    Parameters
    ----------
    data : TrainingSet
    targets : Targets
    transforms : mapping of str to Transform
        By observable, in the order of the targets.
    errors : mapping of str to DataError
        1-sigma errors of the data, by observable.

    Returns
    -------
    (n, m) float32 array
        Zero where undefined.

    Raises
    ------
    astroemu.errors.DataError
        If an error is not above 0.
    """
    blocks = []
    for name, transform in transforms.items():
        y = np.asarray(data.values[name], dtype=float).reshape(len(data), -1)
        sigma = np.hypot(errors[name].absolute, errors[name].fractional * y)
        if not np.all(sigma[np.isfinite(y)] > 0):
            raise DataError(f"data_errors of {name!r} are zero where its value is zero; set `absolute` above 0")
        t = transform.forward(y)
        if isinstance(transform, Fraction):  # its target is the fraction to the power 1 / power
            slope = transform.power * t ** (transform.power - 1)
        else:
            slope = transform.slope(t, y, NUMPY)
        blocks.append(np.broadcast_to(slope / sigma, y.shape))
    factor = np.concatenate(blocks, axis=1) * targets.std
    return np.where(np.isfinite(factor), factor, 0.0).astype(np.float32)


def centre_and_width(x: Weights, n_parameters: int, rows: Rows) -> tuple[Weights, Weights]:
    """Return centre and width ``(k,)`` of the inputs ``x`` ``(n, k)``, computed at the training rows.

    Only features are standardised. The first ``n_parameters`` columns are parameters, which are scaled already.
    """
    centre, width = np.zeros(x.shape[1], dtype=np.float32), np.ones(x.shape[1], dtype=np.float32)
    if x.shape[1] > n_parameters:
        centre[n_parameters:] = x[rows, n_parameters:].mean(axis=0)
        spread = x[rows, n_parameters:].std(axis=0)
        # An output that hardly varies is mostly noise, which must not be amplified to unit width.
        width[n_parameters:] = np.maximum(spread, 0.05 * spread.max())
    return centre, width


def _refuse_undefined(name: str, raw: NDArray[np.floating], rows: Rows) -> None:
    """Raise DataError for infinities, and for outputs that are NaN at every training point."""
    if np.any(np.isinf(raw)):
        raise DataError(f"{name!r} has infinite values; `astroemu clean` drops such points")
    undefined = int(np.sum(np.all(np.isnan(raw[rows]), axis=0)))
    if undefined:
        raise DataError(f"{name!r} is undefined (NaN) at every point for {undefined} of its {raw.shape[1]} outputs")
