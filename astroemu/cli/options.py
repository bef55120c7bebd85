"""Options that several commands share, and functions that read their values."""

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

#: The configuration that a command uses if no file is given.
DEFAULT = "reionization"

CONFIGURATION = typer.Argument(
    DEFAULT,
    help="TOML file of a fit, or the name of an installed configuration. An installed name comes before a file of that "
    "name without a suffix.",
)
SET = typer.Option(
    [],
    "--set",
    metavar="KEY=VALUE",
    help="Change a key of the configuration, for example samplers.emcee.walkers=32. Can be repeated.",
)
WITHOUT = typer.Option([], metavar="PROBE", help="Leave out this probe. Can be repeated.")
ENGINE = typer.Option(
    None,
    help="Code that evaluates the likelihood: numpy, keras, or auto (keras on a GPU, otherwise numpy). "
    "Default: from the configuration.",
)
SAMPLER = typer.Option(None, help="Name of the sampler. Default: from the configuration.")
SEED_INSTEAD = typer.Option(None, min=0, help="Seed of the random numbers. Default: from the configuration.")
STARTS = typer.Option(8, min=1, help="Number of starting points. They are the best of 1000 draws from the prior.")
STARTS_SEED = typer.Option(1, min=0, help="Seed of the draws from the prior.")
FINISHED_RUN = typer.Argument(..., help="Folder of a finished run.")
SIMULATION_WORKERS = typer.Option(1, min=1, help="Number of processes for the simulations.")
ACCEPT_CHANGED_CODE = typer.Option(
    False,
    "--accept-changed-code",
    help="Accept that the code of plugins, or their versions, have changed since the run. What was accepted is listed "
    "and recorded. Only for changes on which no number depends, such as a comment.",
)
RUN_PLUGIN_FILES = typer.Option(
    False,
    "--run-plugin-files",
    help="Execute the files of code that the run folder holds (plugin = 'FILE.py:CLASS'). Only if you trust them.",
)
NO_REPORT = typer.Option(False, "--no-report", help="Do not write the table and the figures.")

SIMULATOR = typer.Option(None, help="Simulator that computes the true predictions, instead of the emulator.")
SIMULATOR_OPTION = typer.Option([], "--option", metavar="KEY=VALUE", help="Option of the --simulator. Can be repeated.")
FIX = typer.Option(
    [],
    "--fix",
    metavar="NAME=VALUE",
    help="Value of a parameter that the --simulator needs and the configuration does not have. Can be repeated.",
)
SIMULATIONS = typer.Option(
    None,
    help="File of finished simulations that give the true predictions, instead of the emulator: "
    "a training set, or plain HDF5 arrays.",
)


def load(
    configuration: str, overrides: Sequence[str], without: Sequence[str], engine: str | None = None
) -> Configuration:
    """Return the configuration, changed by the options of a command."""
    from astroemu.inference.configuration import load_configuration

    chosen = [] if engine is None else [f'engine="{engine}"']
    return load_configuration(configuration, [*overrides, *chosen]).without(without)


def chosen_truth(
    simulator: str | None, options: Sequence[str], fixed: Sequence[str], simulations: Path | None
) -> TruthModel:
    """Return the source of the true predictions that the options of a command choose.

    Raises
    ------
    ConfigurationError
        If a simulator and simulations are given, or options without a simulator.
    """
    from astroemu.validation.truth import TruthModel

    if simulator is not None and simulations is not None:
        raise ConfigurationError("--simulator and --simulations both give the true predictions; choose one")
    if simulator is None and (options or fixed):
        raise ConfigurationError("--option and --fix belong to a --simulator; add --simulator NAME")
    file = None if simulations is None else str(simulations.resolve())
    return TruthModel(simulator, pairs("--option", options), numbers("--fix", fixed), file)


def pairs(flag: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the values of NAME=VALUE arguments by name. Each value is read as TOML; what is not TOML is text.

    Raises
    ------
    ConfigurationError
        If an argument does not have the form NAME=VALUE, or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or name in found:
            raise ConfigurationError(f"{flag} {text!r} must read NAME=VALUE, with each name once")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found


def numbers(flag: str, given: Sequence[str]) -> dict[str, float]:
    """Return the numbers of NAME=VALUE arguments by name.

    Raises
    ------
    ConfigurationError
        As :func:`pairs`, and if a value is not a finite number.
    """
    found = pairs(flag, given)
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigurationError(f"{flag} {name}={value} must be a finite number")
    return {name: float(value) for name, value in found.items()}
