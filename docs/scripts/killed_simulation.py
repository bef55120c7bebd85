"""Kill `simulate` under MPI half-way, start it again, and check that no point is lost or repeated.

    python docs/scripts/killed_simulation.py docs/examples/train_21cmfast.toml --out training/lightcones.h5

    python docs/scripts/killed_simulation.py docs/examples/train_park19.toml --out training/set.h5 --workers 2

The script sends SIGKILL to every process when half of the blocks exist. All processes must run on one machine. With
--workers it kills the command alone, and counts the workers that are alive five seconds later (on Linux).
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    task = Recipe(given.recipe).simulation()
    blocks = math.ceil(task.n / task.build().batch)
    parts = given.out.with_name(given.out.name + ".parts")
    command = _command(given)
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while len(list(parts.glob("*.h5"))) < blocks / 2:
        if job.poll() is not None:
            sys.exit("it ended before half of the blocks were seen; ask for more points")
        time.sleep(0.01)
    if given.workers:
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        job.kill()
        job.wait()
        time.sleep(5.0)
        alive = sum(Path(f"/proc/{child}").exists() for child in children)
        print(f"{alive} of {len(children)} processes that it had started are alive 5 s later")
    else:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    finished = [TrainingSet.load(part) for part in sorted(parts.glob("[0-9]*.h5"))]
    print(f"killed with {len(finished)} of {blocks} blocks on the disk", flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    data = TrainingSet.load(given.out)
    rows = {row.tobytes() for row in data.theta}
    before = [row for part in finished for row in part.theta[:, [part.names.index(name) for name in data.names]]]
    print(
        f"resumed: {len(data)} points of {task.n}, {len(rows)} different, {len(data.metadata['failed'])} failed; "
        f"{sum(np.ascontiguousarray(row).tobytes() in rows for row in before)} of the {len(before)} from before the "
        "kill are among them"
    )


def _command(given: argparse.Namespace) -> list[str]:
    if given.workers:
        start = [sys.executable, "-m", "astroemu", "simulate", given.recipe, "--out", str(given.out)]
        return [*start, "--workers", str(given.workers)]
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    simulate = [sys.executable, "-m", "astroemu", "simulate", given.recipe, "--out", str(given.out)]
    return [str(mpiexec), "-n", str(given.ranks), *simulate]


if __name__ == "__main__":
    main()
