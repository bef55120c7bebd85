"""Checks of samplers in separate processes: killed and resumed, and with two MPI processes.

    python -m astroemu.testing.processes NAME FOLDER SECONDS_PER_CALL

runs the installed sampler NAME on the Gaussian of the kit and writes FOLDER/samples.h5 at the end. If the process was
killed and is started again with the same folder, it must finish with the correct result.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from astroemu.core.typing import FloatArray
from astroemu.runtime.mpi import processes
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.mpi_target import MPITarget
from astroemu.sampling.replay import LikelihoodReplay
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target, TargetWrapper, evaluate
from astroemu.testing.findings import NonConformance, Skipped, ensure
from astroemu.testing.problems import Gaussian

_LIMIT_S = 120


class _Slow(TargetWrapper):
    """A target with a pause in every call, so that a run can be killed before its end."""

    def __init__(self, target: Target, pause: float) -> None:
        super().__init__(target)
        self.pause = pause

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        time.sleep(self.pause)
        return evaluate(self.target, theta, gradient=gradient)


def killed(name: str) -> str:
    """Kill a run after some seconds, resume it, and check its result; return the details."""
    with tempfile.TemporaryDirectory() as folder:
        job = subprocess.Popen(  # noqa: S603 - our own interpreter
            _command(name, folder, 0.02), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            job.wait(timeout=4.0)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        early = Path(folder, "samples.h5").exists()
        left = sorted(path.name for path in Path(folder).iterdir())
        _finished(_command(name, folder, 0.0))
        detail = _compared(folder)
    state = "it ended before it could be killed" if early else f"it left {', '.join(left) or 'nothing'}"
    return f"{state}; then {detail}"


def two_ranks(name: str) -> str:
    """Run with two processes under ``mpiexec`` and check the result; return the details."""
    beside = str(Path(sys.executable).parent)
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if mpiexec is None:
        raise Skipped("mpiexec is not installed: pip install mpich")
    with tempfile.TemporaryDirectory() as folder:
        _finished([mpiexec, "-n", "2", *_command(name, folder, 0.0)])
        return _compared(folder)


def _command(name: str, folder: str, pause: float) -> list[str]:
    return [sys.executable, "-m", "astroemu.testing.processes", name, folder, str(pause)]


def _finished(command: list[str]) -> None:
    """Run a command to its end; after a time limit, kill it with all its child processes."""
    job = subprocess.Popen(  # noqa: S603 - our own interpreter, perhaps under mpiexec
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = job.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.communicate()
        raise NonConformance(f"it did not end within {_LIMIT_S} s") from None
    ensure(job.returncode == 0, f"exit code {job.returncode}: {said.strip()[-300:]}")


def _compared(folder: str) -> str:
    from astroemu.testing.problems import agrees

    return agrees(Samples.load(Path(folder) / "samples.h5"), Gaussian())


def _main(name: str, folder: str, pause: str) -> None:
    own = Path(folder) / "sampler"
    own.mkdir(exist_ok=True)
    pool = MPITarget(_Slow(Gaussian(), float(pause)), processes())
    if not processes().is_root:
        pool.serve()
        return
    with (
        pool.serving(),
        LikelihoodReplay(pool, Path(folder) / "likelihoods.record") as record,
    ):
        samples = SAMPLERS.load(name)().run(record, seed=1, folder=own)
        samples.save(Path(folder) / "samples.h5")


if __name__ == "__main__":
    _main(*sys.argv[1:])
