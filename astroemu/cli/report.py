"""``astroemu report``: write the table and the figures of finished runs again, or one HTML page."""

from __future__ import annotations

from pathlib import Path

import typer


def report(
    folders: list[Path] = typer.Argument(
        ..., help="Folders of finished runs, or one folder that `astroemu validate` has written."
    ),
    html: bool = typer.Option(
        False, "--html", help="Write one self-contained HTML page instead. Several runs are compared on it."
    ),
    out: Path | None = typer.Option(
        None, help="File of the HTML page; implies --html. Default: report.html in the first folder."
    ),
) -> None:
    """Write the table and the figures of finished runs again.

    With --html, write one HTML page about one or several runs instead. A validation is always written as HTML.
    """
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report import is_validation, write_page, write_report, write_validation_page

    if len(folders) == 1 and is_validation(folders[0]):
        typer.echo(f"Written: {write_validation_page(folders[0], out or folders[0] / 'report.html')}")
        return
    runs = [RunFolder.open(folder) for folder in folders]
    if html or out is not None:
        typer.echo(f"Written: {write_page(runs, out or folders[0] / 'report.html')}")
        return
    for folder, run in zip(folders, runs, strict=True):
        written = write_report(run, run.configuration().model())
        typer.echo((folder / "table.txt").read_text())
        typer.echo("Written:")
        for path in written:
            typer.echo(f"  {path}")
