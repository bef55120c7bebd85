"""Parameters: names with prior distributions, labels and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astroemu.core.distributions import Distribution, Fixed, distribution_from
from astroemu.errors import ConfigurationError


@dataclass(frozen=True)
class Parameter:
    """A physical parameter. It is always identified by its name, never by its position.

    Attributes
    ----------
    name : str
        A Python identifier that uses the terms of the field, such as ``log10_l_x``.
    prior : Distribution
    latex : str
        Symbol without dollar signs. If empty, the name is used.
    unit : str
        In the notation of astropy. Empty for a pure number.
    """

    name: str
    prior: Distribution
    latex: str = ""
    unit: str = ""

    @property
    def is_fixed(self) -> bool:
        """True if the prior is a fixed value, so that the parameter is not sampled."""
        return isinstance(self.prior, Fixed)

    @property
    def label(self) -> str:
        """Axis label: LaTeX symbol and unit. For ``log10 Msun``, the unit of the argument is shown."""
        symbol = f"${self.latex}$" if self.latex else self.name
        unit = self.unit.removeprefix("log10 ")
        for name, shown in (("Msun", r"$M_\odot$"), ("^-1", "$^{-1}$")):
            unit = unit.replace(name, shown)
        return f"{symbol} [{unit}]" if unit else symbol


def parameter_from(name: str, spec: Mapping[str, Any], where: str) -> Parameter:
    """Return a parameter from its table in a configuration.

    Parameters
    ----------
    name : str
    spec : mapping
        ``latex``, ``unit`` and the keys of :func:`~astroemu.core.distributions.distribution_from`.
    where : str
        File and table, for error messages.

    Raises
    ------
    ConfigurationError
        For an invalid name or prior, or a label or unit that is not a text.
    """
    numbers = dict(spec)
    text = {key: numbers.pop(key, "") for key in ("latex", "unit")}
    for key, value in text.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{where}: {key} = {value!r} must be text")
    if not name.isidentifier():
        raise ConfigurationError(f"{where}: {name!r} is not an identifier; use letters, digits and underscores")
    try:
        return Parameter(name, distribution_from(numbers), text["latex"], text["unit"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
