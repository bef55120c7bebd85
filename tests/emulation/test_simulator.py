"""A simulator in the likelihood itself."""

from __future__ import annotations

import errno

import astropy.units as u
import numpy as np
import pytest
from helpers import StubProbe, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.emulation.simulator import Simulator, SimulatorProvider, run_simulator
from astroemu.errors import ConfigurationError, ProbeError, ResolutionError, Terminated, WorkerError
from astroemu.model.model import Model

X = np.arange(4.0)


class Line(Simulator):
    """a + b x, three points a call."""

    parameters = (Parameter("a", Uniform(-1, 1)), Parameter("b", Uniform(0, 2)))
    version = "1"
    batch = 3
    citation = "nobody"

    def __init__(self):
        self.sizes = []

    @property
    def settings(self):
        return {}

    @property
    def provides(self):
        return {"line": Observable("line", (Axis("x", X),), "mK"), "sum": Observable("sum")}

    def simulate(self, theta):
        self.sizes.append(len(theta))
        return {"line": (theta[:, :1] + theta[:, 1:] * X).astype(np.float32), "sum": theta.sum(axis=1)}


def model(line, prior=None):
    at = Requirement("line", {"x": np.array([2.0, 2.5])}, "mK")
    return Model(prior or uniform(b=(0, 2), a=(-1, 1)), {"line": SimulatorProvider(line)}, {"p": StubProbe(at)})


def test_it_is_run_in_its_own_batches_and_gives_float64():
    line = Line()
    theta = np.random.default_rng(0).random((8, 2))
    values = model(line).log_likelihood(theta)
    assert line.sizes == [3, 3, 2] and values.dtype == np.float64
    b, a = theta.T
    np.testing.assert_allclose(values, -0.5 * ((a + 2 * b) ** 2 + (a + 2.5 * b) ** 2), rtol=1e-5)


def test_its_range_is_that_of_its_parameters():
    with pytest.raises(ResolutionError, match=r"'a' covers \[-3, 1\] but 'line' is valid on \[-1, 1\] only"):
        model(Line(), uniform(b=(0, 2), a=(-3, 1)))


def test_every_observable_can_be_predicted_for_any_number_of_points():
    found = model(Line()).predict(np.array([[0.5, 0.25]]))
    np.testing.assert_allclose(found["line"], [0.25 + 0.5 * X])
    np.testing.assert_allclose(found["sum"], [0.75])
    assert model(Line()).predict(np.zeros((0, 2)))["line"].shape == (0, 4)
    assert SimulatorProvider(Line()).citation == "nobody"


class Result(Simulator):
    """Returns what a test gives it, of one observable on four points."""

    parameters = (Parameter("a", Uniform(-1, 1)),)
    version = "1"
    settings = {}  # noqa: RUF012
    provides = {"line": Observable("line", (Axis("x", X),), "mK")}  # noqa: RUF012

    def __init__(self, result):
        self.result = result

    def simulate(self, theta):
        found = self.result(theta) if callable(self.result) else self.result
        if isinstance(found, BaseException):
            raise found
        return {"line": found} if isinstance(found, np.ndarray | list) else found


THETA = np.array([[0.5], [-0.5]])
GOOD = np.arange(8.0).reshape(2, 4)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (GOOD[:, :3], r"'line' has the shape \(2, 3\), not \(2, 4\)"),
        (GOOD[:1], r"'line' has the shape \(1, 4\), not \(2, 4\)"),
        (GOOD + 0j, "has the type complex128; real numbers are needed"),
        (GOOD.astype(object), "has the type object"),
        (GOOD.astype(str), "has the type <U32"),
        ([[1.0, 2.0], [3.0]], "'line' is no array"),
        ({"lime": GOOD}, "did not return 'line', which it provides"),
        ({"line": u.Quantity(GOOD, "K")}, "'line' has a unit of its own; return plain numbers in 'mK'"),
        (None, "returned NoneType; a mapping of observables to arrays is needed"),
        (
            SystemExit(0),
            r"called sys\.exit\(0\) at 2 point\(s\), the first \[0\.5\]; it must raise an exception instead",
        ),
    ],
)
@pytest.mark.attack("simulators", "results of another shape, type or name, a unit, sys.exit(0)")
def test_what_a_simulator_may_not_return_is_a_defect_that_names_it(result, message):
    with pytest.raises(ProbeError, match=rf"the simulator .*Result.*{message}"):
        run_simulator(Result(result), THETA)


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (GOOD.astype(int), GOOD),
        (GOOD > 3, (GOOD > 3).astype(float)),
        (np.asfortranarray(GOOD), GOOD),
        (GOOD.tolist(), GOOD),
        (np.ma.masked_greater(GOOD, 6), np.where(GOOD > 6, np.nan, GOOD)),
        (np.where(GOOD > 6, np.nan, GOOD), np.where(GOOD > 6, np.nan, GOOD)),
        (GOOD.astype(">f8"), GOOD),
    ],
)
def test_what_a_simulator_may_return_is_converted(result, found):
    values = run_simulator(Result(result), THETA)["line"]
    np.testing.assert_array_equal(values, found)
    assert values.dtype == np.float64 and type(values) is np.ndarray


@pytest.mark.attack("simulators", "a simulator that returns its own buffer, and writes into the points")
def test_results_and_points_are_copied():
    buffer = np.zeros((2, 4))

    def careless(theta):
        buffer[:] = theta
        theta[:] = 99.0
        return buffer

    points = THETA.copy()
    first = run_simulator(Result(careless), points)["line"]
    run_simulator(Result(careless), -points)
    np.testing.assert_array_equal(first, np.repeat(THETA, 4, axis=1))
    np.testing.assert_array_equal(points, THETA)
    one = Result(careless)
    one.batch = 2
    provider = SimulatorProvider(one)
    values = provider.evaluator({"line": np.arange(4)})(points, {}, NUMPY)["line"].value
    np.testing.assert_array_equal(values, np.repeat(THETA, 4, axis=1))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(143), ConfigurationError("no"), ValueError("no")])
def test_other_exceptions_are_those_of_the_simulator(error):
    with pytest.raises(type(error)):
        run_simulator(Result(error), THETA)


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.attack("simulators", "the memory or the scratch disk of a simulator is full")
def test_a_full_machine_says_nothing_about_the_points(error):
    with pytest.raises(WorkerError, match=r"no memory left|No space left on device"):
        run_simulator(Result(error), THETA)
