"""Pictures of samples and models by one call.

They are methods of :class:`~astroemu.Samples` and :class:`~astroemu.Model` (:mod:`astroemu.runtime.upper`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from astroemu.core.distributions import Normal
from astroemu.core.parameter import Parameter
from astroemu.core.points import Points, as_points
from astroemu.core.prior import Prior
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing
from astroemu.model.model import Model
from astroemu.report.comparison import colours
from astroemu.report.corner import Layer, layers_figure
from astroemu.report.observables import observables_figure
from astroemu.report.predictive import predictive_figure
from astroemu.report.style import drawable, settings
from astroemu.report.trace import trace_figure
from astroemu.sampling.samples import Samples


def plot_corner(
    samples: Samples,
    names: str | Sequence[str] | None = None,
    *,
    prior: Prior | None = None,
    against: Mapping[str, Samples] | None = None,
    label: str = "",
) -> Any:
    """Return a corner plot; see :meth:`astroemu.Samples.plot_corner`."""
    others = dict(against or {})
    shared = [name for name in samples.names if all(name in other.names for other in others.values())]
    if names is not None:
        shared = _chosen([names] if isinstance(names, str) else names, shared)
    if not shared:
        raise ConfigurationError("these samples have no parameter in common, so there is nothing to draw")
    symbols = known_prior(samples, prior)
    every = [(label or samples.sampler, samples, symbols)]
    every += [(key, other, known_prior(other, other.prior)) for key, other in others.items()]
    layers = [Layer(one, its, colour, key) for (key, one, its), colour in zip(every, colours(len(every)), strict=True)]
    return _ready(layers_figure(layers if others else [Layer(samples, symbols)], shared))


def plot_trace(samples: Samples, *, prior: Prior | None = None) -> Any:
    """Return a trace plot; see :meth:`astroemu.Samples.plot_trace`."""
    return _ready(trace_figure(samples, known_prior(samples, prior)))


def plot_predictive(
    model: Model, samples: Points, probe: str | None = None, *, draws: int = 1000, seed: int = 1
) -> Any:
    """Return the data with the model over samples; see :meth:`astroemu.Model.plot_predictive`."""
    probes = list(model.probes) if probe is None else _chosen([probe], model.probes, "probe")
    figure = predictive_figure(model, probes, _draws(model, samples, draws, seed))
    if figure is None:
        raise ConfigurationError(f"{listing(probes)} have no panels to draw; a probe draws its data by `panels`")
    return _ready(figure)


def plot_observables(model: Model, samples: Points, *, draws: int = 1000, seed: int = 1) -> Any:
    """Return the observables over samples; see :meth:`astroemu.Model.plot_observables`."""
    figure = observables_figure(model, _draws(model, samples, draws, seed))
    if figure is None:
        raise ConfigurationError("no observable of this model has at most two axes, so there is nothing to draw")
    return _ready(figure)


def known_prior(samples: Samples, prior: Prior | None) -> Prior:
    """Return a prior with every parameter of the samples: the given one, else that of the samples.

    A parameter that it lacks has its name as a symbol, and no edges.
    """
    known = prior or samples.prior
    parameters = [
        # Only its edges are used, and it has none.
        known[name] if known is not None and name in known else Parameter(name, Normal(0.0, 1.0))
        for name in samples.names
    ]
    return Prior(tuple(parameters))


def _draws(model: Model, samples: Points, draws: int, seed: int) -> FloatArray:
    """Return equally weighted points, with the columns in the order of the model."""
    if not isinstance(samples, Samples):
        return as_points(samples, model.names, fixed=model.prior.fixed)
    if draws < 1:
        raise ConfigurationError(f"draws = {draws} must be at least 1")
    theta = samples.equal_weight(draws, np.random.default_rng(seed))
    return as_points(dict(zip(samples.names, theta.T, strict=True)), model.names, fixed=model.prior.fixed)


def _chosen(wanted: Iterable[str], known: Iterable[str], what: str = "parameter") -> list[str]:
    wanted, known = list(wanted), list(known)
    for name in wanted:
        if name not in known:
            raise ConfigurationError(f"there is no {what} {name!r}.{closest(name, known)} There are {listing(known)}")
    return wanted


def _ready(figure: Any) -> Any:
    """Return a figure whose ticks have been made, and whose texts can be drawn."""
    with settings():
        drawable(figure, figure.draw_without_rendering)
    return figure
