"""``astroemu validate``: compare an emulator with simulations that were not used in its training."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.terminal import tell


def validate(
    emulator: str = typer.Argument(..., help="Emulator file, or the name of an installed emulator."),
    data: Path = typer.Option(
        ..., help="Simulations: a training set, or plain HDF5 arrays with the names of the observables."
    ),
    model: str | None = typer.Option(
        None, help="Configuration of a fit. The effect on the likelihood of each of its probes is then printed too."
    ),
    gate: str | None = typer.Option(
        None, help="Recipe with limits of the errors in its table [gate]. Exit code 3 if a limit is exceeded."
    ),
    coverage: bool = typer.Option(
        False, "--coverage", help="Exit code 3 if the stated errors are too small or too large anywhere."
    ),
    out: Path | None = typer.Option(None, help="New folder for validation.json and figures."),
) -> None:
    """Compare an emulator with simulations that were not used in its training.

    The errors of each observable are printed, and the shares of values within one, two and three stated errors: for all
    points, and the least and the most in a quarter of a parameter. With --model, the errors are also given for each
    probe, and the shares for the outputs that the fit uses.
    """
    from astroemu.emulation.loading import load_emulator
    from astroemu.emulation.recipe import Recipe
    from astroemu.emulation.reference import load_simulations
    from astroemu.inference.configuration import load_model
    from astroemu.io.files import make_folder, new_file, sha256, write_json
    from astroemu.report.emulator_tables import validation_table
    from astroemu.runtime.provenance import provenance
    from astroemu.validation.accuracy import exceeded_limits
    from astroemu.validation.accuracy import validate as compare
    from astroemu.validation.coverage import missed_targets

    folder = None if out is None else new_file(out)
    limits = None if gate is None else Recipe(gate).gate()
    loaded = load_emulator(emulator)
    simulations = load_simulations(loaded, data)
    found = compare(loaded, simulations, None if model is None else load_model(model))
    typer.echo(validation_table(found))
    if folder is not None:
        from astroemu.report.emulator_accuracy import draw_validation

        make_folder(folder)
        went_in = {**loaded.sources, data.name: sha256(data)}
        content = {**found, "provenance": provenance(inputs=went_in)}
        write_json(folder / "validation.json", content)
        draw_validation(loaded, simulations, folder)
        tell(f"Written: {folder}")
    exceeded = [] if limits is None else exceeded_limits(found, limits)
    if coverage:
        exceeded += missed_targets(found["observables"])
        exceeded += [f"outputs in use: {line}" for line in missed_targets(found.get("used", {}))]
    for line in exceeded:
        typer.echo(f"gate: {line}", err=True)
    if exceeded:
        raise typer.Exit(3)
    if limits is not None or coverage:
        typer.echo("gate: passed")
