"""Kill a fit repeatedly, resume it, and compare it with an undisturbed fit.

    python docs/scripts/kill_and_resume.py                                  # emcee, 30 times
    python docs/scripts/kill_and_resume.py --sampler ultranest
    python docs/scripts/kill_and_resume.py --ranks 2 --kills 10
    python docs/scripts/kill_and_resume.py --sampler nuts --kills 5 --longest 45    # compilation takes time

The script prints a row of the table in docs/samplers.md. It runs the default fit, shortened to some minutes in total.
The times of the kills are drawn from --seed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from astroemu.sampling.samples import Samples

SHORT = {
    "emcee": ["samplers.emcee.max_steps=8000", "samplers.emcee.autocorrelation_times=1e6"],
    "multinest": ["samplers.multinest.live_points=400"],
    "nautilus": ["samplers.nautilus.live_points=200", "samplers.nautilus.effective_samples=1000"],
    "nuts": ["samplers.nuts.max_draws=100", "samplers.nuts.warmup=3"],
    "pmc": ["samplers.pmc.effective_samples=20000"],
    "ultranest": ["samplers.ultranest.live_points=800"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampler", default="emcee", choices=sorted(SHORT))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--longest", type=float, default=12.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm", Path(folder) / "killed"
        command = _command(given.sampler, given.ranks)
        subprocess.run([*command, "--out", str(calm)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kills = 0
        while kills < given.kills and not (killed / "summary.json").exists():
            job = subprocess.Popen(
                [*command, "--out", str(killed), "--resume"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                job.wait(timeout=rng.uniform(1.0, given.longest))
            except subprocess.TimeoutExpired:
                os.killpg(job.pid, signal.SIGKILL)
                job.wait()
                kills += 1
        last = subprocess.run([*command, "--out", str(killed), "--resume"], check=False, capture_output=True, text=True)
        if last.returncode:
            sys.exit(last.stderr)
        _row(given, kills, calm, killed)


def _command(sampler: str, ranks: int) -> list[str]:
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    start = [] if ranks == 1 else [str(mpiexec), "-n", str(ranks)]
    options = [word for setting in SHORT[sampler] for word in ("--set", setting)]
    return [*start, sys.executable, "-m", "astroemu", "fit", "--sampler", sampler, "--no-report", *options]


def _row(given: argparse.Namespace, kills: int, calm: Path, killed: Path) -> None:
    one, other = (Samples.load(folder / "samples.h5") for folder in (calm, killed))
    same = one.theta.shape == other.theta.shape and np.array_equal(one.theta, other.theta)
    moved = np.max(np.abs(one.mean() - other.mean()) / one.std())
    summary = json.loads((killed / "summary.json").read_text())
    samples = "the same to the last bit" if same else f"means within {moved:.2g} standard deviations"
    recalled = summary["evaluations"]["recalled"] / summary["n_likelihood"]
    print(f"| {given.sampler} | {given.ranks} | {kills} | {samples} | {recalled:.0%} |")


if __name__ == "__main__":
    main()
