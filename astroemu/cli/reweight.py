"""``astroemu reweight``: change the probes of a finished run without sampling again."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import ACCEPT_CHANGED_CODE, FINISHED_RUN, NO_REPORT, RUN_PLUGIN_FILES


def reweight(
    run: Path = FINISHED_RUN,
    set_: list[str] = typer.Option(
        [],
        "--set",
        metavar="KEY=VALUE",
        help="Add a probe with 'probes.NAME={...}', or change one, for example with probes.NAME.catalog=FILE. "
        "Can be repeated.",
    ),
    without: list[str] = typer.Option([], metavar="PROBE", help="Drop this probe. Can be repeated."),
    out: Path | None = typer.Option(
        None, help="New run folder. Default: the first free one of RUN_reweighted, RUN_reweighted-2, ..."
    ),
    min_ess: float = typer.Option(
        400.0, min=0.0, help="Smallest effective sample size. A run with fewer effective samples is not written."
    ),
    draws: int = typer.Option(
        4, min=1, help="Draws of the parameters that the run does not have, for each of its samples."
    ),
    accept_changed_code: bool = ACCEPT_CHANGED_CODE,
    run_plugin_files: bool = RUN_PLUGIN_FILES,
    no_report: bool = NO_REPORT,
) -> None:
    """Add, change or drop probes of a finished run without sampling again.

    The samples get new weights and are written as a new run. Only the probes that change are evaluated. Parameters that
    the run does not have are drawn from their priors.

    If too few effective samples remain, nothing is written.
    """
    from astroemu.analysis.reweight import reweight as run_reweight
    from astroemu.cli.progress import shown, warned
    from astroemu.cli.terminal import tell, width
    from astroemu.inference.run_folder import RunFolder
    from astroemu.report import write_report
    from astroemu.report.tables import text_table

    source = RunFolder.open(run, run_plugin_files=run_plugin_files)
    changed = source.configuration().overridden(set_).without(without)
    with warned(), shown(f"reweight {run}") as report:
        folder, model = run_reweight(
            source,
            changed,
            out=out,
            min_ess=min_ess,
            draws=draws,
            accept_changed_code=accept_changed_code,
            report=report,
        )
    with warned():
        written = [folder.samples_file, folder.summary_file] if no_report else write_report(folder, model)
    tell(text_table(folder.summary(), width()))
    tell("\n  ".join(["Written:", *map(str, written)]))
