"""Priors of Cobaya, which are distributions of SciPy, as priors of astroemu."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from astroemu.core.distributions import Distribution, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.errors import ConfigurationError, listing

_Numbers = Mapping[str, float]


def _uniform(given: _Numbers) -> Distribution:
    return Uniform(given["loc"], given["loc"] + given["scale"])


def _normal(given: _Numbers) -> Distribution:
    return Normal(given["loc"], given["scale"])


def _half_normal(given: _Numbers) -> Distribution:
    return TruncatedNormal(given["loc"], given["scale"], low=given["loc"])


def _truncated(given: _Numbers) -> Distribution:
    loc, scale = given["loc"], given["scale"]
    return TruncatedNormal(loc, scale, loc + given["a"] * scale, loc + given["b"] * scale)


def _log_uniform(given: _Numbers) -> Distribution:
    if given["loc"] != 0.0:
        raise ConfigurationError(f"loc = {given['loc']} of a loguniform prior has no counterpart; it must be 0")
    return LogUniform(given["a"] * given["scale"], given["b"] * given["scale"])


#: Our counterpart of each distribution, by SciPy's name.
_COUNTERPARTS: Mapping[str, Callable[[_Numbers], Distribution]] = {
    "uniform": _uniform,
    "norm": _normal,
    "halfnorm": _half_normal,
    "truncnorm": _truncated,
    "loguniform": _log_uniform,
    "reciprocal": _log_uniform,
}


def distribution_of(frozen: Any, name: str) -> Distribution:
    """Return the counterpart of a frozen distribution of ``scipy.stats``.

    Parameters
    ----------
    frozen : rv_frozen
        Its numbers were given by keyword, as Cobaya does.
    name : str
        The parameter, for the error message.

    Raises
    ------
    ConfigurationError
        If the distribution has no counterpart.
    """
    kind = str(frozen.dist.name)
    if kind not in _COUNTERPARTS:
        raise ConfigurationError(
            f"the prior of {name!r} is {kind!r}, which has no counterpart in astroemu; those of "
            f"{listing(_COUNTERPARTS)} have one. Give it another prior in the option `options`: params = "
            f"{{{name} = {{prior = {{min = ..., max = ...}}}}}}"
        )
    given = {"loc": 0.0, "scale": 1.0, **frozen.kwds}
    try:
        return _COUNTERPARTS[kind]({key: float(value) for key, value in given.items()})
    except ConfigurationError as error:
        raise ConfigurationError(f"the prior of {name!r}: {error}") from None
