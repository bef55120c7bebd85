"""A model of astroemu as a function of JAX, and as a model of NumPyro (Phan et al. 2019, arXiv:1912.11554).

The functions can be traced, differentiated and compiled together with other code. JAX's double precision has to be
enabled for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from astroemu.core.distributions import Distribution, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.runtime.optional import import_optional


def log_likelihood(model: Model) -> Callable[[Any], Any]:
    """Return the joint log-likelihood as a function of JAX.

    Parameters
    ----------
    model : Model

    Returns
    -------
    callable
        ``f(theta)`` takes ``(d,)`` in the order of ``model.names`` and returns a single number. It is minus infinity
        outside the range of a provider.

    Raises
    ------
    PluginError
        If JAX is not installed.
    ConfigurationError
        If JAX's double precision is off, or a part of the model cannot be traced.
    """
    jax = import_optional("jax", "jax")
    if not jax.config.jax_enable_x64:
        raise ConfigurationError(
            "JAX computes in single precision here. Call jax.config.update('jax_enable_x64', True) where your program "
            "starts"
        )
    model.pipeline.demand_gradient("jax")
    from astroemu.model.backends.jax import namespace

    xp, pipeline = namespace(), model.pipeline

    def evaluate(theta: Any) -> Any:
        point = jax.numpy.asarray(theta)[None]
        found, inside = pipeline.log_likelihoods(point, xp)
        total = xp.sum(xp.stack(list(found.values()), axis=0), axis=0)[0]
        good = xp.all((point >= pipeline.low) & (point <= pipeline.high)) & ~jax.numpy.isnan(total)
        return xp.where(good if inside is None else good & inside[0], total, -np.inf)

    return evaluate


def log_density(model: Model) -> Callable[[Any], Any]:
    """Return the log-posterior density, without the evidence, as a function of JAX.

    It is the sum of :func:`log_likelihood` and of the normalised log prior; arguments and errors are the same.
    """
    model.prior.demand_independent("JAX")
    likelihood = log_likelihood(model)
    priors = [_log_prior(parameter) for parameter in model.prior.free]

    def evaluate(theta: Any) -> Any:
        return likelihood(theta) + sum(prior(theta[j]) for j, prior in enumerate(priors))

    return evaluate


def numpyro_model(model: Model) -> Callable[[], None]:
    """Return a model of NumPyro, for its samplers. Its sites have the names of the parameters.

    Parameters
    ----------
    model : Model

    Raises
    ------
    PluginError
        If NumPyro is not installed.
    ConfigurationError
        As :func:`log_likelihood`.
    """
    model.prior.demand_independent("NumPyro")
    numpyro = import_optional("numpyro", "nuts")
    import jax.numpy as jnp

    likelihood = log_likelihood(model)
    sites = {parameter.name: _numpyro_prior(parameter, numpyro.distributions) for parameter in model.prior.free}

    def sites_and_factor() -> None:
        theta = jnp.stack([numpyro.sample(name, prior) for name, prior in sites.items()])
        numpyro.factor("log_likelihood", likelihood(theta))

    return sites_and_factor


def _log_prior(parameter: Parameter) -> Callable[[Any], Any]:
    """Return the log prior density as a function of JAX. Its normalisation is taken from the prior itself."""
    import jax.numpy as jnp

    prior = parameter.prior
    low, high = prior.support
    middle = float(prior.transform(np.array(0.5)))
    constant = float(prior.log_density(np.array(middle))) - float(_shape(prior, np, middle, parameter.name))

    def evaluate(x: Any) -> Any:
        inside = (x >= low) & (x <= high)
        return jnp.where(inside, _shape(prior, jnp, jnp.where(inside, x, middle), parameter.name) + constant, -jnp.inf)

    return evaluate


def _shape(prior: Distribution, xp: Any, x: Any, name: str) -> Any:
    """Return the logarithm of a density up to a constant."""
    if isinstance(prior, Uniform):
        return 0.0 * x
    if isinstance(prior, LogUniform):
        return -xp.log(x)
    if isinstance(prior, Normal | TruncatedNormal):
        return -0.5 * ((x - prior.mean) / prior.std) ** 2
    raise ConfigurationError(f"the prior {prior.kind!r} of {name!r} has no counterpart in JAX")


def _numpyro_prior(parameter: Parameter, distributions: Any) -> Any:
    prior = parameter.prior
    if isinstance(prior, Uniform):
        return distributions.Uniform(prior.low, prior.high)
    if isinstance(prior, LogUniform):
        return distributions.LogUniform(prior.low, prior.high)
    if isinstance(prior, Normal):
        return distributions.Normal(prior.mean, prior.std)
    if isinstance(prior, TruncatedNormal):
        low, high = (edge if np.isfinite(edge) else None for edge in prior.support)
        return distributions.TruncatedNormal(prior.mean, prior.std, low=low, high=high)
    raise ConfigurationError(f"the prior {prior.kind!r} of {parameter.name!r} has no counterpart in NumPyro")
