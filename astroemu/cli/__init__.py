"""The command line: one file a command.

Commands import what they need when they run, so that ``--help`` and ``list`` stay fast.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback

import typer

from astroemu.cli import (
    bench,
    calibrate,
    catalogs,
    check,
    check_posterior,
    cite,
    clean,
    compare,
    doctor,
    export,
    fisher,
    fit,
    importing,
    inspect,
    listing,
    maximize,
    merge,
    mock,
    new,
    refine,
    report,
    rerun,
    reweight,
    simulate,
    tension,
    train,
    validate,
)
from astroemu.errors import AstroemuError, PluginError, ProbeError, Terminated
from astroemu.runtime.mpi import Processes, launched, processes

#: Commands that the processes of a job share, each in its way; any other one the first process does alone.
_SHARED = ("fit", "rerun", "tension", "calibrate", "check-posterior", "simulate", "refine", "doctor")
#: What is said of an exit code; the first one is typer's own.
_SIGNALLED = {128 + signal.SIGINT: "interrupted", 128 + signal.SIGTERM: "terminated"}
app = typer.Typer(
    name="astroemu",
    help="Joint inference of the first billion years, on neural emulators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"astroemu {installed('astroemu-inference')}")
        raise typer.Exit
    if launched() > 1 and context.invoked_subcommand not in _SHARED and not _everyone().is_root:
        raise typer.Exit


app.command("fit")(fit.fit)


app.command("rerun")(rerun.rerun)


app.command("report")(report.report)


app.command("compare")(compare.compare)


app.command("tension")(tension.tension)


app.command("reweight")(reweight.reweight)


app.command("export")(export.export)


app.command("cite")(cite.cite)


app.command("list")(listing.listing)


app.add_typer(catalogs.app, name="catalogs")


app.command("doctor")(doctor.doctor)


app.command("new")(new.new)


app.command("check")(check.check)


app.command("mock")(mock.mock)


app.command("check-posterior")(check_posterior.check_posterior)


app.command("calibrate")(calibrate.calibrate)


app.command("simulate")(simulate.simulate)


app.command("merge")(merge.merge)


app.command("import")(importing.importing)


app.command("inspect")(inspect.inspect)


app.command("clean")(clean.clean)


app.command("train")(train.train)


app.command("validate")(validate.validate)


app.command("refine")(refine.refine)


app.command("maximize")(maximize.maximize)


app.command("fisher")(fisher.fisher)


app.command("bench")(bench.bench)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 a defect in a plugin; 2 something that the user can mend; 3 a gate or a
    check that was not passed; 130 interrupted; 143 terminated.
    Set ``ASTROEMU_DEBUG=1`` for a traceback.
    """
    if launched() > 1:
        # Ranks that fight over cores are slower than one. TensorFlow heeds the first of the two, JAX the second.
        os.environ.setdefault("PJRT_NPROC", os.environ.setdefault("OMP_NUM_THREADS", "1"))
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except (AstroemuError, ProbeError) as error:
        if os.environ.get("ASTROEMU_DEBUG"):
            raise
        _let_the_first_speak()
        print(f"astroemu: {error}", file=sys.stderr)
        _end(1 if isinstance(error, ProbeError) else 2)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        if code not in _SIGNALLED:
            raise
        _let_the_first_speak()  # and put on the disk what it has
        print(f"astroemu: {_SIGNALLED[code]}", file=sys.stderr)
        _end(code)
    except Exception:
        if launched() > 1:
            traceback.print_exc()
            _end(1)
        raise


def _terminated(*_: object) -> None:
    """What a batch system sends before it kills: leave in order, so that everything is on the disk."""
    raise Terminated(128 + signal.SIGTERM)


def _let_the_first_speak() -> None:
    """Wait a little in all processes but the first: one that met the same error ends them all before they say it."""
    time.sleep(min(_everyone().rank, 8) * 0.5)


def _end(code: int) -> None:
    """Leave with an exit code, and take the other processes of an MPI job along."""
    _everyone().abort(code)
    sys.exit(code)


def _everyone() -> Processes:
    """The processes of the job; this one alone where MPI itself is what failed."""
    try:
        return processes()
    except PluginError:
        return Processes()
