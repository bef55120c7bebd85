"""The tables of a configuration, with the types of their keys. Plugins check their own options."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from astroemu.core.adapters import ProviderSubset
from astroemu.core.model_error import ModelError, WithModelError
from astroemu.core.provider import Provider
from astroemu.errors import located
from astroemu.model.engines import EngineName


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelErrorTable(_Table):
    """``[emulators.NAME.model_error.OBSERVABLE]``, see :class:`astroemu.core.model_error.ModelError`."""

    absolute: float = 0.0
    fraction: float = 0.0
    shift: dict[str, float] = {}


class ProviderTable(_Table):
    """What all tables of providers have."""

    provides: list[str] | None = None
    model_error: dict[str, ModelErrorTable] = {}

    def adapted(self, provider: Provider) -> Provider:
        """Return the provider with the observables and the errors that the table states."""
        if self.model_error:
            errors = {}
            for name, table in self.model_error.items():
                with located(f"model_error.{name}"):
                    errors[name] = ModelError(**table.model_dump())
            provider = WithModelError(provider, errors)
        return provider if self.provides is None else ProviderSubset(provider, self.provides)


class EmulatorTable(ProviderTable):
    """``[emulators.NAME]``: a trained emulator."""

    file: str | None = None


class SimulatorTable(ProviderTable):
    """``[simulators.NAME]``: a simulator that runs inside the likelihood, without an emulator."""

    plugin: str | None = None
    options: dict[str, Any] = {}


class DerivedTable(SimulatorTable):
    """``[derived.NAME]``: a quantity that is computed from other observables or parameters.

    It is a plugin, or a single number with an expression. ``NAME = "EXPRESSION"`` is short for the latter.
    """

    expression: str | None = None
    latex: str | None = None
    unit: str | None = None


def _expression(value: Any) -> Any:
    """Return the table that a text in ``[derived]`` stands for."""
    return {"expression": value} if isinstance(value, str) else value


class ConfigurationDocument(_Table):
    """The complete file. Plugin tables are not checked here; each plugin checks its own options."""

    title: str = ""
    sampler: str = "emcee"
    seed: int = Field(default=1, ge=0)
    emulator_error: bool | Annotated[float, Field(ge=0, allow_inf_nan=False)] = True
    truncate_prior: bool = False
    engine: EngineName = "auto"
    parameters: dict[str, dict[str, Any]]
    emulators: dict[str, EmulatorTable] = {}
    simulators: dict[str, SimulatorTable] = {}
    derived: dict[str, Annotated[DerivedTable, BeforeValidator(_expression)]] = {}
    joint_priors: dict[str, dict[str, Any]] = {}
    probes: dict[str, dict[str, Any]]
    samplers: dict[str, dict[str, Any]] = {}
