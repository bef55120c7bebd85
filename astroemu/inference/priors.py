"""The prior of a configuration: ``[parameters]``, bounds that are parameters, and ``[joint_priors]``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from astroemu.core.bounded_prior import BOUNDED, BoundedByOthers
from astroemu.core.correlated_normal import CorrelatedNormal
from astroemu.core.distribution_base import Distribution
from astroemu.core.distributions import DISTRIBUTIONS
from astroemu.core.joint_prior import JointPrior, OrderedUniform
from astroemu.core.parameter import Parameter, parameter_from
from astroemu.core.posterior_prior import PosteriorPrior
from astroemu.core.prior import Prior
from astroemu.errors import ConfigurationError, RunWarning, closest, listing, located
from astroemu.io.files import sha256
from astroemu.io.paths import FileName
from astroemu.runtime.options import validate_options
from astroemu.sampling.samples import Samples

Where = Callable[..., str]
Table = Mapping[str, Any]
#: Keys of a parameter that has a joint prior.
_LABELS = ("latex", "unit")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameters: list[str]


class NormalTable(_Table):
    """``distribution = "normal"``: a mean, and a covariance or standard deviations with a correlation."""

    distribution: Literal["normal"]
    mean: list[float]
    covariance: list[list[float]] | None = None
    std: list[float] | None = None
    correlation: list[list[float]] | None = None
    low: list[float] | None = None
    high: list[float] | None = None

    def joint(self) -> JointPrior:
        """Return the prior of the table."""
        names = tuple(self.parameters)
        if (self.covariance is None) == (self.std is None) or (self.std is None) != (self.correlation is None):
            raise ConfigurationError("give `covariance`, or `std` and `correlation`")
        if self.covariance is not None:
            return CorrelatedNormal(names, self.mean, self.covariance, self.low, self.high)
        made = CorrelatedNormal.of_correlation(names, self.mean, self.std, self.correlation)
        return CorrelatedNormal(names, made.mean, made.covariance, self.low, self.high)


class OrderedTable(_Table):
    """``distribution = "ordered"``: flat where the parameters increase in their order."""

    distribution: Literal["ordered"]
    low: float
    high: float

    def joint(self) -> JointPrior:
        """Return the prior of the table."""
        return OrderedUniform(tuple(self.parameters), self.low, self.high)


class PosteriorTable(_Table):
    """``distribution = "posterior"``: the samples of a former run."""

    distribution: Literal["posterior"]
    samples: FileName

    def joint(self) -> JointPrior:
        """Return the prior of the table."""
        path = Path(self.samples)
        if path.is_dir():
            raise ConfigurationError(f"samples = {self.samples!r} is a folder; name the file: {path / 'samples.h5'}")
        samples = Samples.load(path)
        for name in self.parameters:
            if name not in samples.names:
                raise ConfigurationError(
                    f"{path} has no samples of {name!r}.{closest(name, samples.names)} It has {listing(samples.names)}"
                )
        if not samples.converged:
            warnings.warn(f"{path}: the run that is used as a prior has not converged", RunWarning, stacklevel=2)
        theta = samples.theta[:, [samples.names.index(name) for name in self.parameters]]
        return PosteriorPrior.of(tuple(self.parameters), theta, samples.weight, samples.ess, sha256(path))


#: Schema of the tables by distribution.
JOINT_TABLES: Mapping[str, type[NormalTable] | type[OrderedTable] | type[PosteriorTable]] = {
    "normal": NormalTable,
    "ordered": OrderedTable,
    "posterior": PosteriorTable,
}


def prior_from(parameters: Mapping[str, Table], joint: Mapping[str, Table], where: Where, base: Path) -> Prior:
    """Return the prior of the tables of a configuration.

    The order is that of ``[parameters]``. Parameters that only a joint prior names come after them.

    Parameters
    ----------
    parameters, joint : mapping of str to mapping
        ``[parameters]`` and ``[joint_priors]``.
    where : callable
        Returns the place of a table for messages.
    base : Path
        Folder from which relative paths count.

    Raises
    ------
    ConfigurationError
        If a table is wrong, or the priors do not fit each other.
    DataError
        If a file of samples cannot be read.
    """
    blocks = [_joint(table, where("joint_priors", name), base) for name, table in joint.items()]
    member = {name: block.marginal(name) for block in blocks for name in block.names}
    places = {name: f"joint_priors.{key}" for key, block in zip(joint, blocks, strict=True) for name in block.names}
    made = _Parameters(parameters, member, places, where)
    found = [made.parameter(name) for name in parameters]
    found += [Parameter(name, prior) for name, prior in member.items() if name not in parameters]
    with located(where("parameters")):
        return Prior(tuple(found), (*blocks, *made.bounded.values()))


def members_of(joint: Mapping[str, Table]) -> dict[str, tuple[str, ...]]:
    """Return the parameters of each joint prior, as written."""
    names = {key: table.get("parameters", ()) for key, table in joint.items()}
    return {key: tuple(map(str, each)) if isinstance(each, list) else () for key, each in names.items()}


def without_parameters(raw: Mapping[str, Any], dropped: Collection[str], path: Path) -> dict[str, Any]:
    """Return a configuration without the priors of some parameters.

    Raises
    ------
    ConfigurationError
        If the prior of a parameter that stays depends on one of them.
    """
    joint = {}
    for key, names in members_of(raw.get("joint_priors", {})).items():
        gone = [name for name in names if name in dropped]
        if gone and len(gone) < len(names):
            raise ConfigurationError(
                f"{path}, [joint_priors.{key}]: nothing uses {listing(gone)} any more, but the other parameters stay. "
                "Give these a prior of their own"
            )
        if not gone:
            joint[key] = raw["joint_priors"][key]
    left = {name: table for name, table in raw["parameters"].items() if name not in dropped}
    for name, table in left.items():
        for key in ("low", "high"):
            if isinstance(table.get(key), str) and table[key] in dropped:
                raise ConfigurationError(
                    f"{path}, [parameters.{name}]: nothing uses its bound {key} = {table[key]!r} now; give a number"
                )
    found = {**raw, "parameters": left}
    return {**found, "joint_priors": joint} if "joint_priors" in raw else found


def _joint(table: Table, where: str, base: Path) -> JointPrior:
    kind = table.get("distribution")
    if not isinstance(kind, str) or kind not in JOINT_TABLES:
        hint = closest(str(kind), JOINT_TABLES)
        raise ConfigurationError(f"{where}: distribution = {kind!r} is not one of {listing(JOINT_TABLES)}.{hint}")
    checked = validate_options(JOINT_TABLES[kind], dict(table), where, base)
    with located(where):
        made: JointPrior = checked.joint()
    return made


class _Parameters:
    """The tables of ``[parameters]``, of which some take a bound from others."""

    def __init__(
        self, tables: Mapping[str, Table], member: Mapping[str, Distribution], places: Mapping[str, str], where: Where
    ) -> None:
        self._tables, self._member, self._places, self._where = tables, member, places, where
        self._found: dict[str, Parameter] = {}
        #: Priors with a bound that is a parameter, by the name of the parameter that they are of.
        self.bounded: dict[str, BoundedByOthers] = {}

    def parameter(self, name: str, above: tuple[str, ...] = ()) -> Parameter:
        """Return one parameter, after those that are its bounds."""
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise ConfigurationError(
                f"{self._where('parameters', name)}: the bounds form a circle: {circle}; give one of them a number"
            )
        if name not in self._found:
            self._found[name] = self._read(name, (*above, name))
        return self._found[name]

    def _read(self, name: str, above: tuple[str, ...]) -> Parameter:
        spec, where = self._tables[name], self._where("parameters", name)
        if name in self._member:
            return self._labelled(name, spec, where)
        kind = spec.get("distribution")
        named = {key: spec[key] for key in ("low", "high") if _is_name(spec.get(key))}
        if not named or not isinstance(kind, str) or kind not in DISTRIBUTIONS:
            return parameter_from(name, spec, where)
        return self._between(name, spec, named, where, above)

    def _labelled(self, name: str, spec: Table, where: str) -> Parameter:
        """Return a parameter of a joint prior, whose own table may state its labels only."""
        other = [key for key in spec if key not in _LABELS]
        if other:
            raise ConfigurationError(
                f"{where}: {name!r} has a prior in [{self._places[name]}]; remove {listing(other)}, or {name!r} there"
            )
        labels = parameter_from(name, {**spec, "distribution": "fixed", "value": 0.0}, where)
        return Parameter(name, self._member[name], labels.latex, labels.unit)

    def _between(
        self, name: str, spec: Table, named: Mapping[str, str], where: str, above: tuple[str, ...]
    ) -> Parameter:
        """Return a parameter with named bounds. A bound that is fixed is a number."""
        numbers: dict[str, Any] = dict(spec)
        bounds: dict[str, str] = {}
        for key, bound in named.items():
            other = self._bound(bound, f"{where}: {key}", above)
            edge = other.prior.support[0 if key == "low" else 1]
            if math.isinf(edge) and spec["distribution"] != "truncated_normal":
                raise ConfigurationError(
                    f"{where}: {key} = {bound!r}, whose own prior has no end on this side; give it one"
                )
            numbers[key] = edge
            bounds |= {} if other.is_fixed else {key: bound}
        if bounds and spec["distribution"] not in [each.kind for each in BOUNDED]:
            known = listing(each.kind for each in BOUNDED)
            raise ConfigurationError(f"{where}: a bound that is a parameter is possible for {known}")
        finite = {key: value for key, value in numbers.items() if value not in (math.inf, -math.inf)}
        made = parameter_from(name, finite, where)
        if bounds:
            self.bounded[name] = BoundedByOthers(name, made.prior, bounds.get("low"), bounds.get("high"))
        return made

    def _bound(self, bound: str, where: str, above: tuple[str, ...]) -> Parameter:
        if bound in self._tables:
            return self.parameter(bound, above)
        if bound in self._member:
            return Parameter(bound, self._member[bound])
        known = {*self._tables, *self._member}
        raise ConfigurationError(
            f"{where} = {bound!r} is neither a number nor a parameter.{closest(bound, known)} A number has no "
            "quotation marks"
        )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and value not in ("inf", "nan")
