"""Designs: where in the parameter box to simulate."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from astroemu.prior import Prior

Array = NDArray[np.float64]
Kind = Literal["sobol", "latin_hypercube"]


def design(kind: Kind, prior: Prior, n: int, seed: int) -> Array:
    """Return ``(n, d)`` points that fill the prior evenly.

    Parameters
    ----------
    kind : {"sobol", "latin_hypercube"}
        Scrambled Sobol sequence (balanced where ``n`` is a power of two; its first points do not
        change when ``n`` grows) or Latin hypercube.
    prior : Prior
    n, seed : int
    """
    d = len(prior.names)
    if kind == "sobol":
        exponent = max(int(np.ceil(np.log2(n))), 0)
        u = qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)[:n]
    else:
        u = qmc.LatinHypercube(d, rng=np.random.default_rng(seed)).random(n)
    return prior.transform(u)
