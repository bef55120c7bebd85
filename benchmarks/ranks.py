"""What MPI gains: batches of a likelihood that keeps a processor busy for some milliseconds a point.

python benchmarks/ranks.py
mpiexec -n 2 python benchmarks/ranks.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from astroemu.parallel import world
from astroemu.pool import Pool

Array = NDArray[np.float64]


class Busy:
    """A normal distribution in four dimensions that takes its time."""

    names = ("a", "b", "c", "d")

    def __init__(self, milliseconds: float) -> None:
        self.seconds = milliseconds / 1e3

    def prior_transform(self, u: Array) -> Array:
        return 10.0 * u - 5.0

    def log_prior(self, theta: Array) -> Array:
        return np.where(np.all(np.abs(theta) < 5, axis=1), -4 * np.log(10.0), -np.inf)

    def log_likelihood(self, theta: Array) -> Array:
        until = time.perf_counter() + self.seconds * len(theta)
        while time.perf_counter() < until:
            pass
        return -0.5 * np.sum(theta**2, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--points", type=int, default=64, help="of a batch")
    parser.add_argument("--batches", type=int, default=20)
    given = parser.parse_args()
    pool = Pool(Busy(given.milliseconds), world())
    if not world().first:
        pool.serve()
        return
    rng = np.random.default_rng(1)
    with pool.serving():
        started = time.perf_counter()
        for _ in range(given.batches):
            pool.log_likelihood(rng.standard_normal((given.points, 4)))
        seconds = time.perf_counter() - started
    points = given.points * given.batches
    print(f"{world().size} process(es), batches of {given.points}: {1e3 * seconds / points:.2f} ms a point")


if __name__ == "__main__":
    main()
