"""The joint prior of parameters in a fixed order.

The prior defines the order of the columns of ``theta``. Fixed parameters are part of the prior, but not of ``theta``.
A sampler never receives them. Parameters are independent, except those of a joint prior
(:class:`~astroemu.core.joint_prior.JointPrior`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from astroemu.core.bounded_prior import BoundedByOthers
from astroemu.core.joint_prior import JointPrior
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing
from astroemu.runtime.upper import upper


@dataclass(frozen=True)
class Prior:
    """Joint prior of parameters.

    In the methods below, n is the number of points and d the number of free parameters. Values of a parameter are in
    its unit.

    Attributes
    ----------
    parameters : tuple of Parameter
        Free and fixed ones, in order. A parameter of a joint prior has the distribution ``joint.marginal(name)``.
    joint : tuple of JointPrior
        Priors of several parameters together, and of parameters whose bounds are other parameters. All other
        parameters are independent.

    Raises
    ------
    ConfigurationError
        If a name is given twice, no parameter is free, or the joint priors do not fit the parameters or each other.
    """

    parameters: tuple[Parameter, ...]
    joint: tuple[JointPrior, ...] = ()

    def __post_init__(self) -> None:
        doubled = [name for name, count in Counter(p.name for p in self.parameters).items() if count > 1]
        if doubled:
            raise ConfigurationError(f"parameter {doubled[0]!r} is given twice; keep one of the two")
        if not self.free:
            raise ConfigurationError("every parameter is fixed, so there is nothing to infer; free one")
        _check_members(self)
        _ = self._blocks  # refuses a circle
        for block in self.joint:
            _demand_room(self, block)

    @cached_property
    def free(self) -> tuple[Parameter, ...]:
        """Sampled parameters, in the order of the columns of ``theta``."""
        return tuple(p for p in self.parameters if not p.is_fixed)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the sampled parameters, in the order of the columns of ``theta``."""
        return tuple(p.name for p in self.free)

    @cached_property
    def fixed(self) -> dict[str, float]:
        """Values of the fixed parameters, by name."""
        return {p.name: p.prior.support[0] for p in self.parameters if p.is_fixed}

    @cached_property
    def _blocks(self) -> tuple[tuple[JointPrior, list[int], list[int]], ...]:
        """The joint priors, each after those that it depends on, with the columns of its parameters and of the others.

        Raises
        ------
        ConfigurationError
            If they depend on each other in a circle.
        """
        owner = {name: block for block in self.joint for name in block.names}
        order: list[JointPrior] = []

        def visit(block: JointPrior, above: tuple[str, ...]) -> None:
            if block in order:
                return
            first = block.names[0]
            if first in above:
                circle = " -> ".join((*above[above.index(first) :], first))
                raise ConfigurationError(f"the bounds of the priors form a circle: {circle}; give one of them a number")
            for name in block.given:
                if name in owner:
                    visit(owner[name], (*above, first))
            order.append(block)

        for block in self.joint:
            visit(block, ())
        place = {name: j for j, name in enumerate(self.names)}
        return tuple((b, [place[name] for name in b.names], [place[name] for name in b.given]) for b in order)

    @cached_property
    def _independent(self) -> tuple[tuple[int, Parameter], ...]:
        """Columns and parameters without a joint prior."""
        members = {name for block in self.joint for name in block.names}
        return tuple((j, p) for j, p in enumerate(self.free) if p.name not in members)

    def __getitem__(self, name: str) -> Parameter:
        for p in self.parameters:
            if p.name == name:
                return p
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(p.name == name for p in self.parameters)

    def transform(self, u: FloatArray) -> FloatArray:
        """Return the parameters ``(n, d)`` of points ``(n, d)`` of the unit cube."""
        u = np.asarray(u, dtype=float)
        columns = [np.zeros(0)] * len(self.free)
        for j, p in self._independent:
            columns[j] = p.prior.transform(u[:, j])
        for block, own, given in self._blocks:
            others = np.stack([columns[j] for j in given], axis=1) if given else np.zeros((len(u), 0))
            x = block.transform(u[:, own], others)
            for column, j in enumerate(own):
                columns[j] = x[:, column]
        return np.stack(columns, axis=1)

    def slope(self, u: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of each parameter with respect to its ``u``, which is 1 / density.

        Raises
        ------
        ConfigurationError
            If a parameter depends on the ``u`` of others too. Use :meth:`pullback` then.
        """
        self.demand_independent("a slope for each parameter")
        theta = self.transform(u)
        with np.errstate(over="ignore"):
            return np.stack([np.exp(-p.prior.log_density(theta[:, j])) for j, p in enumerate(self.free)], axis=1)

    def pullback(self, u: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return the gradient ``(n, d)`` of a function with respect to ``u``, from that with respect to ``theta``."""
        if not self.joint:
            return gradient * self.slope(u)
        u, theta = np.asarray(u, dtype=float), self.transform(u)
        total, found = np.array(gradient, dtype=float), np.zeros(np.shape(u))
        with np.errstate(over="ignore", invalid="ignore"):
            for block, own, given in reversed(self._blocks):
                found[:, own], added = block.pullback(u[:, own], theta[:, own], theta[:, given], total[:, own])
                total[:, given] += added
            for j, p in self._independent:
                found[:, j] = total[:, j] * np.exp(-p.prior.log_density(theta[:, j]))
        return found

    def log_density(self, theta: FloatArray) -> FloatArray:
        """Return the log prior density ``(n,)`` of points ``(n, d)``."""
        theta = np.asarray(theta, dtype=float)
        total = np.zeros(len(theta))
        for j, p in self._independent:
            total += p.prior.log_density(theta[:, j])
        for block, own, given in self._blocks:
            total += block.log_density(theta[:, own], theta[:, given])
        return total

    def log_density_slope(self, theta: FloatArray) -> FloatArray:
        """Return the derivative ``(n, d)`` of the log prior density with respect to each parameter."""
        theta = np.asarray(theta, dtype=float)
        found = np.zeros(theta.shape)
        for j, p in self._independent:
            found[:, j] = p.prior.log_density_slope(theta[:, j])
        for block, own, given in self._blocks:
            slope, added = block.log_density_slope(theta[:, own], theta[:, given])
            found[:, own] += slope
            found[:, given] += added
        return found

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return points ``(n, d)`` drawn from the prior."""
        return self.transform(rng.random((n, len(self.free))))

    def truncated(self, box: Mapping[str, tuple[float, float]]) -> Prior:
        """Return this prior restricted to a box.

        Parameters
        ----------
        box : mapping of str to (float, float)
            Lower and upper edge by parameter name. Other names are ignored.

        Raises
        ------
        ConfigurationError
            If the prior of a parameter does not overlap with its range.
        """
        joint = tuple(block.truncated(box) if {*box} & {*block.names} else block for block in self.joint)
        priors = {name: p.prior.truncated(*box[name]) for p in self.parameters if (name := p.name) in box}
        priors |= {name: block.marginal(name) for block in joint for name in block.names}
        return Prior(tuple(replace(p, prior=priors.get(p.name, p.prior)) for p in self.parameters), joint)

    def _repr_html_(self) -> str:
        return str(upper("prior_html")(self))

    def merged(self, extra: Iterable[Parameter]) -> Prior:
        """Return this prior with further parameters appended."""
        return replace(self, parameters=(*self.parameters, *extra))

    def demand_independent(self, what: str) -> None:
        """Raise an error if a parameter depends on others.

        Parameters
        ----------
        what : str
            What needs independent parameters, for the message.

        Raises
        ------
        ConfigurationError
        """
        if self.joint:
            names = listing({name for block in self.joint for name in (*block.names, *block.given)})
            raise ConfigurationError(f"{what}: possible for independent priors only, but those of {names} are not")


def _check_members(prior: Prior) -> None:
    """Raise an error unless each joint prior is one of free parameters, with the right marginal distributions."""
    owner: dict[str, JointPrior] = {}
    for block in prior.joint:
        for name in (*block.names, *block.given):
            if name not in prior.names:
                why = "is fixed" if name in prior.fixed else "is no parameter"
                raise ConfigurationError(
                    f"{name!r} {why}, but the prior of {listing(block.names)} depends on it."
                    f"{closest(name, prior.names)} Parameters: {listing(prior.names)}"
                )
        for name in block.names:
            if name in owner:
                raise ConfigurationError(f"{name!r} has two joint priors; keep one of them")
            owner[name] = block
            if prior[name].prior != block.marginal(name):
                raise ConfigurationError(f"{name!r} has a prior of its own and a joint prior; keep one of the two")


def _demand_room(prior: Prior, block: JointPrior) -> None:
    """Raise an error if a bound that is a parameter can leave no room."""
    if not isinstance(block, BoundedByOthers):
        return
    low, high = block.base.support
    if block.low is not None and (most := prior[block.low].prior.support[1]) > high:
        raise ConfigurationError(_no_room(block.name, "low", block.low, f"reaches {most:g}, above {high:g}"))
    if block.high is not None and (least := prior[block.high].prior.support[0]) < low:
        raise ConfigurationError(_no_room(block.name, "high", block.high, f"begins at {least:g}, below {low:g}"))
    if block.low is not None and block.high is not None:
        above = [b for b in prior.joint if isinstance(b, BoundedByOthers) and b.name == block.high]
        chained = any(other.low == block.low for other in above)
        if prior[block.low].prior.support[1] > prior[block.high].prior.support[0] and not chained:
            raise ConfigurationError(
                f"{block.name!r} has the bounds {block.low!r} and {block.high!r}, which may be in the other order. "
                f'Give {block.high!r} the bound low = "{block.low}" too'
            )


def _no_room(name: str, key: str, bound: str, why: str) -> str:
    return f"{name!r} has the bound {key} = {bound!r}, whose prior {why}, so that no room is left; narrow {bound!r}"
