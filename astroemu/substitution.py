"""One provider in the place of another: the truth for the emulator, a new emulator for the old one."""

from __future__ import annotations

from collections.abc import Collection

from astroemu.errors import ConfigurationError, listing
from astroemu.model import Model
from astroemu.prior import Prior
from astroemu.provider import Provider
from astroemu.selection import Selection


def substituted(model: Model, names: Collection[str], new: Provider, *, emulator_error: bool | float) -> Model:
    """Return a model in which ``new`` provides what a provider of the stated observables did.

    Parameters
    ----------
    model : Model
    names : collection of str
        Observables; every provider of any of them is replaced. What else it gave is lost, and
        fixed parameters that nothing else takes go with it.
    new : Provider
    emulator_error : bool or float
        See :class:`astroemu.model.Model`.

    Raises
    ------
    ConfigurationError
        If no provider of the model is replaced.
    ResolutionError
        If ``new`` lacks what the probes need.
    """
    kept = {key: provider for key, provider in model.providers.items() if not set(provider.provides) & set(names)}
    replaced = {name for key in model.providers.keys() - kept.keys() for name in model.providers[key].provides}
    if not replaced:
        raise ConfigurationError(
            f"no provider of {model.name!r} gives any of {listing(names)}, so none can be replaced"
        )
    selection = Selection(new, [name for name in new.provides if name in replaced])
    used = {name for provider in (selection, *kept.values()) for name in provider.parameters}
    used |= {p.name for probe in model.probes.values() for p in probe.parameters}
    return Model(
        Prior(tuple(p for p in model.prior.parameters if not p.is_fixed or p.name in used)),
        {"substitute": selection, **kept},
        model.probes,
        emulator_error=emulator_error,
        name=model.name,
    )
