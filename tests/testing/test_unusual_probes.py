"""Honest likelihoods of unusual forms pass all checks of the kit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy.special import gammaln

from astroemu import Parameter, Probe, Requirement
from astroemu.core.distributions import Fixed, Normal, Uniform
from astroemu.testing import check_probe

Z = np.array([6.0, 7.0, 8.0])


class Unusual(Probe):
    """Three numbers."""

    ignores_emulator_error = "it is an example"

    def __init__(self, data: tuple[float, ...] = (1.0, 1.2, 0.9)) -> None:
        self.data = np.array(data)

    @property
    def requires(self):
        return {"y": Requirement("y", {"z": Z})}

    def log_likelihood(self, predictions, parameters, xp):
        return xp.sum(self.terms(predictions["y"].value, xp), axis=-1)

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        y = predictions["y"].value[0]
        mock.data = np.array(y) if rng is None else self.draw(y, rng)
        return mock


class TopHat(Unusual):
    """The data are within 0.5 of the truth, at any place: the support moves with the truth."""

    def terms(self, y, xp):
        return xp.where(xp.abs(y - self.data) < 0.5, 0.0, -np.inf)

    def draw(self, y, rng):
        return y + rng.uniform(-0.5, 0.5, 3)


class Poisson(Unusual):
    """Counts."""

    def __init__(self) -> None:
        super().__init__((30.0, 41.0, 0.0))

    def terms(self, y, xp):
        safe = xp.maximum(y, 1e-300)
        return xp.where(y > 0, self.data * xp.log(safe) - y - gammaln(self.data + 1.0), -np.inf)

    def draw(self, y, rng):
        return rng.poisson(y).astype(float)


class Student(Unusual):
    """Heavy tails, of three degrees of freedom."""

    def terms(self, y, xp):
        return -2.0 * xp.log1p(((y - self.data) / 0.1) ** 2 / 3.0)

    def draw(self, y, rng):
        return y + 0.1 * rng.standard_t(3, 3)


class Laplace(Unusual):
    """A kink at the peak."""

    def terms(self, y, xp):
        return -xp.abs(y - self.data) / 0.1

    def draw(self, y, rng):
        return y + rng.laplace(0.0, 0.1, 3)


class WidthOfTheModel(Unusual):
    """The error is a tenth of the prediction, with its norm."""

    def terms(self, y, xp):
        width = 0.1 * xp.abs(y) + 1e-6
        return -0.5 * ((y - self.data) / width) ** 2 - xp.log(width)

    def draw(self, y, rng):
        return y + (0.1 * np.abs(y) + 1e-6) * rng.standard_normal(3)


class Tiny(Unusual):
    """Numbers of 1e-9."""

    def __init__(self) -> None:
        super().__init__((1e-9, 1.2e-9, 0.9e-9))

    def terms(self, y, xp):
        return -0.5 * ((y - self.data) / 1e-10) ** 2

    def draw(self, y, rng):
        return y + 1e-10 * rng.standard_normal(3)


class Scale(Unusual):
    """A calibration as a nuisance parameter, and one that is fixed."""

    parameters = (Parameter("scale", Normal(1.0, 0.05)), Parameter("power", Fixed(1.0)))

    def log_likelihood(self, predictions, parameters, xp):
        y = parameters["scale"][:, None] ** parameters["power"][:, None] * predictions["y"].value
        return xp.sum(-0.5 * ((y - self.data) / 0.1) ** 2, axis=-1)

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        noise = 0.0 if rng is None else 0.1 * rng.standard_normal(3)
        mock.data = parameters["scale"][0] ** parameters["power"][0] * predictions["y"].value[0] + noise
        return mock


class OfItsNuisanceAlone(Probe):
    """A prior as a probe; its result is a view of its input."""

    parameters = (Parameter("slope", Uniform(-1.0, 0.0)),)

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        return parameters["slope"]


PROBES = (TopHat, Poisson, Student, Laplace, WidthOfTheModel, Tiny, Scale, OfItsNuisanceAlone)


@pytest.mark.attack("the conformance kit", "an honest likelihood of an unusual form: no false alarm")
@pytest.mark.parametrize("probe", PROBES)
def test_an_honest_likelihood_is_not_refused(probe):
    report = check_probe(probe())
    report.demand()
    outcome = {finding.check: finding.outcome for finding in report.findings}["simulate, then fit"]
    assert outcome == ("skipped" if probe is OfItsNuisanceAlone else "passed"), report.table()
