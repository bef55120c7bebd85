"""Designs: the points of a parameter box at which simulations run."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import scipy

from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing, located

DesignKind = Literal["sobol", "sobol_edges", "latin_hypercube"]


def design(
    kind: DesignKind, prior: Prior, n: int, seed: int, core: Prior | None = None, core_share: float = 0.5
) -> FloatArray:
    """Return ``n`` points that fill the prior.

    Parameters
    ----------
    kind : {"sobol", "sobol_edges", "latin_hypercube"}
        ``sobol``: a scrambled Sobol sequence. It is balanced if ``n`` is a power of two, and its first points do not
        change when ``n`` grows. ``sobol_edges``: the same, with half of the points drawn towards the edges of the
        prior by the arcsine distribution. A network trained on an even design extrapolates near the edges, where
        most of the volume lies in many dimensions. ``latin_hypercube``: a Latin hypercube.
    prior : Prior
        The parameter box. Fixed parameters are not columns of the design.
    n, seed : int
    core : Prior, optional
        Densities of parameters where posteriors are expected. A fraction of the points, drawn at random, follows
        them, truncated to the prior. The complete box is still covered, but more points lie where fits need them.
    core_share : float
        That fraction, between 0 and 1.

    Returns
    -------
    (n, d) array
        In the units of the parameters; columns as ``prior.names``.

    Raises
    ------
    ConfigurationError
        If the kind is unknown. If a core parameter is not in the prior, is fixed, or has a density without overlap
        with the prior.
    """
    d = len(prior.names)
    # Each choice between two densities needs one more coordinate.
    if kind == "sobol":
        u = _sobol(d + (core is not None), n, seed)
        points = prior.transform(u[:, :d])
    elif kind == "sobol_edges":
        u = _sobol(d + 1 + (core is not None), n, seed)
        towards_edges = u[:, d, None] < 0.5
        points = prior.transform(np.where(towards_edges, 0.5 - 0.5 * np.cos(np.pi * u[:, :d]), u[:, :d]))
    elif kind == "latin_hypercube":
        u = scipy.stats.qmc.LatinHypercube(d + (core is not None), rng=np.random.default_rng(seed)).random(n)
        points = prior.transform(u[:, :d])
    else:
        raise ConfigurationError(
            f"design {kind!r} is not one of {listing(get_args(DesignKind))}.{closest(kind, get_args(DesignKind))}"
        )
    if core is not None:
        in_core = u[:, -1] < core_share
        for p in core.parameters:
            column = _column(p, prior)
            with located(f"the core of the design, {p.name!r}"):
                density = p.prior.truncated(*prior[p.name].prior.support)
            points[in_core, column] = density.transform(u[in_core, column])
    return points


def _column(p: Parameter, prior: Prior) -> int:
    if p.name not in prior.names:
        raise ConfigurationError(
            f"the core of the design has {p.name!r}, not a parameter of its box.{closest(p.name, prior.names)} "
            f"The box has {listing(prior.names)}"
        )
    if p.is_fixed:
        raise ConfigurationError(f"the core of the design fixes {p.name!r}; give it a density, or leave it out")
    return prior.names.index(p.name)


def _sobol(d: int, n: int, seed: int) -> FloatArray:
    exponent = max(int(np.ceil(np.log2(n))), 0)
    return np.asarray(
        scipy.stats.qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)[:n]
    )
