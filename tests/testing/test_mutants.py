"""Each check of the kit fails for a mutant, a plugin with one error."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu import Parameter, Prediction, Probe, Requirement
from astroemu.core.catalog import Catalog
from astroemu.core.distributions import Uniform
from astroemu.core.likelihoods import gaussian
from astroemu.emulation.simulator import Simulator
from astroemu.errors import ProbeError
from astroemu.sampling.sampler import Sampler
from astroemu.testing import NonConformance, check_catalog, check_probe, check_sampler, check_simulator
from astroemu_plugins.samplers.emcee import Emcee
from astroemu_plugins.simulators.park19 import Park19

Z = np.array([6.0, 7.0, 8.0])
DATA = np.array([1.0, 1.2, 0.9])


class Good(Probe):
    """Three numbers with an unknown offset."""

    parameters = (Parameter("offset", Uniform(-0.1, 0.1), unit="mK"),)
    unit = "mK"

    def __init__(self, error: float = 0.1) -> None:
        self.error, self.data = error, DATA

    @property
    def requires(self):
        return {"y": Requirement("y", {"z": Z}, self.unit)}

    def log_likelihood(self, predictions, parameters, xp):
        m = predictions["y"].value + parameters["offset"][:, None]
        return xp.sum(gaussian(m, self.data, self.error, xp, predictions["y"].error), axis=-1)

    def simulate(self, predictions, parameters, rng):
        mock = type(self)(self.error)
        m = predictions["y"].value[0] + parameters["offset"]
        mock.data = m + self.error * rng.standard_normal(3)
        return mock


def failed(report):
    return {finding.check for finding in report.failures}


def test_the_original_conforms():
    report = check_probe(Good())
    report.demand()
    assert {f.check for f in report.findings if f.outcome == "skipped"} == {
        "requirements resolve",
        "panels",
        "catalogs",
    }


class KeepsTheBatchAxis(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp)[:, None]


class MixesItsBatch(Good):
    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        return found - xp.sum(found) / max(len(found), 1)


class GrowsWithoutBound(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return xp.sum(predictions["y"].value ** 2, axis=-1) * 1e200


class Remembers(Good):
    def log_likelihood(self, predictions, parameters, xp):
        self.error = self.error * 1.01
        return super().log_likelihood(predictions, parameters, xp)


class WritesIntoItsInput(Good):
    def log_likelihood(self, predictions, parameters, xp):
        predictions["y"].value[:] += 1.0
        return super().log_likelihood(predictions, parameters, xp)


class LeavesTheNamespace(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp) + np.sum(0.0 * np.exp(predictions["y"].value), 1)


class Branches(Good):
    def log_likelihood(self, predictions, parameters, xp):
        if len(parameters["offset"]) and parameters["offset"][0] > 99:
            return parameters["offset"]
        return super().log_likelihood(predictions, parameters, xp)


class HidesNaN(Good):
    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        return xp.where(found == found, found, -1.0) if isinstance(found, np.ndarray) else found


class WrongWithErrors(Good):
    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["y"]
        return super().log_likelihood(
            {"y": Prediction(y.value, None if y.error is None else 2 + y.error)}, parameters, xp
        )


class TooConfident(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return 4 * super().log_likelihood(predictions, parameters, xp)


class StrangeUnit(Good):
    unit = "milliKelvinses"


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (KeepsTheBatchAxis, "shapes"),
        (MixesItsBatch, "batch = single"),
        (GrowsWithoutBound, "finite or -inf"),
        (Remembers, "no state"),
        (WritesIntoItsInput, "no state"),
        (LeavesTheNamespace, "engine: xp only"),
        (Branches, "engine: xp only"),
        (HidesNaN, "a NaN stays in its point"),
        (WrongWithErrors, "emulator error"),
        (TooConfident, "simulate, then fit"),
        (StrangeUnit, "declarations"),
    ],
)
def test_a_mutant_fails(mutant, check):
    mutant.__doc__ = "A mutant."
    report = check_probe(mutant())
    assert check in failed(report), report.table()
    with pytest.raises(NonConformance, match="does not conform"):
        report.demand()


def test_a_requirement_that_the_provider_cannot_meet_fails():
    from astroemu.emulation.simulator import SimulatorProvider

    class Early(Good):
        """Requires a redshift beyond the grid of the simulator."""

        @property
        def requires(self):
            return {"y": Requirement("x_hi", {"z": np.array([50.0])})}

    report = check_probe(Early(), {"park19": SimulatorProvider(Park19())})
    (finding,) = [f for f in report.findings if f.check == "requirements resolve"]
    assert finding.outcome == "failed" and "50 lies outside the grid" in finding.detail


class TooNarrow(Emcee):
    """Its samples are too close to their mean."""

    def run(self, target, **options):
        samples = super().run(target, **options)
        shrunk = samples.mean() + 0.8 * (samples.theta - samples.mean())
        object.__setattr__(samples, "theta", shrunk)
        object.__setattr__(samples, "log_likelihood", target.log_likelihood(shrunk))
        return samples


class Swallows(Emcee):
    """An exception of a probe becomes minus infinity."""

    def run(self, target, **options):
        likelihood = target.log_likelihood

        def careless(theta):
            try:
                return likelihood(theta)
            except ProbeError:
                return np.full(len(theta), -np.inf)

        target.log_likelihood = careless
        return super().run(target, **options)


class ForgetsTheSeed(Emcee):
    """Every run has another seed."""

    runs = 0

    def run(self, target, *, seed, **options):
        type(self).runs += 1
        return super().run(target, seed=seed + type(self).runs, **options)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (TooNarrow, "known evidence, mean and width"),
        (Swallows, "exception of a probe"),
        (ForgetsTheSeed, "same seed, same samples; no state"),
    ],
)
def test_a_sampler_that_errs_fails(mutant, check):
    assert issubclass(mutant, Sampler)
    assert check in failed(check_sampler(lambda: mutant(walkers=16, max_steps=3000, starting_draws=2000), "emcee"))


class Forgetful(Park19):
    """No version, no licence."""

    version = ""


def test_a_simulator_without_a_version_fails():
    assert issubclass(Forgetful, Simulator)
    assert failed(check_simulator(Forgetful())) == {"declarations"}


def test_a_catalog_that_was_changed_fails(tmp_path):
    file = tmp_path / "mine.ecsv"
    file.write_text("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: z, datatype: float64}\nz\n6.0\n")
    assert failed(check_catalog(Catalog("mine", file, checksum="0" * 64))) == {"checksum", "origin", "units"}
