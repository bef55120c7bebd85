"""``astroemu mock``: catalogs with a known truth."""

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


def mock(
    configuration: str = CONFIGURATION,
    out: Path = typer.Option(..., help="New folder for the catalogs and the configuration that fits them."),
    at: list[str] = typer.Option([], metavar="NAME=VALUE", help="Parameter of the truth; repeat for all."),
    draw: bool = typer.Option(False, "--draw", help="Draw from the prior what --at leaves out."),
    seed: int = typer.Option(1, min=0, help="Seed of truth and noise."),
    no_noise: bool = typer.Option(False, "--no-noise", help="Data without noise, as the truth gives them (Asimov)."),
    simulator: str | None = SIMULATOR,
    option: list[str] = SIMULATOR_OPTION,
    fix: list[str] = FIX,
    simulations: Path | None = SIMULATIONS,
    row: int = typer.Option(0, min=0, help="Which of these simulations, counted from 0."),
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Write a mock catalog of every probe, drawn from its likelihood, and a configuration that fits them."""
    import numpy as np

    from astroemu.errors import ConfigurationError
    from astroemu.inference.run_folder import RunFolder
    from astroemu.validation.mock import (
        TruthSampler,
        mock_probes,
        point,
        unlikely,
        usual_normalisations,
        write_mock,
    )

    loaded = load(configuration, set_, without)
    model = loaded.model()
    truth, rows = chosen_truth(simulator, option, fix, simulations).of(model)
    values = numbers("--at", at)
    if rows is not None:
        if values or row >= len(rows):
            raise ConfigurationError(
                f"--row = {row} must be one of the {len(rows)} simulations of {simulations}, and --at is theirs"
            )
        values = {name: float(v) for name, v in zip(model.names, rows[row], strict=True) if np.isfinite(v)}
    rng = np.random.default_rng([seed, 1])
    rest = TruthSampler(model, seed).draw(rng) if draw else None
    theta = point(model, values, rest)
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
    path = write_mock(loaded, probes, RunFolder.create(out).path, note)
    for key in unlikely(truth, theta, usual_normalisations(model, seed)):
        typer.echo(
            f"warning: this truth could hardly have given data like those of {key!r}; a fit will exclude it", err=True
        )
    for name, value in parameters.items():
        typer.echo(f"{name:20s} {value:12.6g}")
    typer.echo(f"Written: {path}\nFit it with: astroemu fit {path}")
