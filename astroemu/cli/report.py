"""``astroemu report``: write the table and the figures of finished runs again, or one HTML page."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import RUN_PLUGIN_FILES


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
    run_plugin_files: bool = RUN_PLUGIN_FILES,
) -> None:
    """Write the table and the figures of finished runs again.

    With --html, write one HTML page about one or several runs instead. A validation is always written as HTML.
    """
    from astroemu.cli.progress import warned
    from astroemu.cli.terminal import tell, width
    from astroemu.errors import RunFolderError
    from astroemu.inference.reuse import model_of
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report import is_validation, write_page, write_report, write_validation_page
    from astroemu.report.tables import text_table

    if len(folders) == 1 and is_validation(folders[0]):
        tell(f"Written: {write_validation_page(folders[0], out or folders[0] / 'report.html')}")
        return
    runs = [RunFolder.open(folder, run_plugin_files=run_plugin_files) for folder in folders]
    if html or out is not None:
        with warned():
            page = write_page(runs, out or folders[0] / "report.html")
        tell(f"Written: {page}")
        return
    for folder, run in zip(folders, runs, strict=True):
        with warned():
            written = write_report(run, model_of(run))
        if not written:
            raise RunFolderError(f"nothing could be written into {folder}")
        tell(text_table(run.summary(), width()))
        tell("\n  ".join(["Written:", *map(str, written)]))
