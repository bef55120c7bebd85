"""The kit for samplers: an exact sampler passes, and each of its mutants fails where it errs."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples
from astroemu.testing import check_sampler
from astroemu.testing.problems import MEAN, WIDTH


class Exact(Sampler):
    """Independent draws of the Gaussian of the kit, of which those without a likelihood are left out."""

    name = "exact"

    def run(self, target, *, seed, folder=None, report=None):
        theta = MEAN + WIDTH * np.random.default_rng(seed).standard_normal((4000, 2))
        log_likelihood = np.concatenate([target.log_likelihood(part) for part in np.array_split(theta, 10)])
        return self.samples(target, *self.kept(theta, log_likelihood))

    def kept(self, theta, log_likelihood):
        usable = np.isfinite(log_likelihood)
        return theta[usable], log_likelihood[usable]

    def samples(self, target, theta, log_likelihood):
        n = len(theta)
        equal = np.full(n, -np.log(n))
        log_prior = np.full(n, -np.log(100.0))
        return Samples(
            target.names, theta, log_likelihood, log_prior, equal, "exact", ess=float(n), converged=True, reason="",
            n_likelihood=4000,
        )  # fmt: skip


class Floors(Exact):
    """Minus infinity becomes a low number, and such points are samples."""

    def kept(self, theta, log_likelihood):
        return theta, np.maximum(log_likelihood, -1e300)


class Infinite(Exact):
    """Points with minus infinity are samples."""

    def kept(self, theta, log_likelihood):
        return theta, log_likelihood


class Mirrors(Exact):
    """Points behind the wall are moved to its other side with their likelihood, which is that of a mirror image."""

    def kept(self, theta, log_likelihood):
        theta, log_likelihood = super().kept(theta, log_likelihood)
        if len(theta) < 4000:
            theta[::100, 0] = 2 * MEAN[0] - theta[::100, 0]
        return theta, log_likelihood


class LosesTheWall(Exact):
    """Samples close to the wall are lost."""

    def kept(self, theta, log_likelihood):
        theta, log_likelihood = super().kept(theta, log_likelihood)
        far = np.abs(theta[:, 0] - MEAN[0]) > (0.2 * WIDTH[0] if len(theta) < 4000 else 0.0)
        return theta[far], log_likelihood[far]


HALF, NAN = "half space of -inf", "NaN of a probe"


def findings(sampler):
    report = check_sampler(sampler, "exact")
    return {finding.check: finding.detail for finding in report.findings if finding.outcome == "failed"}


def test_an_exact_sampler_conforms():
    assert findings(Exact) == {}


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        (Floors, {HALF: "the samples say -1e+300, the target says -inf; leave such rows out", NAN: "gave NaN"}),
        (Infinite, {HALF: "the samples say -inf, the target says -inf; leave such rows out", NAN: "gave NaN"}),
        (Mirrors, {HALF: "row 0: the samples say", NAN: "gave NaN"}),
        (LosesTheWall, {HALF: "means"}),
    ],
)
def test_a_sampler_that_errs_at_walls_fails(mutant, words):
    found = findings(mutant)
    assert set(found) == set(words)
    for check, text in words.items():
        assert text in found[check]
