"""Options that several commands have, each defined once, and what their values mean."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from astroemu.errors import ConfigurationError

if TYPE_CHECKING:
    from astroemu.inference.configuration import Configuration
    from astroemu.validation.truth import TruthModel

#: The configuration that a command takes when no file is named.
DEFAULT = "reionization"

CONFIGURATION = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration.")
SET = typer.Option(
    [], "--set", metavar="KEY=VALUE", help="Override a key of the configuration, such as samplers.emcee.walkers=32."
)
WITHOUT = typer.Option([], metavar="PROBE", help="Leave a probe out; repeat for several.")
ENGINE = typer.Option(None, help="auto, numpy or keras, instead of the configuration's.")
SAMPLER = typer.Option(None, help="Sampler, instead of the configuration's.")
SEED_INSTEAD = typer.Option(None, min=0, help="Seed, instead of the configuration's.")
STARTS = typer.Option(8, min=1, help="Number of starts: the best of 1000 prior draws.")
STARTS_SEED = typer.Option(1, min=0, help="Seed of those draws.")
FINISHED_RUN = typer.Argument(..., help="Folder of a finished run.")
SIMULATION_WORKERS = typer.Option(1, min=1, help="Number of processes for the simulations.")
NO_REPORT = typer.Option(False, "--no-report", help="Skip the pictures.")

SIMULATOR = typer.Option(None, help="Simulator whose predictions are the truth, instead of the emulator's.")
SIMULATOR_OPTION = typer.Option([], "--option", metavar="KEY=VALUE", help="Option of the simulator.")
FIX = typer.Option(
    [], "--fix", metavar="NAME=VALUE", help="Parameter of the simulator that the configuration does not have."
)
SIMULATIONS = typer.Option(
    None, help="Finished simulations (training set, or plain HDF5 arrays) that are the truth, instead of the emulator."
)


def load(
    configuration: str, overrides: Sequence[str], without: Sequence[str], engine: str | None = None
) -> Configuration:
    """Return the configuration that the options of a command choose."""
    from astroemu.inference.configuration import load_configuration

    chosen = [] if engine is None else [f'engine="{engine}"']
    return load_configuration(configuration, [*overrides, *chosen]).without(without)


def chosen_truth(
    simulator: str | None, options: Sequence[str], fixed: Sequence[str], simulations: Path | None
) -> TruthModel:
    """Return the truth that the options of a command choose.

    Raises
    ------
    ConfigurationError
        If two kinds of truth are given, or options without a simulator.
    """
    from astroemu.validation.truth import TruthModel

    if simulator is not None and simulations is not None:
        raise ConfigurationError("--simulator and --simulations are two truths; choose one")
    if simulator is None and (options or fixed):
        raise ConfigurationError("--option and --fix belong to a --simulator")
    file = None if simulations is None else str(simulations.resolve())
    return TruthModel(simulator, pairs("--option", options), numbers("--fix", fixed), file)


def pairs(flag: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the values by name; each is TOML, or else text.

    Raises
    ------
    ConfigurationError
        If one is no pair, or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or name in found:
            raise ConfigurationError(f"{flag} {text!r} must read NAME=VALUE, each name once")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found


def numbers(flag: str, given: Sequence[str]) -> dict[str, float]:
    """Return the numbers by name.

    Raises
    ------
    ConfigurationError
        As :func:`pairs`, and if one is no finite number.
    """
    found = pairs(flag, given)
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigurationError(f"{flag} {name}={value} must be a finite number")
    return {name: float(value) for name, value in found.items()}
