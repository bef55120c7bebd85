"""Test samplers on three problems of known evidence and moments, with ten seeds each.

    python docs/scripts/samplers.py emcee ultranest
    python docs/scripts/samplers.py nautilus --seeds 3
    python docs/scripts/samplers.py ultranest --problems eggbox --set method=slice
    python docs/scripts/samplers.py nuts --problems gaussian shell

* ``gaussian``: nine dimensions, correlations of 0.5, widths from 0.1 to 0.5, in a flat box of side 10.
* ``eggbox``: ln L = (2 + cos(x / 2) cos(y / 2))^5 in a square of side 10 pi, with 18 modes.
* ``shell``: two thin rings (radius 2, width 0.1) in a square of side 12.

The true values are analytic, or sums over a fine grid. The script prints one line of a Markdown table per sampler and
problem. It gives the largest deviations over the seeds: of ln Z in stated errors, and of means and widths in
sigma / sqrt(effective samples).
"""

from __future__ import annotations

import argparse
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


PROBLEMS = {"gaussian": gaussian, "eggbox": eggbox, "shell": shell}


def line(name: str, options: dict[str, Any], which: str, seeds: int) -> str:
    """Run one sampler on one problem with every seed; return its line of the table."""
    problem = PROBLEMS[which]()
    converged, pulls, offsets, means, widths = 0, [], [], [], []
    for seed in range(1, seeds + 1):
        sampler = build(SAMPLERS.load(name), options, f"options of {name}")
        assert isinstance(sampler, Sampler)
        samples = sampler.run(problem, seed=seed)
        converged += samples.converged
        error = problem.width / np.sqrt(samples.ess)
        means.append(np.max(np.abs(samples.mean() - problem.mean) / error))
        widths.append(np.max(np.abs(samples.std() - problem.width) / error))
        if samples.log_evidence is not None and samples.log_evidence_err:
            offsets.append(samples.log_evidence - problem.log_z)
            pulls.append(offsets[-1] / samples.log_evidence_err)
    evidence = "none | none"
    if pulls:
        evidence = f"{np.mean(offsets):+.3f} | {np.sqrt(np.mean(np.square(pulls))):.2f}, {np.max(np.abs(pulls)):.2f}"
    label = " ".join([name, *(f"{key}={value}" for key, value in options.items())])
    return (
        f"| `{label}` | {which} | {converged} of {seeds} | {problem.log_z:.3f} | {evidence} | {max(means):.2f} | "
        f"{max(widths):.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("samplers", nargs="+")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="for all samplers named")
    arguments = parser.parse_args()
    options: dict[str, Any] = {}
    for text in arguments.set:
        key, _, value = text.partition("=")
        options[key] = float(value) if value.replace(".", "", 1).isdigit() else value
        if isinstance(options[key], float) and options[key].is_integer():
            options[key] = int(options[key])
    print(HEAD)
    for name in arguments.samplers:
        for which in arguments.problems:
            print(line(name, options, which, arguments.seeds), flush=True)


if __name__ == "__main__":
    main()
