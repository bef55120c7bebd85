"""Errors of a model, as modes that all values of an observable share."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from astroemu.core.adapters import ProviderSubset
from astroemu.core.array_namespace import NUMPY
from astroemu.core.model_error import ModelError, WithModelError, model_errors
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction, Provider
from astroemu.errors import ConfigurationError

Z = np.array([5.0, 6.0, 8.0, 9.0])
HISTORY = Observable("x_hi", (Axis("z", Z), Axis("k", np.array([0.1, 0.2]))))


class History(Provider):
    """x = a z^2 + k, with an error of 0.01, of which 0.006 is shared."""

    parameters = ("a",)

    def __init__(self, error=True, modes=True):
        self.error, self.modes = error, modes

    @property
    def provides(self):
        return {"x_hi": HISTORY, "tau_e": Observable("tau_e")}

    def evaluator(self, rows):
        def evaluate(theta, observables, xp):
            grid = (theta[:, 0, None, None] * Z[:, None] ** 2 + np.array([0.1, 0.2])).reshape(len(theta), -1)
            values = {"x_hi": grid, "tau_e": theta[:, :1]}
            found = {}
            for name, wanted in rows.items():
                value = values[name][:, wanted]
                error = np.full(value.shape, 0.01) if self.error else None
                modes = np.full((len(theta), 1, len(wanted)), 0.006) if self.error and self.modes else None
                found[name] = Prediction(value, error, modes)
            return found

        return evaluate


def predicted(errors, rows, **options):
    return WithModelError(History(**options), errors).evaluator(rows)(np.array([[1.0], [3.0]]), {}, NUMPY)


def test_a_shift_is_the_slope_along_the_axis_and_needs_the_neighbours():
    rows = np.array([2, 5, 7])  # (z = 6, k = 0.1), (8, 0.2), (9, 0.2)
    found = predicted({"x_hi": ModelError(shift={"z": 0.5})}, {"x_hi": rows}, error=False)["x_hi"]
    # Differences of z^2 between the neighbours: 5 and 8, 6 and 9, and 8 and 9 at the end.
    slope = np.array([13.0, 15.0, 17.0])
    np.testing.assert_allclose(found.modes[:, 0], 0.5 * np.array([[1.0], [3.0]]) * slope)
    np.testing.assert_allclose(found.value[0], [36.1, 64.2, 81.2])
    np.testing.assert_allclose(found.error, found.modes[:, 0])


def test_the_parts_are_independent_and_add_to_the_error_of_the_provider():
    rows = {"x_hi": np.array([0, 1])}
    found = predicted({"x_hi": ModelError(absolute=0.03, fraction=0.1)}, rows)["x_hi"]
    assert found.modes.shape == (2, 3, 2)
    np.testing.assert_allclose(found.modes[:, 0], 0.006)
    np.testing.assert_allclose(found.modes[:, 1], 0.03)
    np.testing.assert_allclose(found.modes[:, 2], 0.1 * found.value)
    np.testing.assert_allclose(found.error**2, 0.01**2 + 0.03**2 + (0.1 * found.value) ** 2)
    np.testing.assert_allclose(found.independent_variance(NUMPY), 0.01**2 - 0.006**2)


def test_an_error_of_unknown_correlation_stays_shared():
    found = predicted({"tau_e": ModelError(absolute=0.002)}, {"tau_e": np.array([0])}, modes=False)["tau_e"]
    np.testing.assert_allclose(found.modes[:, :, 0], [[0.01, 0.002]] * 2)


def test_other_observables_are_as_before():
    found = predicted({"tau_e": ModelError(absolute=0.002)}, {"x_hi": np.array([3])})["x_hi"]
    np.testing.assert_array_equal(found.error, 0.01)
    assert found.modes.shape == (2, 1, 1)


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_compiled_engines_agree(backend):
    pytest.importorskip(backend)
    xp = import_module(f"astroemu.model.backends.{backend}").namespace()
    errors = {"x_hi": ModelError(absolute=0.03, shift={"z": 0.2})}
    expected = predicted(errors, {"x_hi": np.array([2, 5])})["x_hi"]
    provider = WithModelError(History(), errors)
    inner = provider.provider.evaluator

    def as_arrays(rows):
        def evaluate(theta, observables, xp):
            found = inner(rows)(theta, observables, NUMPY)
            converted = {
                k: [xp.concatenate([v], axis=0) for v in (p.value, p.error, p.modes)] for k, p in found.items()
            }
            return {k: Prediction(*arrays) for k, arrays in converted.items()}

        return evaluate

    provider.provider.evaluator = as_arrays
    found = provider.evaluator({"x_hi": np.array([2, 5])})(np.array([[1.0], [3.0]]), {}, xp)["x_hi"]
    np.testing.assert_allclose(np.asarray(found.modes), expected.modes, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(found.error), expected.error, rtol=1e-5)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"x_hii": {"absolute": 0.1}}, r"does not provide 'x_hii'\. Did you mean 'x_hi'"),
        ({"tau_e": {"shift": {"z": 0.1}}}, r"model_error\.tau_e\.shift: 'tau_e' has no axis 'z'"),
        ({"x_hi": {"shift": {"zz": 0.1}}}, r"has no axis 'zz'\. Did you mean 'z'\?"),
        ({"x_hi": {}}, "it states no error"),
        ({"x_hi": {"absolute": -0.1}}, r"absolute = -0\.1 must be a finite number, 0 or more"),
        ({"x_hi": {"shift": {"z": np.nan}}}, r"shift\.z = nan must be"),
    ],
)
def test_bad_errors_are_refused(errors, message):
    with pytest.raises(ConfigurationError, match=message):
        WithModelError(History(), {name: ModelError(**table) for name, table in errors.items()})


def test_the_errors_of_a_provider_are_found_inside_adapters():
    errors = {"x_hi": ModelError(absolute=0.02, shift={"z": 0.3})}
    subset = ProviderSubset(WithModelError(History(), errors), ["x_hi"])
    assert model_errors(subset) == errors and str(errors["x_hi"]) == "absolute 0.02, z +- 0.3"
    assert model_errors(History()) == {}
