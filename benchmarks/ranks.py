"""What MPI gains where a likelihood keeps a processor busy for some milliseconds a point.

python benchmarks/ranks.py                                   # batches alone
mpiexec -n 2 python benchmarks/ranks.py
mpiexec -n 2 python benchmarks/ranks.py --sampler multinest --set live_points=100 batch=32   # a whole run
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.options import build
from astroemu.parallel import world
from astroemu.pool import Pool
from astroemu.registry import SAMPLERS
from astroemu.sampler import Sampler, Target

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


def batches(target: Target, points: int, n: int) -> str:
    """Evaluate some batches."""
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    for _ in range(n):
        target.log_likelihood(rng.standard_normal((points, 4)))
    return f"batches of {points}: {1e3 * (time.perf_counter() - started) / (n * points):.2f} ms a point"


def run(target: Target, name: str, options: dict[str, Any]) -> str:
    """Sample to the end."""
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
    pool = Pool(Busy(given.milliseconds), world())
    if not world().first:
        pool.serve()
        return
    options = {key: json.loads(value) for key, _, value in (text.partition("=") for text in given.set)}
    with pool.serving():
        said = run(pool, given.sampler, options) if given.sampler else batches(pool, given.points, given.batches)
    print(f"{world().size} process(es), {said}")


if __name__ == "__main__":
    main()
