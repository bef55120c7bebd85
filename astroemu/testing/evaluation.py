"""Checks of how a provider computes its observables; shared by emulators and derived quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction, Provider
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import NonConformance, Report, Skipped, ensure
from astroemu.testing.process_state import unchanged
from astroemu.testing.synthetic import read_only

#: Networks are evaluated in float32, so results depend on the batch size at the level of rounding.
CLOSE = {"rtol": 2e-4, "atol": 1e-5}


@dataclass(frozen=True)
class Evaluation:
    """The checks that evaluate a provider.

    Attributes
    ----------
    provider : Provider
    theta : (n, d) array
        Points inside its range.
    inner : mapping of str to Prediction
        The observables that it requires, ``(n, size)`` each.
    """

    provider: Provider
    theta: FloatArray
    inner: Mapping[str, Prediction]

    def run(self, report: Report) -> bool:
        """Run these checks, and return whether the first one has passed, on which all others rely."""
        if not report.run("shapes", self.shapes):
            return False
        for check, examine in (
            ("no state", self.stateless),
            ("results of its own", self.owned),
            ("batch = single", self.batch_is_single),
            ("rows = rows of the whole", self.rows),
            ("stated error", self.errors),
            ("process state", self.polite),
        ):
            report.run(check, examine)
        return True

    def predict(
        self, points: slice = slice(None), wanted: Mapping[str, NDArray[np.intp]] | None = None
    ) -> dict[str, Prediction]:
        """Return the predictions at some points, for all rows or for some, from read-only arrays.

        Raises
        ------
        NonConformance
            If the provider writes into one of them, or leaves out an observable.
        """
        rows = self._all() if wanted is None else wanted
        inner = {
            name: Prediction(read_only(p.value[points]), None if p.error is None else read_only(p.error[points]))
            for name, p in self.inner.items()
        }
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                found = dict(self.provider.evaluator(rows)(read_only(self.theta[points]), inner, NUMPY))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise NonConformance(f"its evaluator writes into theta or another input ({error})") from error
        missing = set(rows) - set(found)
        ensure(not missing, f"its evaluator returned no {', '.join(sorted(missing))}")
        return found

    def _all(self) -> dict[str, NDArray[np.intp]]:
        return {name: np.arange(o.size) for name, o in self.provider.provides.items()}

    def shapes(self) -> str:
        for n in (0, 1, len(self.theta)):
            for name, prediction in self.predict(slice(n)).items():
                wanted = (n, self.provider.provides[name].size)
                _demand_array(f"{name}: the value", prediction.value, wanted)
                if prediction.error is not None:
                    _demand_array(f"{name}: the error", prediction.error, wanted)
        return f"n = 0, 1, {len(self.theta)}"

    def stateless(self) -> str:
        first = _copied(self.predict())
        self.predict(slice(2, 4))
        for name, again in self.predict().items():
            row = _first_row(first[name].value, again.value, {"rtol": 0.0, "atol": 0.0})
            ensure(row is None, f"{name} of row {row} changes after other points were evaluated")
        return ""

    def owned(self) -> str:
        """Check that two calls of one evaluator return arrays of their own."""
        evaluate = self.provider.evaluator(self._all())
        first, later = (evaluate(self.theta.copy(), _copied(self.inner), NUMPY) for _ in range(2))
        for name, prediction in first.items():
            if np.size(prediction.value) > 0:
                ensure(
                    not np.shares_memory(prediction.value, later[name].value),
                    f"{name}: two calls return the same memory: the second call changes the result of the first",
                )
        return ""

    def batch_is_single(self) -> str:
        whole = _copied(self.predict())
        for i in range(len(self.theta)):
            for name, prediction in self.predict(slice(i, i + 1)).items():
                expected = whole[name].value[i]
                ensure(
                    np.allclose(prediction.value[0], expected, equal_nan=True, **CLOSE),
                    f"{name} of row {i} is {_worst(prediction.value[0], expected)} (alone, in a batch)",
                )
        for name, prediction in whole.items():
            bad = np.flatnonzero(~np.all(np.isfinite(prediction.value), axis=1))
            ensure(not bad.size, f"{name} of row {bad[:1]} is not finite, inside the range of the provider")
        return ""

    def rows(self) -> str:
        whole = _copied(self.predict())
        for name, observable in self.provider.provides.items():
            some = np.unique([0, observable.size // 2, observable.size - 1]).astype(np.intp)
            for wanted in (some, some[-1:]):
                found = self.predict(slice(None), {name: wanted})[name]
                ensure(
                    np.shape(found.value) == (len(self.theta), len(wanted)),
                    f"{name}: {len(wanted)} rows were requested, and {np.shape(found.value)[-1]} returned",
                )
                for what, part, full in (("values", found.value, whole[name].value),
                                         ("errors", found.error, whole[name].error)):  # fmt: skip
                    if part is not None and full is not None:
                        ensure(
                            np.allclose(part, full[:, wanted], equal_nan=True, **CLOSE),
                            f"{name}: the rows {wanted.tolist()}, evaluated alone, have other {what}",
                        )
        return ""

    def errors(self) -> str:
        stated = []
        for name, prediction in self.predict().items():
            if prediction.error is not None:
                bad = np.argwhere(~(np.asarray(prediction.error) >= 0))
                ensure(
                    not len(bad),
                    f"{name}: an error is negative or NaN: {prediction.error[tuple(bad[0])] if len(bad) else 0} "
                    f"in row {bad[0][0] if len(bad) else 0}",
                )
                ensure(bool(np.all(np.isfinite(prediction.error))), f"{name}: an error is infinite")
                stated.append(name)
        if not stated:
            raise Skipped("it states no error")
        return ", ".join(stated)

    def polite(self) -> str:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"), unchanged("its evaluator"):
            self.provider.evaluator(self._all())(self.theta, self.inner, NUMPY)
        return ""


def _demand_array(what: str, found: Any, shape: tuple[int, int]) -> None:
    ensure(np.shape(found) == shape, f"{what} has the shape {np.shape(found)}, not {shape}")
    dtype = getattr(found, "dtype", None)
    ensure(dtype == np.float64, f"{what} is of the type {dtype or type(found).__name__}; a float64 array is required")


def _copied(found: Mapping[str, Prediction]) -> dict[str, Prediction]:
    return {k: Prediction(np.array(p.value), None if p.error is None else np.array(p.error)) for k, p in found.items()}


def _first_row(a: FloatArray, b: FloatArray, tolerance: Mapping[str, float]) -> int | None:
    bad = np.flatnonzero(~np.all(np.isclose(a, b, equal_nan=True, **tolerance), axis=1))
    return int(bad[0]) if bad.size else None


def _worst(a: FloatArray, b: FloatArray) -> str:
    j = int(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf)))
    return f"{a[j]:.8g}, {b[j]:.8g}"
