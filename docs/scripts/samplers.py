"""Test samplers on problems of known evidence and moments, with ten seeds each.

    python docs/scripts/samplers.py emcee ultranest
    python docs/scripts/samplers.py nautilus --seeds 3
    python docs/scripts/samplers.py pmc --problems gaussian eggbox shell
    python docs/scripts/samplers.py ultranest --problems eggbox --set method=slice
    python docs/scripts/samplers.py nuts --problems gaussian shell
    python docs/scripts/samplers.py emcee ultranest nautilus nuts --limits

* ``gaussian``: nine dimensions, correlations of 0.5, widths from 0.1 to 0.5, in a flat box of side 10.
* ``eggbox``: ln L = (2 + cos(x / 2) cos(y / 2))^5 in a square of side 10 pi, with 18 modes.
* ``shell``: two thin rings (radius 2, width 0.1) in a square of side 12.

With ``--limits`` the problems are those at which samplers often fail:

* ``wall``: a unit Gaussian in a square of side 10, cut to minus infinity beyond one standard deviation.
* ``plateau``: the same, and the likelihood is constant inside.
* ``corner``: an exponential of scale 1/3 in each of three parameters, in a corner of a cube of side 10.

The true values are analytic, or sums over a fine grid. The script prints one line of a Markdown table per sampler and
problem. It gives the largest deviations over the seeds: of ln Z in stated errors, and of means and widths in
sigma / sqrt(effective samples). With ``--limits`` it also gives their root mean squares and the seconds of a run.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.runtime.options import build
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.sampler import Sampler

HEAD = """\
| sampler | problem | seeds converged | ln Z: true | mean found - true | rms, largest in its errors | mean | width |
|---|---|---|---|---|---|---|---|"""


@dataclass
class Problem:
    """A log-likelihood in a flat box, with its true evidence, mean and width."""

    dimensions: int
    low: float
    high: float
    log_l: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    log_z: float = field(init=False)
    mean: FloatArray = field(init=False)
    width: FloatArray = field(init=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"x{i}" for i in range(self.dimensions))

    def prior_transform(self, u: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * u

    def prior_slope(self, u: FloatArray) -> FloatArray:
        return np.full(u.shape, self.high - self.low)

    def log_prior(self, theta: FloatArray) -> FloatArray:
        inside = np.all((theta >= self.low) & (theta <= self.high), axis=1)
        return np.where(inside, -self.dimensions * np.log(self.high - self.low), -np.inf)

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        return self.log_l(theta)

    def value_and_grad(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.log_l(theta), self.slope(theta)


def gaussian(dimensions: int = 9) -> Problem:
    """Return a normalised Gaussian, far from the edges of the box."""
    width = np.linspace(0.1, 0.5, dimensions)
    covariance = np.outer(width, width) * (0.5 + 0.5 * np.eye(dimensions))
    inverse, norm = np.linalg.inv(covariance), 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    problem = Problem(
        dimensions, -5.0, 5.0, lambda x: -0.5 * np.einsum("ni,ij,nj->n", x, inverse, x) - norm, lambda x: -x @ inverse
    )
    problem.log_z = -dimensions * np.log(10.0)
    problem.mean, problem.width = np.zeros(dimensions), width
    return problem


def on_a_grid(problem: Problem, n: int = 4000) -> Problem:
    """Set the true values of a two-dimensional problem from sums over the mid-points of a grid."""
    x = problem.low + (problem.high - problem.low) * (np.arange(n) + 0.5) / n
    log_l = np.array([problem.log_l(np.stack([np.full(n, row), x], axis=1)) for row in x])
    weight = np.exp(log_l - log_l.max())
    problem.log_z = float(log_l.max() + np.log(weight.mean()))
    marginals = [weight.sum(axis=axis) / weight.sum() for axis in (1, 0)]
    problem.mean = np.array([m @ x for m in marginals])
    problem.width = np.array([np.sqrt(m @ (x - mu) ** 2) for m, mu in zip(marginals, problem.mean, strict=True)])
    return problem


def eggbox() -> Problem:
    """Return the eggbox of Feroz, Hobson & Bridges 2009, arXiv:0809.3437, section 6.1."""

    def slope(x: FloatArray) -> FloatArray:
        cosine, sine = np.cos(x / 2), np.sin(x / 2)
        return -2.5 * (2 + cosine.prod(axis=1, keepdims=True)) ** 4 * sine * cosine[:, ::-1]

    return on_a_grid(Problem(2, 0.0, 10 * np.pi, lambda x: (2 + np.cos(x / 2).prod(axis=1)) ** 5, slope))


def shell() -> Problem:
    """Return the two shells of Feroz, Hobson & Bridges 2009, arXiv:0809.3437, section 6.2."""

    centres = np.array([[-3.5, 0.0], [3.5, 0.0]])

    def rings(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        away = x[:, None] - centres
        distance = np.linalg.norm(away, axis=2)
        return away, distance, -0.5 * ((distance - 2.0) / 0.1) ** 2 - 0.5 * np.log(2 * np.pi * 0.1**2)

    def log_l(x: FloatArray) -> FloatArray:
        return np.asarray(np.logaddexp.reduce(rings(x)[2], axis=1))

    def slope(x: FloatArray) -> FloatArray:
        away, distance, parts = rings(x)
        share = np.exp(parts - np.logaddexp.reduce(parts, axis=1)[:, None])
        return np.einsum("nc,ncd->nd", share * (2.0 - distance) / (0.1**2 * distance), away)

    return on_a_grid(Problem(2, -6.0, 6.0, log_l, slope))


def disc(log_l: Callable[[FloatArray], FloatArray], slope: Callable[[FloatArray], FloatArray]) -> Problem:
    """Return a log-likelihood inside a disc of radius 1, and minus infinity outside."""

    def outside(x: FloatArray) -> FloatArray:
        return np.asarray(np.sum(x * x, axis=1) >= 1.0)

    return on_a_grid(
        Problem(
            2,
            -5.0,
            5.0,
            lambda x: np.where(outside(x), -np.inf, log_l(x)),
            lambda x: np.where(outside(x)[:, None], np.nan, slope(x)),
        )
    )


def wall() -> Problem:
    return disc(lambda x: -0.5 * np.sum(x * x, axis=1), lambda x: -x)


def plateau() -> Problem:
    return disc(lambda x: np.zeros(len(x)), np.zeros_like)


def corner(dimensions: int = 3, rate: float = 3.0) -> Problem:
    problem = Problem(
        dimensions, -5.0, 5.0, lambda x: -rate * np.sum(5.0 - x, axis=1), lambda x: np.full(x.shape, rate)
    )
    problem.log_z = -dimensions * np.log(10.0 * rate)
    problem.mean, problem.width = np.full(dimensions, 5.0 - 1.0 / rate), np.full(dimensions, 1.0 / rate)
    return problem


PROBLEMS = {"gaussian": gaussian, "eggbox": eggbox, "shell": shell}
LIMITS = {"wall": wall, "plateau": plateau, "corner": corner}
LIMITS_HEAD = """\
| sampler | problem | converged | ln Z, rms | ln Z, worst | means, rms | means, worst | widths, worst | seconds |
|---|---|---|---|---|---|---|---|---|"""


@dataclass
class Deviations:
    """What the runs of all seeds found. Deviations are in units of their errors."""

    converged: int = 0
    log_z: list[float] = field(default_factory=list)
    pulls: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def label(name: str, options: dict[str, Any]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in options.items())])


def deviations(name: str, options: dict[str, Any], problem: Problem, seeds: int) -> Deviations:
    """Run one sampler on one problem with every seed."""
    found = Deviations()
    for seed in range(1, seeds + 1):
        sampler = build(SAMPLERS.load(name), options, f"options of {name}")
        assert isinstance(sampler, Sampler)
        started = sum(os.times()[:4])  # of this process and of those that it started
        samples = sampler.run(problem, seed=seed)
        found.seconds.append(sum(os.times()[:4]) - started)
        found.converged += samples.converged
        error = problem.width / np.sqrt(samples.ess)
        found.means.append(float(np.max(np.abs(samples.mean() - problem.mean) / error)))
        found.widths.append(float(np.max(np.abs(samples.std() - problem.width) / error)))
        if samples.log_evidence is not None and samples.log_evidence_err:
            found.log_z.append(samples.log_evidence - problem.log_z)
            found.pulls.append(found.log_z[-1] / samples.log_evidence_err)
    return found


def rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def line(name: str, options: dict[str, Any], which: str, seeds: int) -> str:
    """Return the line of one sampler and one problem in the table."""
    problem = PROBLEMS[which]()
    found = deviations(name, options, problem, seeds)
    evidence = "none | none"
    if found.pulls:
        worst = np.max(np.abs(found.pulls))
        evidence = f"{np.mean(found.log_z):+.3f} | {rms(found.pulls):.2f}, {worst:.2f}"
    return (
        f"| `{label(name, options)}` | {which} | {found.converged} of {seeds} | {problem.log_z:.3f} | {evidence} | "
        f"{max(found.means):.2f} | {max(found.widths):.2f} |"
    )


def limits_line(name: str, options: dict[str, Any], which: str, seeds: int) -> str:
    """Return the line of one sampler and one problem in the table of the limits."""
    found = deviations(name, options, LIMITS[which](), seeds)
    evidence = f"{rms(found.pulls):.2f} | {np.max(np.abs(found.pulls)):.2f}" if found.pulls else "none | none"
    return (
        f"| `{label(name, options)}` | {which} | {found.converged} of {seeds} | {evidence} | {rms(found.means):.2f} | "
        f"{max(found.means):.2f} | {max(found.widths):.2f} | {np.mean(found.seconds):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("samplers", nargs="+")
    parser.add_argument("--problems", nargs="+", choices=[*PROBLEMS, *LIMITS])
    parser.add_argument("--limits", action="store_true", help="the problems at which samplers often fail")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="for all samplers named")
    arguments = parser.parse_args()
    options: dict[str, Any] = {}
    for text in arguments.set:
        key, _, value = text.partition("=")
        options[key] = float(value) if value.replace(".", "", 1).isdigit() else value
        if isinstance(options[key], float) and options[key].is_integer():
            options[key] = int(options[key])
    print(LIMITS_HEAD if arguments.limits else HEAD)
    make, problems = (limits_line, LIMITS) if arguments.limits else (line, PROBLEMS)
    for name in arguments.samplers:
        for which in arguments.problems or problems:
            print(make(name, options, which, arguments.seeds), flush=True)


if __name__ == "__main__":
    main()
