"""A model with replaced providers: the emulator by its simulator, or the old emulator by a new one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from astroemu.core.adapters import ProviderSubset
from astroemu.core.provider import Provider
from astroemu.errors import ConfigurationError, listing
from astroemu.model.engines import EngineName
from astroemu.model.model import Model


def replace_provider(
    model: Model,
    new: Provider,
    names: Collection[str] | None = None,
    *,
    keep_others: bool = False,
    emulator_error: bool | float | None = None,
    engine: EngineName = "auto",
) -> Model:
    """Return a model in which ``new`` provides observables instead of the former providers.

    Parameters
    ----------
    model : Model
    new : Provider
    names : collection of str, optional
        Observables. Every provider of any of them is replaced. By default those that ``new`` provides.
    keep_others : bool
        If true, a replaced provider keeps its other observables. Otherwise it is removed, together with the fixed
        parameters that no other part takes.
    emulator_error : bool or float, optional
        See :class:`astroemu.model.model.Model`; by default that of ``model``.
    engine : {"auto", "numpy", "keras"}

    Returns
    -------
    Model

    Raises
    ------
    ConfigurationError
        If no provider of the model is replaced.
    ResolutionError
        If ``new`` lacks an observable that the probes require.
    """
    shared = set(model.observables) & set(new.provides if names is None else names)
    if not shared:
        wanted = listing(new.provides if names is None else names)
        raise ConfigurationError(
            f"no provider of {model.name!r} gives any of {wanted}, so none can be replaced; it has "
            f"{listing(model.observables)}"
        )
    old = {key: provider for key, provider in model.providers.items() if shared & set(provider.provides)}
    kept = {key: provider for key, provider in model.providers.items() if key not in old}
    if keep_others:
        for key, provider in old.items():
            kept[key] = ProviderSubset(provider, [name for name in provider.provides if name not in shared])
    else:
        shared = {name for provider in old.values() for name in provider.provides}
    replacement = ProviderSubset(new, [name for name in new.provides if name in shared])
    used = {name for provider in (replacement, *kept.values()) for name in provider.parameters}
    used |= {p.name for probe in model.probes.values() for p in probe.parameters}
    return Model(
        replace(model.prior, parameters=tuple(p for p in model.prior.parameters if not p.is_fixed or p.name in used)),
        {"replacement": replacement, **kept},
        model.probes,
        emulator_error=model.emulator_error if emulator_error is None else emulator_error,
        name=model.name,
        engine=engine,
    )
