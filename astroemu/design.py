"""Designs: where in the parameter box to simulate."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from astroemu.errors import ConfigurationError, closest, listing
from astroemu.prior import Prior

Array = NDArray[np.float64]
Kind = Literal["sobol", "sobol_edges", "latin_hypercube"]


def design(kind: Kind, prior: Prior, n: int, seed: int) -> Array:
    """Return ``(n, d)`` points that fill the prior.

    Parameters
    ----------
    kind : {"sobol", "sobol_edges", "latin_hypercube"}
        Scrambled Sobol sequence (balanced where ``n`` is a power of two; its first points do not
        change when ``n`` grows), the same with every other point drawn towards the edges of the
        prior by the arcsine distribution, or Latin hypercube. A network trained on an even
        design extrapolates near the edges, where in many dimensions most of the volume lies.
    prior : Prior
    n, seed : int

    Raises
    ------
    ConfigurationError
        For an unknown kind.
    """
    d = len(prior.names)
    if kind == "sobol":
        u = _sobol(d, n, seed)
    elif kind == "sobol_edges":
        u = _sobol(d + 1, n, seed)
        towards_edges = u[:, -1:] < 0.5
        u = np.where(towards_edges, 0.5 - 0.5 * np.cos(np.pi * u[:, :d]), u[:, :d])
    elif kind == "latin_hypercube":
        u = qmc.LatinHypercube(d, rng=np.random.default_rng(seed)).random(n)
    else:
        raise ConfigurationError(
            f"design {kind!r} is not one of {listing(get_args(Kind))}.{closest(kind, get_args(Kind))}"
        )
    return prior.transform(u)


def _sobol(d: int, n: int, seed: int) -> Array:
    exponent = max(int(np.ceil(np.log2(n))), 0)
    return np.asarray(qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)[:n])
