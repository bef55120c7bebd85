"""A model with one of its providers replaced: the truth for the emulator, or a new emulator for the old one."""

from __future__ import annotations

from collections.abc import Collection

from astroemu.core.adapters import ProviderSubset
from astroemu.core.prior import Prior
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
    """Return a model in which ``new`` gives what other providers gave.

    Parameters
    ----------
    model : Model
    new : Provider
    names : collection of str, optional
        Observables; every provider of any of them is replaced. By default those that ``new`` provides.
    keep_others : bool
        Whether a replaced provider goes on to give its other observables. If not, it goes, and with it the fixed
        parameters that nothing else takes.
    emulator_error : bool or float, optional
        See :class:`astroemu.model.model.Model`; by default that of ``model``.
    engine : str

    Raises
    ------
    ConfigurationError
        If no provider of the model is replaced.
    ResolutionError
        If ``new`` lacks what the probes need.
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
        Prior(tuple(p for p in model.prior.parameters if not p.is_fixed or p.name in used)),
        {"replacement": replacement, **kept},
        model.probes,
        emulator_error=model.emulator_error if emulator_error is None else emulator_error,
        name=model.name,
        engine=engine,
    )
