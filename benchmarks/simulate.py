"""Measure the gain from MPI in `simulate`: the time of a recipe's first points on one rank and on several.

    python benchmarks/simulate.py docs/examples/train_cmb.toml --points 32
    python benchmarks/simulate.py docs/examples/train_21cmfast.toml --points 8

The time is that of the entire command, including its start. Each rank uses one thread.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--points", type=int, default=32)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    seconds: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        text, found = re.subn(r"(?m)^n = .*$", f"n = {given.points}", given.recipe.read_text())
        if found != 1:
            sys.exit(f"{given.recipe} has no line 'n = ...'")
        recipe.write_text(text)
        for ranks in given.ranks:
            started = time.perf_counter()
            out = Path(folder) / f"{ranks}.h5"
            simulate = [sys.executable, "-m", "astroemu", "simulate", str(recipe), "--out", str(out)]
            one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run([_mpiexec(), "-n", str(ranks), *simulate], check=True, env=one_thread, capture_output=True)
            seconds[ranks] = time.perf_counter() - started
            gain = seconds[given.ranks[0]] / seconds[ranks]
            print(f"{ranks} rank(s): {given.points} points in {seconds[ranks]:.1f} s, {gain:.2f} times", flush=True)


def _mpiexec() -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("mpiexec", path=path) or sys.exit("there is no mpiexec; pip install 'astroemu-inference[mpi]'")


if __name__ == "__main__":
    main()
