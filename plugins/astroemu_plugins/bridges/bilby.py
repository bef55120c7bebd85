"""A model of astroemu as a likelihood and priors of bilby (Ashton et al. 2019, arXiv:1811.02042)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.distributions import LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.runtime.optional import import_optional


def bilby_likelihood(model: Model) -> tuple[Any, Any]:
    """Return a ``bilby.Likelihood`` and a ``bilby.core.prior.PriorDict``, for ``bilby.run_sampler``.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Likelihood
        Its log-likelihood is minus infinity where the model has none.
    PriorDict
        The sampled parameters. Fixed ones stay inside the likelihood.

    Raises
    ------
    PluginError
        If bilby is not installed.
    ConfigurationError
        If a prior has no counterpart in bilby.
    """
    bilby = import_optional("bilby", "bilby")

    class ModelLikelihood(bilby.Likelihood):  # type: ignore[misc, name-defined]
        """The joint likelihood of the model."""

        def log_likelihood(self, parameters: Mapping[str, float]) -> float:
            return float(model.log_likelihood(np.array([[parameters[name] for name in model.names]]))[0])

    model.prior.demand_independent("bilby")
    priors = {parameter.name: _prior(parameter, bilby.core.prior) for parameter in model.prior.free}
    return ModelLikelihood(), bilby.core.prior.PriorDict(priors)


def _prior(parameter: Parameter, priors: Any) -> Any:
    prior, label = parameter.prior, {"name": parameter.name, "latex_label": parameter.label}
    if isinstance(prior, Uniform):
        return priors.Uniform(prior.low, prior.high, **label)
    if isinstance(prior, LogUniform):
        return priors.LogUniform(prior.low, prior.high, **label)
    if isinstance(prior, Normal):
        return priors.Gaussian(prior.mean, prior.std, **label)
    if isinstance(prior, TruncatedNormal):
        return priors.TruncatedGaussian(prior.mean, prior.std, *prior.support, **label)
    raise ConfigurationError(f"the prior {prior.kind!r} of {parameter.name!r} has no counterpart in bilby")
