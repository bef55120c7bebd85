"""A model of astroemu as a likelihood of Cobaya (Torrado & Lewis 2021, arXiv:2005.05290)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from astroemu.core.distributions import Distribution, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model


def cobaya_input(model: Model, name: str = "astroemu") -> dict[str, Any]:
    """Return the blocks ``likelihood`` and ``params`` of an input of Cobaya, without a sampler.

    Parameters
    ----------
    model : Model
    name : str
        Name of the likelihood in Cobaya.

    Returns
    -------
    dict
        Add ``sampler``, and other likelihoods if needed, and give it to ``cobaya.run``. Fixed parameters stay inside
        the likelihood.

    Raises
    ------
    ConfigurationError
        If a prior has no counterpart in Cobaya.
    """
    model.prior.demand_independent("Cobaya")
    external = {"external": _likelihood(model), "input_params": list(model.names)}
    return {"likelihood": {name: external}, "params": {p.name: _entry(p) for p in model.prior.free}}


def _likelihood(model: Model) -> Callable[..., float]:
    def log_likelihood(**parameters: float) -> float:
        return float(model.log_likelihood(np.array([[parameters[name] for name in model.names]]))[0])

    return log_likelihood


def _entry(parameter: Parameter) -> dict[str, Any]:
    entry: dict[str, Any] = {"prior": _prior(parameter.prior, parameter.name)}
    return entry | ({"latex": parameter.latex} if parameter.latex else {})


def _prior(prior: Distribution, name: str) -> dict[str, Any]:
    if isinstance(prior, Uniform):
        return {"min": prior.low, "max": prior.high}
    if isinstance(prior, LogUniform):
        return {"dist": "loguniform", "a": prior.low, "b": prior.high}
    if isinstance(prior, Normal):
        return {"dist": "norm", "loc": prior.mean, "scale": prior.std}
    if isinstance(prior, TruncatedNormal):
        low, high = ((edge - prior.mean) / prior.std for edge in prior.support)
        return {"dist": "truncnorm", "loc": prior.mean, "scale": prior.std, "a": low, "b": high}
    raise ConfigurationError(f"the prior {prior.kind!r} of {name!r} has no counterpart in Cobaya")
