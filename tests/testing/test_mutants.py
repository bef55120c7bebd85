"""Each check of the kit fails for a mutant, a plugin with one error."""

from __future__ import annotations

import copy
import os
import sys

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr, ndtri

from astroemu import Panel, Parameter, Prediction, Probe, Requirement
from astroemu.core.catalog import Catalog
from astroemu.core.distributions import Uniform
from astroemu.core.likelihoods import draw_split_gaussian, gaussian, split_gaussian
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
        mock = copy.copy(self)
        mock.data = self._mean(predictions, parameters) + self._width(predictions) * _noise(rng)
        return mock

    def _mean(self, predictions, parameters):
        return predictions["y"].value[0] + parameters["offset"][0]

    def _width(self, predictions):
        return np.hypot(self.error, 0.0 if predictions["y"].error is None else predictions["y"].error[0])

    def panels(self):
        curve, error = Requirement("y", {"z": Z}, self.unit), np.full(3, self.error)
        return (Panel("y", "z", "y [mK]", Z, self.data, error, error, ("measurement",) * 3, curve, curve_x=Z),)


def _noise(rng):
    return 0.0 if rng is None else rng.standard_normal(3)


def failed(report):
    return {finding.check for finding in report.failures}


def outcomes(report):
    return {finding.check: finding.outcome for finding in report.findings}


def test_the_original_conforms():
    report = check_probe(Good())
    report.demand()
    assert {f.check for f in report.findings if f.outcome == "skipped"} == {
        "requirements resolve",
        "log_normalisation",
        "catalogs",
    }
    assert report.findings[3].detail == "y = 1 +- 0.1; ln L = -1.535"


def test_a_unit_that_is_only_a_label_is_stated():
    class StrangeUnit(Good):
        """A typing error, perhaps."""

        unit = "milliKelvinses"

    report = check_probe(StrangeUnit())
    report.demand()
    assert report.findings[0].detail.endswith("'milliKelvinses' no unit, but a label")


class KeepsTheBatchAxis(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp)[:, None]


class SinglePrecisionResult(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return xp.astype(super().log_likelihood(predictions, parameters, xp), "float32")


class SinglePrecision(Good):
    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["y"]
        rounded = Prediction(xp.astype(xp.astype(y.value, "float32"), "float64"), y.error)
        return super().log_likelihood({"y": rounded}, parameters, xp)


class MixesItsBatch(Good):
    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        return found - 0.1 * xp.sum(found) / max(len(found), 1)


class DependsOnTheRow(Good):
    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        return found * (1.0 + 1e-3 * np.arange(found.shape[0]))


class InfiniteFarAway(Good):
    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        return xp.where(predictions["y"].value[:, 0] > 1e50, np.inf, found)


class Reversed(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return -super().log_likelihood(predictions, parameters, xp)


class ReversedAndBounded(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return xp.minimum(-super().log_likelihood(predictions, parameters, xp), 50.0)


class ReversedNorm(Good):
    """The term of the emulator's error in the norm, and that of a model error, with the wrong sign."""

    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["y"].value
        extra = 1.0 + (0.2 * y / self.error) ** 2
        return xp.sum(-0.5 * ((y + parameters["offset"][:, None] - self.data) / self.error) ** 2 / extra
                      + 0.5 * xp.log(extra), axis=-1)  # fmt: skip

    ignores_emulator_error = "an example"
    simulate = Probe.simulate


class OneTermReversed(Good):
    def log_likelihood(self, predictions, parameters, xp):
        sign = np.array([1.0, 1.0, -1.0])
        m = predictions["y"].value + parameters["offset"][:, None]
        return xp.sum(sign * gaussian(m, self.data, self.error, xp, predictions["y"].error), axis=-1)


class Remembers(Good):
    calls = 0

    def log_likelihood(self, predictions, parameters, xp):
        self.calls += 1
        return super().log_likelihood(predictions, parameters, xp) - 1e-6 * self.calls


class Random(Good):
    """Its integral is a Monte Carlo estimate without a seed."""

    rng = np.random.default_rng(0)

    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp) + 1e-6 * self.rng.standard_normal()


class ReturnsItsBuffer(Good):
    def __init__(self, error: float = 0.1) -> None:
        super().__init__(error)
        self.buffer = np.zeros(10_000)

    def log_likelihood(self, predictions, parameters, xp):
        found = super().log_likelihood(predictions, parameters, xp)
        if not isinstance(found, np.ndarray):
            return found
        self.buffer[: len(found)] = found
        return self.buffer[: len(found)]


class WritesIntoItsInput(Good):
    def log_likelihood(self, predictions, parameters, xp):
        predictions["y"].value[:] += 1.0
        return super().log_likelihood(predictions, parameters, xp)


class WritesIntoANuisance(Good):
    def log_likelihood(self, predictions, parameters, xp):
        parameters["offset"] *= 1.0
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


class UnusedNuisance(Good):
    parameters = (*Good.parameters, Parameter("slope", Uniform(-1.0, 1.0)))


class UnusedRequirement(Good):
    @property
    def requires(self):
        return {**super().requires, "x": Requirement("x", {"z": Z})}


class IgnoresTheError(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood({"y": Prediction(predictions["y"].value)}, parameters, xp)

    def _width(self, predictions):
        return self.error


class DeclaresWhatIsNotTrue(Good):
    ignores_emulator_error = "the data are so noisy"


class WrongWithErrors(Good):
    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["y"]
        return super().log_likelihood(
            {"y": Prediction(y.value, None if y.error is None else 2 + y.error)}, parameters, xp
        )

    def _width(self, predictions):
        return super()._width(predictions) if predictions["y"].error is None else self.error + 2


class SimulatesWithoutTheError(Good):
    def _width(self, predictions):
        return self.error


class TooConfident(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return 4 * super().log_likelihood(predictions, parameters, xp)


class WithoutTheHalf(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return 2 * super().log_likelihood(predictions, parameters, xp)


class Decadic(Good):
    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp) / np.log(10.0)


class Split(Good):
    """Errors of two lengths."""

    swapped = False

    def log_likelihood(self, predictions, parameters, xp):
        m = predictions["y"].value + parameters["offset"][:, None]
        low, high = (0.3, 0.1) if self.swapped else (0.1, 0.3)
        return xp.sum(split_gaussian(m, self.data, low, high, xp, predictions["y"].error), axis=-1)

    def simulate(self, predictions, parameters, rng):
        mock, e = copy.copy(self), 0.0 if predictions["y"].error is None else predictions["y"].error[0]
        mean = self._mean(predictions, parameters)
        mock.data = draw_split_gaussian(mean, np.hypot(0.1, e), np.hypot(0.3, e), rng)
        return mock


class SwapsDataAndModel(Split):
    swapped = True


class Offset(Good):
    """The differences of ln L are lost beside a constant of 3e12."""

    def log_likelihood(self, predictions, parameters, xp):
        return super().log_likelihood(predictions, parameters, xp) + 3e12


class SameDataForEverySeed(Good):
    def simulate(self, predictions, parameters, rng):
        return super().simulate(predictions, parameters, None if rng is None else np.random.default_rng(0))


class DrawsFromTheGlobalGenerator(Good):
    def simulate(self, predictions, parameters, rng):
        return super().simulate(predictions, parameters, None if rng is None else np.random.default_rng())


class SharesItsData(Good):
    """The mock's data are written into the array of the original."""

    def __init__(self, error: float = 0.1) -> None:
        super().__init__(error)
        self.data = DATA.copy()

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        mock.data[:] = super().simulate(predictions, parameters, rng).data
        return mock


class SharesABuffer(Good):
    buffer = np.zeros(3)

    def simulate(self, predictions, parameters, rng):
        mock = super().simulate(predictions, parameters, rng)
        self.buffer[:] = mock.data
        mock.data = self.buffer
        return mock


class WritesIntoTheTruth(Good):
    def simulate(self, predictions, parameters, rng):
        predictions["y"].value[:] += 0.1
        return super().simulate(predictions, parameters, rng)


class OldPanels(Good):
    def panels(self):
        self.data, mine = DATA, self.data
        try:
            return super().panels()
        finally:
            self.data = mine


class Positive(Good):
    """Only positive data are published, but the integral over them is left out."""

    parameters = ()
    ignores_emulator_error = "an example"
    normalised = True

    def log_likelihood(self, predictions, parameters, xp):
        return xp.sum(-0.5 * ((predictions["y"].value - self.data) / self.error) ** 2, axis=-1)

    def __init__(self, error: float = 0.1) -> None:
        super().__init__(error)
        self.data = np.array([0.05, 0.1, 0.02])

    def simulate(self, predictions, parameters, rng):
        mock, mean = copy.copy(self), predictions["y"].value[0]
        low = ndtr(-mean / self.error)
        mock.data = mean if rng is None else mean + self.error * ndtri(low + (1 - low) * rng.random(3))
        return mock

    def log_normalisation(self, predictions, parameters):
        found = np.sum(log_ndtr(predictions["y"].value / self.error), axis=-1)
        return found if self.normalised else 0.0 * found


class NotNormalised(Positive):
    normalised = False


class NormalisesItsBatch(Positive):
    def log_normalisation(self, predictions, parameters):
        return super().log_normalisation(predictions, parameters) / len(predictions["y"].value)


class Prints(Good):
    def log_likelihood(self, predictions, parameters, xp):
        print("evaluating", flush=True)
        return super().log_likelihood(predictions, parameters, xp)


class SilencesNumPy(Good):
    def log_likelihood(self, predictions, parameters, xp):
        np.seterr(over="warn")
        return super().log_likelihood(predictions, parameters, xp)


class SeedsTheProcess(Good):
    def simulate(self, predictions, parameters, rng):
        np.random.seed(0)
        return super().simulate(predictions, parameters, rng)


class SetsTheEnvironment(Good):
    def panels(self):
        os.environ["OMP_NUM_THREADS_OF_A_PLUGIN"] = "1"
        return super().panels()


class Exits(Good):
    def log_likelihood(self, predictions, parameters, xp):
        sys.exit(0)


class RaisesFarAway(Good):
    def log_likelihood(self, predictions, parameters, xp):
        if isinstance(predictions["y"].value, np.ndarray) and np.any(predictions["y"].value < -1e6):
            raise ValueError("y must be positive")
        return super().log_likelihood(predictions, parameters, xp)


class ChangesItsRequirement(Good):
    n = 0

    @property
    def requires(self):
        self.n += 1
        return {"y": Requirement("y", {"z": np.arange(1.0 + self.n)}, self.unit)}


MUTANTS = [
    (KeepsTheBatchAxis, "shapes", "0 point(s) give the shape (0, 1)"),
    (SinglePrecisionResult, "shapes", "float32; a float64 array is required"),
    (SinglePrecision, "double precision", "single precision"),
    (MixesItsBatch, "batch = single", "ln L of row"),
    (DependsOnTheRow, "batch = single", "ln L of row"),
    (InfiniteFarAway, "finite or -inf", "where every value is 1e+100"),
    (Reversed, "falls away", "all predictions up"),
    (ReversedAndBounded, "prefers its data", "and 50 or more"),
    (ReversedNorm, "falls away", "Check its sign and that of its normalisation"),
    (OneTermReversed, "falls away", "value 2 of requires['y'] up"),
    (Remembers, "no state", "keeps state"),
    (Random, "no state", "random numbers"),
    (ReturnsItsBuffer, "results of its own", "return the same memory"),
    (WritesIntoItsInput, "shapes", "read-only"),
    (WritesIntoANuisance, "shapes", "read-only"),
    (LeavesTheNamespace, "engine: xp only", "use that of xp"),
    (Branches, "engine: xp only", "xp.where"),
    (HidesNaN, "a NaN stays in its point", "ln L = -1.0"),
    (UnusedNuisance, "nuisance parameters used", "'slope' over its prior, from -0.998 to 0.998"),
    (UnusedRequirement, "requirements used", "requires['x'] (x)"),
    (IgnoresTheError, "emulator error", "as if predictions were exact"),
    (DeclaresWhatIsNotTrue, "emulator error", "but the error changes ln L"),
    (WrongWithErrors, "emulator error", "with an emulator error of zero"),
    (SimulatesWithoutTheError, "with emulator error", "too wide"),
    (TooConfident, "simulate, then fit", "too narrow"),
    (WithoutTheHalf, "simulate, then fit", "too narrow. Check a factor such as 1/2"),
    (Decadic, "simulate, then fit", "too wide. Check a factor such as 1/2, natural logarithms"),
    (SwapsDataAndModel, "data favour their truth", "which of data and model comes first"),
    (Offset, "simulate, then fit", "made of rounding"),
    (SameDataForEverySeed, "simulate", "another seed gives the same data"),
    (DrawsFromTheGlobalGenerator, "simulate", "the same seed gives other data"),
    (SharesItsData, "simulate", "changes the original probe"),
    (SharesABuffer, "simulate", "of the first mock change"),
    (WritesIntoTheTruth, "simulate", "read-only"),
    (OldPanels, "simulate", "`panels` of two mocks"),
    (NotNormalised, "data favour their truth", "`log_normalisation`"),
    (NormalisesItsBatch, "log_normalisation", "in a batch of 41"),
    (Prints, "process state", "prints 'evaluating'"),
    (SilencesNumPy, "process state", "np.seterr"),
    (SeedsTheProcess, "process state", "np.random's global generator"),
    (SetsTheEnvironment, "process state", "OMP_NUM_THREADS_OF_A_PLUGIN"),
    (Exits, "shapes", "SystemExit"),
    (RaisesFarAway, "highest ln L", "ValueError: y must be positive"),
    (ChangesItsRequirement, "declarations", "different at each access"),
]


@pytest.mark.parametrize(("mutant", "check", "words"), MUTANTS, ids=[mutant.__name__ for mutant, *_ in MUTANTS])
def test_a_mutant_fails_the_check_that_is_meant_for_it(mutant, check, words, capsys):
    mutant.__doc__ = "A mutant."
    report = check_probe(mutant())
    capsys.readouterr()
    assert failed(report) == {check}, report.table()
    with pytest.raises(NonConformance, match="does not conform") as raised:
        report.demand()
    assert words in str(raised.value)


@pytest.mark.parametrize("good", [Split, Positive])
def test_the_originals_of_the_mutants_conform(good):
    good.__doc__ = "No mutant."
    report = check_probe(good())
    report.demand()
    assert outcomes(report)["simulate, then fit"] == "passed"


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (TooNarrow, "known evidence, mean and width"),
        pytest.param(Swallows, "exception of a probe", marks=pytest.mark.slow),
        pytest.param(ForgetsTheSeed, "same seed, same samples; no state", marks=pytest.mark.slow),
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
