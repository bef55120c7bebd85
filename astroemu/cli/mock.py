"""``astroemu mock``: write mock catalogs with a known truth."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import (
    CONFIGURATION,
    FIX,
    SET,
    SIMULATIONS,
    SIMULATOR,
    SIMULATOR_OPTION,
    WITHOUT,
    chosen_truth,
    load,
    numbers,
)
from astroemu.cli.terminal import tell


def mock(
    configuration: str = CONFIGURATION,
    out: Path = typer.Option(..., help="New folder for the mock catalogs and the configuration that fits them."),
    at: list[str] = typer.Option(
        [], metavar="NAME=VALUE", help="True value of a parameter. Repeat for each parameter."
    ),
    draw: bool = typer.Option(
        False,
        "--draw",
        help="Draw the parameters without --at from the prior, times the normalisation of likelihoods that have none, "
        "such as those of limits.",
    ),
    seed: int = typer.Option(1, min=0, help="Seed of the true parameters and of the noise."),
    no_noise: bool = typer.Option(False, "--no-noise", help="Write the true predictions without noise (Asimov data)."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    row: int = typer.Option(0, min=0, help="Row of the true simulation in --simulations, counted from 0."),
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Write catalogs with a known truth, and a configuration that fits them.

    The mock data of every probe are drawn from its likelihood at the true parameters.
    """
    import numpy as np

    from astroemu.errors import ConfigurationError
    from astroemu.inference.run_folder import RunFolder
    from astroemu.io.lock import locked
    from astroemu.validation.mock import (
        TruthSampler,
        complete_point,
        mock_probes,
        unlikely_probes,
        usual_normalisations,
        write_mock,
    )

    loaded = load(configuration, set_, without)
    model = loaded.model()
    truth, rows = chosen_truth(simulator, option, fix, simulations).of(model)
    values = numbers("--at", at)
    if rows is None and row:
        raise ConfigurationError(f"--row {row} chooses a simulation of --simulations FILE, which is not given")
    if rows is not None:
        if values:
            raise ConfigurationError("--at cannot be used with --simulations: the parameters are those of its --row")
        if row >= len(rows):
            raise ConfigurationError(
                f"--row {row}: {simulations} holds {len(rows)} simulations, with rows from 0 to {len(rows) - 1}"
            )
        values = {name: float(v) for name, v in zip(model.names, rows[row], strict=True) if np.isfinite(v)}
    rng = np.random.default_rng([seed, 1])
    rest = TruthSampler(model, seed).draw(rng) if draw else None
    theta = complete_point(model, values, rest)
    probes = mock_probes(truth, theta, None if no_noise else rng)
    parameters = dict(zip(model.names, theta.tolist(), strict=True))
    note = {
        "parameters": parameters,
        "fixed": dict(model.prior.fixed),
        "configuration": str(loaded.path.resolve()),
        "seed": seed,
        "noise": not no_noise,
        "simulator": simulator,
        "simulations": None if simulations is None else {"file": str(simulations), "row": row},
    }
    with locked(out, "command"):
        path = write_mock(loaded, probes, RunFolder.create(out).path, note)
    for key in unlikely_probes(truth, theta, usual_normalisations(model, seed)):
        typer.echo(
            f"warning: at this truth, the mock data of {key!r} are a rare fluctuation; a fit will exclude the truth",
            err=True,
        )
    for name, value in parameters.items():
        typer.echo(f"{name:20s} {value:12.6g}")
    tell(f"Written: {path}\nFit it with: astroemu fit {path}")
