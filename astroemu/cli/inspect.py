"""``astroemu inspect``: show what a training set contains."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.terminal import tell


def inspect(
    data: Path = typer.Argument(..., help="Training set (HDF5)."),
    out: Path | None = typer.Option(None, help="New folder for inspection.json and one figure per observable."),
    outlier: float = typer.Option(
        20.0,
        min=1.0,
        help="A point is an outlier if its residual from a quadratic fit exceeds the median residual by this factor.",
    ),
) -> None:
    """Show what a training set contains.

    The command prints ranges and coverage of the box, and lists missing values, duplicates, constants and outliers.
    """
    from astroemu.emulation.inspection import inspect as look
    from astroemu.emulation.training_set import TrainingSet
    from astroemu.errors import located
    from astroemu.io.files import make_folder, new_file, sha256, write_json
    from astroemu.report.emulator_tables import inspection_table
    from astroemu.runtime.provenance import provenance

    folder = None if out is None else new_file(out)
    loaded = TrainingSet.load(data)
    with located(str(data)):
        found = look(loaded, outlier)
    typer.echo(inspection_table(found))
    if folder is not None:
        from astroemu.report.training import draw_observable

        make_folder(folder)
        content = {**found, "provenance": provenance(inputs={data.name: sha256(data)})}
        write_json(folder / "inspection.json", content)
        for name in loaded.observables:
            draw_observable(loaded, name, folder / f"{name}.png")
        tell(f"Written: {folder}")
