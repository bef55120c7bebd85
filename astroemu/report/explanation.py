"""What ``astroemu explain`` prints: a configuration in words, without a fit.

Parameters with their priors and users, what is fixed and what is computed, probes with their data, providers, data that
count twice, the sampler with its options, and the time per likelihood.
"""

from __future__ import annotations

import warnings

import numpy as np

from astroemu.core.adapters import SampledParameter, unwrapped
from astroemu.core.expression import Expression
from astroemu.core.model_error import model_errors
from astroemu.core.provider import Provider
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.simulator import SimulatorProvider
from astroemu.errors import DoubleCountingWarning
from astroemu.inference.configuration import Configuration
from astroemu.model.benchmark import likelihood_times
from astroemu.model.model import Model
from astroemu.report.columns import WIDTH, wrapped
from astroemu.report.prior_words import prior_words
from astroemu.runtime.option_words import toml_value
from astroemu.runtime.options import resolved
from astroemu.runtime.plugins import SAMPLERS

#: Largest number of points that are evaluated together, and their time if each takes as long as one alone.
_TOGETHER, _MICROSECONDS = 1000, 2e5


def explanation(configuration: Configuration, sampler: str | None = None, width: int = WIDTH) -> str:
    """Return a configuration in words.

    The model is built, which checks that all parts fit together, and evaluated for about a second.

    Parameters
    ----------
    configuration : Configuration
    sampler : str, optional
        Name of the sampler; by default that of the configuration.
    width : int
        Largest length of a line.

    Raises
    ------
    AstroemuError
        If the configuration cannot be fitted. The message is that of a fit.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DoubleCountingWarning)
        model = configuration.model()
    name = sampler or configuration.document.sampler
    configuration.sampler(name).check(model)
    doubled = [str(w.message) for w in caught if issubclass(w.category, DoubleCountingWarning)]
    for other in caught:
        if not issubclass(other.category, DoubleCountingWarning):
            warnings.warn(other.message, other.category, stacklevel=2)
    parts = [
        _head(configuration),
        _parameters(model),
        _probes(model),
        _providers(model),
        ["Data that count twice", *(f"  {text}" for text in doubled or ["none that the probes state"])],
        _sampling(configuration, name),
        _speed(model),
    ]
    return "\n\n".join("\n".join(wrapped(line, width, _depth(line)) for line in part if line) for part in parts)


def _depth(line: str) -> int:
    """Return by how much the lines after the first are indented."""
    return len(line) - len(line.lstrip()) + 4


def _head(configuration: Configuration) -> list[str]:
    lines = [configuration.document.title or configuration.name, f"  {configuration.path}"]
    code = [str(path) for path in configuration.plugin_files().values()]
    return [*lines, f"  code of your own, which runs with it: {', '.join(code)}"] if code else lines


def _parameters(model: Model) -> list[str]:
    users = _users(model)
    size = max(len(p.name) for p in model.prior.parameters)
    free = [p for p in model.prior.parameters if not p.is_fixed]
    fixed = [p for p in model.prior.parameters if p.is_fixed]
    lines = [f"Sampled parameters ({len(free)}): prior; where it is used"]
    lines += [
        f"  {p.name:<{size}}  {prior_words(model.prior, p.name)}; {', '.join(users.get(p.name, []))}" for p in free
    ]
    if fixed:
        lines.append(f"Fixed parameters ({len(fixed)})")
        lines += [
            f"  {p.name:<{size}}  {p.prior.support[0]:g} {p.unit}".rstrip() + f"; {', '.join(users.get(p.name, []))}"
            for p in fixed
        ]
    computed = {r.observable: key for key in model.providers for r in model.graph.derived_inputs(key)}
    if computed:
        lines.append("Parameters that are computed, not sampled")
        for name in computed:
            takers = [key for key in model.providers if name in model.providers[key].parameters]
            source = next(key for key, provider in model.providers.items() if name in provider.provides)
            lines.append(f"  {name:<{size}}  from {source}; {', '.join(takers)}")
    return lines


def _users(model: Model) -> dict[str, list[str]]:
    """Return the names of the providers and probes that use each parameter."""
    found: dict[str, list[str]] = {}
    for key, provider in model.providers.items():
        if isinstance(provider, SampledParameter):  # a probe measures the parameter itself
            takers = [k for k, probe in model.probes.items() for r in probe.requires.values() if r.observable == key]
            found.setdefault(key, []).extend(dict.fromkeys(takers))
            continue
        for name in provider.parameters:
            found.setdefault(name, []).append(key)
    for key, probe in model.probes.items():
        for parameter in probe.parameters:
            found.setdefault(parameter.name, []).append(f"{key} (nuisance)")
    return found


def _probes(model: Model) -> list[str]:
    numbers = {key: probe.n_data for key, probe in model.probes.items()}
    lines = [f"Probes ({len(numbers)}), {sum(n or 0 for n in numbers.values()):,} data points in all"]
    for key, probe in model.probes.items():
        n = numbers[key]
        lines.append(f"  {key}: " + ("it states no number of data" if n is None else _count(n, "data point")))
        for requirement in probe.requires.values():
            source, _ = model.graph.source(requirement, key)
            sampled = isinstance(model.providers[source], SampledParameter)
            origin = "the sampled parameter" if sampled else source
            lines.append(f"    {requirement.observable}: {_count(requirement.size, 'value')} from {origin}")
        if probe.catalogs:
            lines.append(f"    data: {', '.join(catalog.name for catalog in probe.catalogs)}")
    return lines


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _providers(model: Model) -> list[str]:
    used, numbers = _observables_in_use(model), model.graph.numbers()["derived"]
    lines = ["Providers"]
    for key, provider in model.providers.items():
        if isinstance(provider, SampledParameter):
            continue
        lines.append(f"  {key}: {_what(provider)}")
        inputs = [r.observable for r in provider.requires]
        if inputs:
            lines.append(f"    from {', '.join(inputs)}")
        given = [name for name in provider.provides if name in used]
        reported = [name for name in provider.provides if name not in used and name in numbers]
        idle = [name for name in provider.provides if name not in used and name not in numbers]
        facts = {"gives": given, "only reported:": reported, "not used:": idle}
        told = "; ".join(f"{what} {', '.join(names)}" for what, names in facts.items() if names)
        lines.append("    " + told)
        lines += [f"    error of the model, {name}: {error}" for name, error in model_errors(provider).items()]
    if len(lines) == 1:
        lines.append("  none: the probes measure the parameters themselves")
    scale = model.emulator_error
    if scale != 1:
        lines.append("  errors of the emulators: " + ("left out" if scale == 0 else f"multiplied by {scale:g}"))
    return lines


def _observables_in_use(model: Model) -> set[str]:
    requirements = [r for probe in model.probes.values() for r in probe.requires.values()]
    requirements += [r for provider in model.providers.values() for r in provider.requires]
    requirements += [r for key in model.providers for r in model.graph.derived_inputs(key)]
    return {requirement.observable for requirement in requirements}


def _what(provider: Provider) -> str:
    inner = unwrapped(provider)
    if isinstance(inner, Emulator):
        return f"emulator of the kind {inner.kind}" + (f"; {inner.citation}" if inner.citation else "")
    if isinstance(inner, Expression):
        return f"the expression {inner.text}"
    if isinstance(inner, SimulatorProvider):
        return f"simulator {type(inner.simulator).__name__}, run in the likelihood"
    return f"derived quantity ({type(inner).__name__})"


def _sampling(configuration: Configuration, name: str) -> list[str]:
    options = resolved(
        SAMPLERS.load(name), configuration.document.samplers.get(name, {}), configuration.where("samplers", name)
    )
    return [
        f"Sampler {name}, seed {configuration.document.seed}",
        "  " + ", ".join(f"{key} {toml_value(value)}" for key, value in options.items()),
    ]


def _speed(model: Model) -> list[str]:
    times = likelihood_times(model, [1])
    together = int(min(max(_MICROSECONDS / times[1], 10), _TOGETHER))  # a simulator in the likelihood is slow
    times |= likelihood_times(model, [together])
    finite = np.isfinite(model.log_likelihood(model.prior.sample(together, np.random.default_rng(1))))
    lines = [f"Time per likelihood with the engine {model.engine.name}, measured now"]
    lines += [f"  {_points(batch)}: {_digits(value)} microseconds" for batch, value in times.items()]
    return [*lines, f"{finite.mean():.0%} of {together:,} draws from the prior have a finite likelihood"]


def _points(batch: int) -> str:
    return "one point" if batch == 1 else f"{batch:,} points together"


def _digits(value: float) -> str:
    """Return three digits of a number, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
