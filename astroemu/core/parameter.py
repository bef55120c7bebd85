"""A named physical parameter and what is believed of it before the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astroemu.core.distributions import Distribution, Fixed, distribution_from
from astroemu.errors import ConfigurationError


@dataclass(frozen=True)
class Parameter:
    """A parameter: matched by ``name`` everywhere, never by position.

    Attributes
    ----------
    name : str
        A Python identifier in the field's terms, such as ``log10_l_x``.
    prior : Distribution
    latex : str
        Label without dollar signs; the name if empty.
    unit : str
        Written as astropy would; empty for a pure number.
    """

    name: str
    prior: Distribution
    latex: str = ""
    unit: str = ""

    @property
    def is_fixed(self) -> bool:
        """Whether the prior leaves nothing to sample."""
        return isinstance(self.prior, Fixed)

    @property
    def label(self) -> str:
        """Axis label: LaTeX symbol and unit (``log10 Msun`` is shown as the unit of the argument)."""
        symbol = f"${self.latex}$" if self.latex else self.name
        unit = self.unit.removeprefix("log10 ")
        for name, shown in (("Msun", r"$M_\odot$"), ("^-1", "$^{-1}$")):
            unit = unit.replace(name, shown)
        return f"{symbol} [{unit}]" if unit else symbol


def parameter_from(name: str, spec: Mapping[str, Any], where: str) -> Parameter:
    """Build a parameter from its table.

    Raises
    ------
    ConfigurationError
        For a bad prior, or a label or unit that is no text.
    """
    numbers = dict(spec)
    text = {key: numbers.pop(key, "") for key in ("latex", "unit")}
    for key, value in text.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{where}: {key} = {value!r} must be text")
    if not name.isidentifier():
        raise ConfigurationError(f"{where}: {name!r} is no identifier; use letters, digits and underscores")
    try:
        return Parameter(name, distribution_from(numbers), text["latex"], text["unit"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
