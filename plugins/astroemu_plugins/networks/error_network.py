"""Errors of an emulator that depend on the point, and what the outputs share of them.

A small network predicts the size of the residuals of all outputs, in the space of their transforms:

    s_j(x) = exp(layers(x)_j)

The residuals of neighbouring outputs are correlated. In units of ``s_j``, their covariance is ``L^T L`` plus a diagonal
rest, with r factors ``L (r, m)`` (factor analysis, Jöreskog 1967). Each factor is one common amplitude.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.typing import FloatArray
from astroemu.errors import DataError
from astroemu_plugins.networks.layers import Layers

#: Number of common amplitudes of a prediction. The factors are combined into so many, for the outputs in use. More cost
#: time at every point, and describe the errors of the shipped emulator hardly better.
MODES = 1
#: Largest number of outputs for which the factors are found by factor analysis.
_ANALYSED = 200
#: Steps of the factor analysis.
_STEPS = 40
#: Smallest independent share of a variance.
LEAST_REST = 0.02


@dataclass(frozen=True, eq=False)
class ErrorNetwork:
    """Error of every output of an emulator, as a function of the scaled parameters.

    Attributes
    ----------
    layers : Layers
        Scaled parameters ``(n, d)`` to the logarithms of the errors ``(n, outputs)``.
    loadings : mapping of str to (r, m) array
        Factors of each observable, in units of its errors. The sum of squares over the factors is at most one.

    Raises
    ------
    DataError
        If the layers and the loadings have different numbers of outputs, or a sum of squares exceeds one.
    """

    layers: Layers
    loadings: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        total = sum(factors.shape[1] for factors in self.loadings.values())
        if self.layers.n_outputs != total:
            raise DataError(f"the error network has {self.layers.n_outputs} outputs, but loadings of {total}")
        for name, factors in self.loadings.items():
            if not np.all(np.sum(factors**2, axis=0) <= 1.0 + 1e-6):
                raise DataError(f"the loadings of {name!r} are not finite, or exceed one")

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Callable[[Any, Namespace], dict[str, tuple[Any, Any]]]:
        """Return a function from scaled parameters to errors ``(n, k)`` and factors ``(r, k)`` of wanted outputs."""
        columns, places, width, start = [], {}, 0, 0
        for name, factors in self.loadings.items():
            if name in rows:
                wanted = np.asarray(rows[name], dtype=np.intp)
                columns.append(wanted + start)
                places[name] = (slice(width, width + len(wanted)), strongest_factors(factors[:, wanted]))
                width += len(wanted)
            start += factors.shape[1]
        forward = self.layers.forward(np.concatenate(columns) if columns else np.zeros(0, dtype=np.intp))

        def evaluate(scaled: Any, xp: Namespace) -> dict[str, tuple[Any, Any]]:
            errors = xp.exp(forward(scaled, xp))
            return {name: (errors[:, block], factors) for name, (block, factors) in places.items()}

        return evaluate


def strongest_factors(factors: FloatArray) -> FloatArray:
    """Return at most :data:`MODES` factors ``(r, k)`` of some outputs, in place of all factors ``(all, k)``.

    Of many outputs the strongest directions are taken, since the analysis of a large matrix takes seconds.
    """
    if factors.shape[1] <= _ANALYSED:
        correlation = factors.T @ factors
        correlation[np.diag_indices(len(correlation))] = 1.0
        return factors_of(correlation, MODES)
    _, values, directions = np.linalg.svd(factors, full_matrices=False)
    return np.asarray(values[:MODES, None] * directions[:MODES])


def factors_of(correlation: FloatArray, most: int) -> FloatArray:
    """Return factors ``(r, m)`` of a correlation matrix ``(m, m)``, by factor analysis.

    The likelihood of a Gaussian with the covariance ``L^T L + diag(psi)`` is maximised by the iteration of Jöreskog
    (1967, Psychometrika 32, 443). At the maximum, the mean chi^2 of a vector is its number of elements.
    """
    m = len(correlation)
    if m < 2:  # one number shares all with itself
        return np.ones((1, m))
    r = min(most, m - 1)
    psi = np.full(m, 0.5)
    factors = np.zeros((r, m))
    for _ in range(_STEPS):
        root = np.sqrt(psi)
        values, vectors = np.linalg.eigh(correlation / np.outer(root, root))
        factors = (np.sqrt(np.maximum(values[-r:] - 1.0, 0.0)) * vectors[:, -r:]).T * root
        psi = np.clip(1.0 - np.sum(factors**2, axis=0), LEAST_REST, 1.0)
    return factors * np.sqrt(np.minimum(1.0, (1.0 - psi) / np.maximum(np.sum(factors**2, axis=0), 1e-12)))
