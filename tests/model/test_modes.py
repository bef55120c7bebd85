"""Common errors of a provider on their way to a probe: through interpolation, windows and the error scale."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ProbeError
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.model import Model

X = np.arange(6.0)
LINE = Observable("line", (Axis("x", X),))
#: Shapes of two modes on the grid, and the independent rest.
MODES = np.array([[1.0, 2.0, 3.0, 2.0, 1.0, 0.5], [0.5, -0.5, 0.5, -0.5, 0.5, -0.5]])
REST = np.array([0.3, 0.1, 0.4, 0.2, 0.6, 0.1])
AT = np.array([0.5, 1.25, 3.0, 4.75])
WINDOW = np.array([[0.5, 0.3, 0.2, 0.0], [0.0, 0.4, 0.4, 0.2]])
#: Linear interpolation, written out.
INTERPOLATION = np.maximum(1.0 - np.abs(AT[:, None] - X), 0.0)


class Line(Provider):
    """Values, errors and modes that grow with the parameter. ``change`` makes them wrong."""

    parameters = ("a",)

    def __init__(self, rest=0.0, change=None):
        self.rest, self.change = rest, change or (lambda value, error, modes: Prediction(value, error, modes))

    @property
    def provides(self):
        return {"line": LINE}

    def evaluator(self, rows):
        chosen = rows["line"]

        def evaluate(theta, observables, xp):
            modes = theta[:, :, None] * MODES[:, chosen]
            error = xp.sqrt(xp.sum(modes**2, axis=1) + theta**2 * self.rest * REST[chosen] ** 2)
            return {"line": self.change(theta * X[chosen], error, modes)}

        return evaluate


class Seen(Probe):
    """ln L is a function of the error and of the modes, so that engines can be compared."""

    def __init__(self, **options):
        self._requires = {"it": Requirement("line", at={"x": AT}, **options)}
        self.seen = None

    @property
    def requires(self):
        return self._requires

    def log_likelihood(self, predictions, parameters, xp):
        self.seen = predictions["it"]
        if self.seen.error is None:
            return -xp.sum(self.seen.value, axis=1)
        return -xp.sum(self.seen.error, axis=1) - xp.sum(self.seen.shared_modes() ** 3, axis=(1, 2))


THETA = np.array([[1.0], [2.0], [0.3]])


def prediction(provider, emulator_error=True, **options):
    probe = Seen(**options)
    Model(uniform(a=(0, 5)), {"line": provider}, {"p": probe}, emulator_error=emulator_error).log_likelihood(THETA)
    return probe.seen


def covariance(found, point):
    modes = found.modes[point]
    rest = np.maximum(found.error[point] ** 2 - np.sum(modes**2, axis=0), 0.0)
    return modes.T @ modes + np.diag(rest)


@pytest.mark.parametrize(("options", "matrix"), [({}, INTERPOLATION), ({"weights": WINDOW}, WINDOW @ INTERPOLATION)])
def test_modes_go_through_interpolation_and_windows_as_values_do(options, matrix):
    found = prediction(Line(), **options)
    np.testing.assert_allclose(found.value, THETA * (matrix @ X))
    for point, (a,) in enumerate(THETA):
        full = matrix @ (a**2 * MODES.T @ MODES) @ matrix.T
        np.testing.assert_allclose(covariance(found, point), full, atol=1e-12)
    assert np.all(found.independent_variance(NUMPY) < 1e-12)


@pytest.mark.parametrize(("options", "matrix"), [({}, INTERPOLATION), ({"weights": WINDOW}, WINDOW @ INTERPOLATION)])
def test_the_rest_adds_up_in_the_total_error(options, matrix):
    found = prediction(Line(rest=1.0), **options)
    for point, (a,) in enumerate(THETA):
        full = a**2 * matrix @ (MODES.T @ MODES + np.diag(REST**2)) @ matrix.T
        np.testing.assert_allclose(found.error[point] ** 2, np.diag(full), rtol=1e-9)
        np.testing.assert_allclose(np.diag(covariance(found, point)), np.diag(full), rtol=1e-9)


def test_a_scale_of_the_error_scales_the_modes():
    plain, scaled, none = (prediction(Line(rest=1.0), scale, weights=WINDOW) for scale in (True, 2.5, False))
    np.testing.assert_allclose(scaled.modes, 2.5 * plain.modes)
    np.testing.assert_allclose(scaled.error, 2.5 * plain.error)
    assert none.error is None and none.modes is None


def test_errors_of_unknown_correlation_are_one_mode():
    found = prediction(Line(change=lambda value, error, modes: Prediction(value, error)))
    np.testing.assert_array_equal(found.shared_modes(), found.error[:, None, :])
    assert found.modes is None and found.independent_variance(NUMPY) is None


WRONG = {
    "one mode without its axis": lambda v, e, m: Prediction(v, e, m[:, 0]),
    "modes of the whole batch": lambda v, e, m: Prediction(v, e, m[:1]),
    "modes of other rows": lambda v, e, m: Prediction(v, e, m[:, :, 1:]),
    "modes without an error": lambda v, e, m: Prediction(v, None, m),
}


@pytest.mark.parametrize("what", WRONG)
def test_modes_of_another_shape_name_their_provider(what):
    with pytest.raises(ProbeError, match="the provider 'line' returned modes of 'line'"):
        prediction(Line(change=WRONG[what]))


@pytest.mark.parametrize("name", list(BACKENDS))
def test_compiled_engines_agree(name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    model = Model(uniform(a=(0, 5)), {"line": Line(rest=1.0)}, {"p": Seen(weights=WINDOW)}, engine="numpy")
    found, _ = CompiledEngine(model.pipeline, load_backend()).log_likelihoods(THETA)
    np.testing.assert_allclose(found["p"], model.log_likelihood(THETA), rtol=1e-9)
