"""A model of astroemu as a simulator and a prior for sbi (Tejero-Cantero et al. 2020, arXiv:2007.09114).

The simulated data are what the panels of the probes show: the data vector of each mock. They include all errors of the
likelihoods, see ``Probe.simulate``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.runtime.optional import import_optional


@dataclass(frozen=True, eq=False)
class SimulatorAndPrior:
    """What sbi needs.

    Attributes
    ----------
    simulator : callable
        ``simulator(theta)`` takes a tensor ``(n, d)`` or ``(d,)`` and returns mock data ``(n, m)`` or ``(m,)``.
    prior : torch.distributions.Distribution
        The joint prior, of event shape ``(d,)``.
    observed : Tensor
        The real data ``(m,)``.
    """

    simulator: Callable[[Any], Any]
    prior: Any
    observed: Any


def simulator_and_prior(model: Model, rng: np.random.Generator) -> SimulatorAndPrior:
    """Return simulator, prior and data of a model, as tensors of PyTorch in single precision.

    Parameters
    ----------
    model : Model
        Each of its probes must draw mock data and show them in panels.
    rng : Generator
        Source of the noise and of the draws of the prior.

    Raises
    ------
    PluginError
        If PyTorch is not installed.
    ConfigurationError
        If a probe has no panels. When the simulator is called: if a probe does not simulate its data, or a point is
        outside the range of an emulator.
    """
    torch = import_optional("torch", "sbi")
    observed = torch.as_tensor(_shown(model.probes), dtype=torch.float32)

    def simulator(theta: Any) -> Any:
        points = np.atleast_2d(np.asarray(theta, dtype=float))
        found = torch.as_tensor(_simulated(model, points, rng), dtype=torch.float32)
        return found if theta.ndim > 1 else found[0]

    return SimulatorAndPrior(simulator, _torch_prior(model.prior, rng), observed)


def _shown(probes: Mapping[str, Probe]) -> FloatArray:
    """Return the data vector ``(m,)`` of all panels."""
    for key, probe in probes.items():
        if not probe.panels():
            raise ConfigurationError(f"the probe {key!r} has no panels, so its data are not known; leave it out")
    return np.concatenate([panel.y for probe in probes.values() for panel in probe.panels()])


def _simulated(model: Model, theta: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return mock data ``(n, m)`` at points ``(n, d)``."""
    inputs = model.probe_inputs(theta)
    return np.stack(
        [_shown({key: _mock(key, i, model, inputs[key], rng) for key in inputs}) for i in range(len(theta))]
    )


def _mock(key: str, i: int, model: Model, inputs: Any, rng: np.random.Generator) -> Probe:
    predictions, parameters = inputs
    one = {name: _row(prediction, i) for name, prediction in predictions.items()}
    try:
        return model.probes[key].simulate(one, {name: values[i : i + 1] for name, values in parameters.items()}, rng)
    except NotImplementedError as reason:
        raise ConfigurationError(f"the probe {key!r} draws no mock data: {reason}. Leave it out") from None


def _row(prediction: Prediction, i: int) -> Prediction:
    parts = (prediction.value, prediction.error, prediction.modes)
    return Prediction(*(None if part is None else part[i : i + 1] for part in parts))


def _inner(edges: FloatArray) -> tuple[Any, Any]:
    """Return the lowest and highest numbers in single precision ``(d,)`` that lie within the edges ``(d, 2)``."""
    low, high = edges.astype(np.float32).T
    low = np.where(low < edges[:, 0], np.nextafter(low, np.float32(np.inf)), low)
    return low, np.where(high > edges[:, 1], np.nextafter(high, np.float32(-np.inf)), high)


def _constraint(low: Any, high: Any, constraints: Any) -> Any:
    """Return the range of one parameter, whose edges may be infinite, in the words of PyTorch."""
    if low > -np.inf:
        return constraints.interval(low, high) if high < np.inf else constraints.greater_than(low)
    return constraints.less_than(high) if high < np.inf else constraints.real


def _torch_prior(prior: Prior, rng: np.random.Generator) -> Any:
    """Return the joint prior as a distribution of PyTorch."""
    import torch
    from torch.distributions import Distribution, constraints

    edges = np.array([parameter.prior.support for parameter in prior.free])
    low, high = (torch.as_tensor(edge) for edge in _inner(edges))
    ranges = [_constraint(a, b, constraints) for a, b in zip(low, high, strict=True)]
    middles = (np.arange(10_000) + 0.5) / 10_000
    quantiles = np.stack([parameter.prior.transform(middles) for parameter in prior.free], axis=1)

    class ModelPrior(Distribution):  # type: ignore[misc]
        """The joint prior of the model."""

        arg_constraints: dict[str, Any] = {}  # noqa: RUF012 (the interface of PyTorch)
        support = constraints.independent(constraints.cat(ranges, dim=-1), 1)

        def __init__(self) -> None:
            super().__init__(event_shape=torch.Size([len(edges)]), validate_args=False)

        def sample(self, sample_shape: Any = ()) -> Any:
            shape = tuple(sample_shape)
            drawn = prior.sample(int(np.prod(shape, dtype=int)), rng)
            # Rounded to single precision, a draw could lie just outside.
            return torch.as_tensor(drawn, dtype=torch.float32).clamp(low, high).reshape(*shape, len(edges))

        def log_prob(self, value: Any) -> Any:
            points = np.asarray(value.detach(), dtype=float).reshape(-1, len(edges))
            return torch.as_tensor(prior.log_density(points), dtype=torch.float32).reshape(value.shape[:-1])

        @property
        def mean(self) -> Any:
            return torch.as_tensor(quantiles.mean(axis=0), dtype=torch.float32)

        @property
        def variance(self) -> Any:
            return torch.as_tensor(quantiles.var(axis=0), dtype=torch.float32)

    return ModelPrior()
