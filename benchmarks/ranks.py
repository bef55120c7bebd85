"""Measure the gain from MPI for a likelihood that takes some milliseconds per point.

python benchmarks/ranks.py                                   # batches alone
mpiexec -n 2 python benchmarks/ranks.py
mpiexec -n 2 python benchmarks/ranks.py --sampler multinest --set live_points=100 batch=32   # an entire run
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.runtime.mpi import processes
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.mpi_target import MPITarget
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.target import Target


class Busy:
    """A four-dimensional normal distribution whose evaluation takes a given time per point."""

    names = ("a", "b", "c", "d")

    def __init__(self, milliseconds: float) -> None:
        self.seconds = milliseconds / 1e3

    def prior_transform(self, u: FloatArray) -> FloatArray:
        return 10.0 * u - 5.0

    def log_prior(self, theta: FloatArray) -> FloatArray:
        return np.where(np.all(np.abs(theta) < 5, axis=1), -4 * np.log(10.0), -np.inf)

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        until = time.perf_counter() + self.seconds * len(theta)
        while time.perf_counter() < until:
            pass
        return -0.5 * np.sum(theta**2, axis=1)


def batches(target: Target, points: int, n: int) -> str:
    """Evaluate some batches; return the time per point as text."""
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    for _ in range(n):
        target.log_likelihood(rng.standard_normal((points, 4)))
    return f"batches of {points}: {1e3 * (time.perf_counter() - started) / (n * points):.2f} ms a point"


def run(target: Target, name: str, options: dict[str, Any]) -> str:
    """Run a sampler to its end; return time, number of points and a mean as text."""
    sampler = build(SAMPLERS.load(name), options, f"options of {name}")
    assert isinstance(sampler, Sampler)
    started = time.perf_counter()
    samples = sampler.run(target, seed=1)
    seconds = time.perf_counter() - started
    return f"{name}: {seconds:.1f} s, {samples.n_likelihood:,} points, mean of a {samples.mean()[0]:+.15f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--points", type=int, default=64, help="of a batch")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--sampler", help="run one to its end instead")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="of the sampler")
    given = parser.parse_args()
    pool = MPITarget(Busy(given.milliseconds), processes())
    if not processes().is_root:
        pool.serve()
        return
    options = {key: json.loads(value) for key, _, value in (text.partition("=") for text in given.set)}
    with pool.serving():
        said = run(pool, given.sampler, options) if given.sampler else batches(pool, given.points, given.batches)
    print(f"{processes().size} process(es), {said}")


if __name__ == "__main__":
    main()
