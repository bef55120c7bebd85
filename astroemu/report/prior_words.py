"""Priors in words, also those that are not independent of each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from astroemu.core.bounded_prior import BoundedByOthers
from astroemu.core.distributions import Distribution
from astroemu.core.joint_prior import JointPrior, OrderedUniform
from astroemu.core.posterior_prior import PosteriorPrior
from astroemu.core.prior import Prior

#: Probabilities of the ends of a 68 % interval.
_ONE_SIGMA = (0.158655, 0.841345)


def prior_words(prior: Prior, name: str) -> str:
    """Return the prior of one parameter in words, with its unit and the parameters that it depends on."""
    parameter, block = prior[name], next((block for block in prior.joint if name in block.names), None)
    if isinstance(block, BoundedByOthers):
        named = {key: bound for key, bound in (("low", block.low), ("high", block.high)) if bound is not None}
        return f"{distribution_words(block.base, named)} {parameter.unit}".rstrip()
    if isinstance(block, PosteriorPrior):
        low, high = parameter.prior.transform(np.array(_ONE_SIGMA))
        words = f"posterior of former samples, 68 % in {low:.4g} to {high:.4g}"
    else:
        words = distribution_words(parameter.prior)
    words = f"{words} {parameter.unit}".rstrip()
    return words if block is None else words + _together(block, name)


def _together(block: JointPrior, name: str) -> str:
    """Return what joins a parameter to the others of its prior."""
    if isinstance(block, OrderedUniform):
        return f", where {' < '.join(block.names)}"
    others = [other for other in block.names if other != name]
    return f", correlated with {', '.join(others)}" if others else ""


def distribution_words(distribution: Distribution, named: Mapping[str, str] | None = None) -> str:
    """Return a distribution in words, such as ``uniform, low -3, high 0``.

    Parameters
    ----------
    distribution : Distribution
    named : mapping of str to str, optional
        Parameters that stand for some of its numbers.
    """
    numbers = {field.name: getattr(distribution, field.name) for field in dataclasses.fields(distribution)}
    known = {name: value for name, value in numbers.items() if isinstance(value, int | float) and not math.isinf(value)}
    texts = {name: f"{value:.6g}" for name, value in known.items()} | dict(named or {})
    return ", ".join([distribution.kind, *(f"{name} {text}" for name, text in texts.items())])
