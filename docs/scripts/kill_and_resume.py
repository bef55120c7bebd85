"""Kill a fit at random moments, resume it, and compare it with one that was never stopped.

    python docs/scripts/kill_and_resume.py emcee --kills 30
    python docs/scripts/kill_and_resume.py ultranest --kills 10 --processes 2 -- --set samplers.ultranest.batch=512

A job runs ``astroemu fit --resume``, is killed with SIGKILL after a time drawn between nothing and what the
whole fit takes, and is started again; a run ends when one of its jobs comes to the end, and the next one begins
until there were enough kills. What follows ``--`` is given to every fit. Prints a line of a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from astroemu.samples import Samples

HEAD = """\
| sampler | processes | kills | runs | could not resume | the same bit for bit | largest shift of a mean | of ln Z |
|---|---|---|---|---|---|---|---|"""


def job(arguments: argparse.Namespace, out: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start one process, or several, of a fit that is resumed."""
    command = [sys.executable, "-m", "astroemu", "fit", arguments.configuration, "--sampler", arguments.sampler]
    command += ["--no-report", "--resume", "--out", str(out), *arguments.options]
    if arguments.processes > 1:
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [str(shutil.which("mpiexec", path=beside)), "-n", str(arguments.processes), *command]
    with log.open("ab") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)  # noqa: S603 - our own


def ended(process: subprocess.Popen[bytes], seconds: float | None) -> int | None:
    """Wait for a job; kill it with all its processes after a time, and return None."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        for member in members(process.pid):
            os.kill(member, signal.SIGKILL)
        process.wait()
        return None


def members(leader: int) -> list[int]:
    """The leader of a job and all that descend from it: MPI starts its processes in sessions of their own."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found = [leader]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def compare(found: Samples, whole: Samples) -> tuple[bool, float, float]:
    """Whether samples are the same, and the shift of their means and of ln Z in standard deviations and errors."""
    same = found.theta.shape == whole.theta.shape and bool(np.array_equal(found.theta, whole.theta))
    shift = float(np.max(np.abs(found.mean() - whole.mean()) / whole.std()))
    if found.log_evidence is None or whole.log_evidence is None:
        return same, shift, np.nan
    error = np.hypot(found.log_evidence_err or np.nan, whole.log_evidence_err or np.nan)
    return same, shift, abs(found.log_evidence - whole.log_evidence) / float(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sampler")
    parser.add_argument("--configuration", default="reionization")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:cut])
    arguments.options = sys.argv[cut + 1 :]
    rng, kills, failures, results = np.random.default_rng(arguments.seed), 0, 0, []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        log = folder / "log"
        started = time.monotonic()
        if ended(job(arguments, folder / "whole", log), None) != 0:
            sys.exit(log.read_text())
        duration = time.monotonic() - started
        whole = Samples.load(folder / "whole" / "samples.h5")
        while kills < arguments.kills:
            out, code = folder / f"run{len(results) + failures}", None
            while code is None:
                moment = rng.uniform(0.0, duration) if kills < arguments.kills else None
                code = ended(job(arguments, out, log), moment)
                kills += code is None
            if code == 0:
                results.append(compare(Samples.load(out / "samples.h5"), whole))
                print(f"{kills} kills, {results[-1]}", file=sys.stderr, flush=True)
            else:
                failures += 1
                print(log.read_text()[-2000:], file=sys.stderr, flush=True)
    same, shift, evidence = (np.array(column) for column in zip(*results, strict=True))
    ln_z = f"{evidence.max():.2f} errors" if np.isfinite(evidence).all() else "-"
    print(HEAD)
    print(
        f"| `{arguments.sampler}` | {arguments.processes} | {kills} | {len(results) + failures} | {failures} | "
        f"{int(same.sum())} of {len(same)} | {shift.max():.3f} sigma | {ln_z} |"
    )


if __name__ == "__main__":
    main()
