"""Checks of derived quantities: providers that compute observables from parameters and from other observables."""

from __future__ import annotations

import numpy as np

from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.core.units import is_label
from astroemu.errors import listing
from astroemu.testing.evaluation import Evaluation
from astroemu.testing.findings import Report, ensure

_MANY = 5


def check_derived(provider: Provider, name: str = "") -> Report:
    """Return the report on a derived quantity.

    Its parameters and the observables that it requires get values between 0.2 and 0.8, or in the middle of its bounds.

    Parameters
    ----------
    provider : Provider
    name : str
        Name in the table; by default that of the class.
    """
    report = Report(f"derived quantity {name or type(provider).__name__!r}")
    if report.run("declarations", lambda: _declarations(provider)):
        rng = np.random.default_rng(1)
        inner = {requirement.observable: _inner(requirement, rng) for requirement in provider.requires}
        Evaluation(provider, _points(provider, rng), inner).run(report)
    return report


def _declarations(provider: Provider) -> str:
    ensure(bool(type(provider).__doc__), "the class has no docstring")
    ensure(isinstance(provider.parameters, tuple), "`parameters` is not a tuple of names")
    ensure(len(set(provider.parameters)) == len(provider.parameters), f"a parameter twice: {provider.parameters}")
    ensure(bool(provider.provides), "it provides nothing")
    for key, observable in provider.provides.items():
        ensure(observable.name == key, f"the observable under the key {key!r} has the name {observable.name!r}")
    unknown = set(provider.bounds) - set(provider.parameters)
    ensure(not unknown, f"bounds of {listing(unknown)}, which are no parameters")
    labels = {o.unit for o in provider.provides.values() if is_label(o.unit)}
    note = f"; {listing(labels)} no unit, but a label" if labels else ""
    return f"{', '.join(provider.provides)} of {', '.join(provider.parameters) or 'no parameter'}{note}"


def _points(provider: Provider, rng: np.random.Generator) -> FloatArray:
    bounds = [provider.bounds.get(name, (0.2, 0.8)) for name in provider.parameters]
    low, high = np.array([b if np.all(np.isfinite(b)) else (0.2, 0.8) for b in bounds]).reshape(-1, 2).T
    return np.asarray(rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), (_MANY, len(low))))


def _inner(requirement: Requirement, rng: np.random.Generator) -> Prediction:
    value = rng.uniform(0.2, 0.8, (_MANY, 1)) * np.ones(requirement.size)
    return Prediction(value, np.full(value.shape, 0.01))
