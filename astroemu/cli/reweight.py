"""``astroemu reweight``: a finished run under other data."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import FINISHED_RUN, NO_REPORT


def reweight(
    run: Path = FINISHED_RUN,
    set_: list[str] = typer.Option(
        [],
        "--set",
        metavar="KEY=VALUE",
        help="Add or change a probe: 'probes.NAME={...}', or probes.NAME.catalog=FILE.",
    ),
    without: list[str] = typer.Option([], metavar="PROBE", help="Drop a probe; repeat for several."),
    out: Path | None = typer.Option(None, help="Folder of the new run. Default: the first free RUN_reweighted."),
    min_ess: float = typer.Option(400.0, min=0.0, help="Refuse to write a run of fewer effective samples."),
    no_report: bool = NO_REPORT,
) -> None:
    """Weight the samples of a run for probes added, changed or dropped; write them as a run of their own.

    Only what changes is evaluated. Too few effective samples are refused, and nothing is written.
    """
    from astroemu.analysis.reweight import reweight as run_reweight
    from astroemu.cli.progress import shown, warned
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report import write_report
    from astroemu.report.tables import text_table

    source = RunFolder.open(run)
    changed = source.configuration().overridden(set_).without(without)
    with warned(), shown(f"reweight {run}") as report:
        folder, model = run_reweight(source, changed, out=out, min_ess=min_ess, report=report)
    typer.echo(text_table(folder.summary()))
    typer.echo("Written:")
    written = [folder.samples_file, folder.summary_file] if no_report else write_report(folder, model)
    for path in written:
        typer.echo(f"  {path}")
