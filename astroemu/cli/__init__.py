"""The command line: one file per command.

Each command imports what it needs when it runs, so that ``--help`` and ``list`` are fast.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

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
    explain,
    explore,
    export,
    fisher,
    fit,
    importing,
    inspect,
    install,
    listing,
    maximize,
    merge,
    mock,
    new,
    refine,
    report,
    rerun,
    reweight,
    schema,
    simulate,
    tension,
    train,
    validate,
)
from astroemu.cli.sections import CommandGroup
from astroemu.cli.terminal import speaking
from astroemu.errors import AstroemuError, PluginError, ProbeError
from astroemu.io.files import DISK_ERRORS, explained
from astroemu.io.terminal import print_what_can_be_printed, visible
from astroemu.runtime import interruption
from astroemu.runtime.mpi import Processes, launched, processes

#: Commands that all processes of an MPI job run together. Any other command runs on rank 0 only.
_SHARED = ("fit", "rerun", "tension", "calibrate", "check-posterior", "simulate", "refine", "doctor")
#: Commands that go on where they were interrupted.
_GOES_ON = ("fit", "tension", "calibrate", "check-posterior", "simulate", "train", "refine")
#: Messages for the exit codes of signals. The first code is also typer's own.
_SIGNALLED = {128 + signal.SIGINT: "interrupted", 128 + signal.SIGTERM: "terminated"}
#: Commands by section of the help, both in the order in which they are listed.
_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Fits and their results": {
        "fit": fit.fit,
        "explain": explain.explain,
        "report": report.report,
        "compare": compare.compare,
        "export": export.export,
        "cite": cite.cite,
        "rerun": rerun.rerun,
        "reweight": reweight.reweight,
        "tension": tension.tension,
        "maximize": maximize.maximize,
        "explore": explore.explore,
        "fisher": fisher.fisher,
    },
    "Calibration and mock data": {
        "mock": mock.mock,
        "calibrate": calibrate.calibrate,
        "check-posterior": check_posterior.check_posterior,
    },
    "Training emulators": {
        "simulate": simulate.simulate,
        "merge": merge.merge,
        "import": importing.importing,
        "inspect": inspect.inspect,
        "clean": clean.clean,
        "train": train.train,
        "validate": validate.validate,
        "refine": refine.refine,
    },
    "Plugins, data and installation": {
        "list": listing.listing,
        "doctor": doctor.doctor,
        "install": install.install,
        "new": new.new,
        "schema": schema.schema,
        "check": check.check,
        "bench": bench.bench,
    },
}
app = typer.Typer(
    name="astroemu",
    cls=CommandGroup,
    help="""Joint Bayesian inference of the first billion years of the Universe with neural emulators.

    Two kinds of TOML file describe the work. A configuration describes a fit; `astroemu fit` runs the default one. A
    recipe describes the simulations and the training of an emulator.

    `astroemu COMMAND --help` describes a command and its options.

    Exit codes: 0 success; 1 defect of a plugin, or unexpected error; 2 error that you can fix; 3 a test was not passed;
    130 interrupted; 143 terminated. With ASTROEMU_DEBUG=1 in the environment, errors show a traceback.
    """,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _section, _commands in _COMMANDS.items():
    for _name, _function in _commands.items():
        app.command(_name, rich_help_panel=_section)(speaking(_function))
app.add_typer(catalogs.app, name="catalogs", rich_help_panel="Plugins, data and installation")


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"astroemu {installed('astroemu-inference')}")
        raise typer.Exit
    if launched() > 1 and context.invoked_subcommand not in _SHARED and not _job().is_root:
        raise typer.Exit


def main() -> None:
    """Run the command line.

    The process ends with one of these exit codes: 0 success; 1 defect of a plugin; 2 error that the user can fix; 3 a
    test was not passed; 130 interrupted; 143 terminated. With ``ASTROEMU_DEBUG=1``, errors show a traceback.
    """
    if launched() > 1:
        # Ranks that compete for cores are slower than a single one.
        # TensorFlow reads OMP_NUM_THREADS, and JAX reads PJRT_NPROC.
        os.environ.setdefault("PJRT_NPROC", os.environ.setdefault("OMP_NUM_THREADS", "1"))
    print_what_can_be_printed()
    with interruption.handled(_message):
        _run()


def _run() -> None:
    try:
        app()
    except (AstroemuError, ProbeError) as error:
        if os.environ.get("ASTROEMU_DEBUG"):
            raise
        _wait_for_root()
        print(f"astroemu: {visible(str(error))}", file=sys.stderr)
        _end(1 if isinstance(error, ProbeError) else 2)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        if code not in _SIGNALLED:
            raise
        _wait_for_root()  # it writes its state to the disk and prints the message
        interruption.tell(_message(code))
        _job().abort(code)
        interruption.leave(code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS and not os.environ.get("ASTROEMU_DEBUG"):
            where = visible(str(error.filename or "a file"))
            print(f"astroemu: cannot write {where}: {explained(error)}", file=sys.stderr)
            _end(2)
        if launched() > 1:
            traceback.print_exc()
            _end(1)
        raise


def _message(code: int) -> str:
    """Return the line for a signal's exit code: what happened and, if the command can go on, how."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    how = "the same command with --resume" if command == "fit" and "--resume" not in sys.argv else "the same command"
    return f"astroemu: {_SIGNALLED[code]}" + (f"; to go on: {how}" if command in _GOES_ON else "")


def _wait_for_root() -> None:
    """Wait on all ranks but rank 0, so that rank 0 prints an error that all ranks have, and ends them all."""
    time.sleep(min(_job().rank, 8) * 0.5)


def _end(code: int) -> None:
    """Exit with a code, and end the other processes of an MPI job."""
    _job().abort(code)
    sys.exit(code)


def _job() -> Processes:
    """Return the processes of the job, or only this process if MPI itself fails."""
    try:
        return processes()
    except PluginError:
        return Processes()
