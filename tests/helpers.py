"""Shared fakes: the grids of a typical emulator, a provider and a probe made of plain functions."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement

#: Grids of 21cmFAST-based emulators, written out so that no emulator file is needed.
Z = 6.90059 * 1.02 ** np.arange(84) - 1
K = np.array([0.03821, 0.05725, 0.07778, 0.10164, 0.13471, 0.18152, 0.24446, 0.32997, 0.4461, 0.6022, 0.81318, 1.09792])
M_UV = np.concatenate([np.arange(-20.0, -15.0), np.arange(-15.0, -9.9, 0.5)])
POWER = Observable("delta21_sq", (Axis("z", Z[:60]), Axis("k", K, "1/Mpc")), "mK^2")
X_HI = Observable("x_hi", (Axis("z", Z),))
TAU = Observable("tau_e")
UV_LF = Observable(
    "log10_uv_lf", (Axis("z", np.array([6.0, 7.0, 8.0, 10.0])), Axis("m_uv", M_UV, "mag")), "log10(Mpc^-3 mag^-1)"
)


class Stub(Provider):
    """A provider made of functions of ``theta (n, d)`` that return ``(n, ...)`` on the whole grid.

    Parameters
    ----------
    parameters : tuple of str
    functions : mapping of Observable to callable
        ``f(theta)``, or ``f(theta, inner)`` where the stub requires other observables.
    errors : mapping of str to callable
        The emulator's error, by observable name.
    """

    def __init__(
        self,
        parameters: tuple[str, ...],
        functions: Mapping[Observable, Callable[..., Any]],
        *,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        errors: Mapping[str, Callable[..., Any]] | None = None,
        requires: tuple[Requirement, ...] = (),
    ) -> None:
        self.parameters = parameters
        self.requires = requires
        self.functions = {o.name: f for o, f in functions.items()}
        self.errors = dict(errors or {})
        self._provides = {o.name: o for o in functions}
        self._bounds = dict(bounds or {})
        #: Rows of the last evaluator that was asked for, and the points of its calls.
        self.asked: dict[str, np.ndarray] = {}
        self.calls: list[np.ndarray] = []
        self.inner: Mapping[str, Prediction] = {}

    @property
    def provides(self):
        return self._provides

    @property
    def bounds(self):
        return self._bounds

    def evaluator(self, rows):
        self.asked = dict(rows)

        def evaluate(theta, observables, xp):
            self.calls.append(np.array(theta))
            self.inner = dict(observables)
            arguments = (theta, observables) if self.requires else (theta,)
            found = {}
            for name, wanted in rows.items():
                shape = (len(theta), self._provides[name].size)
                value = np.reshape(self.functions[name](*arguments), shape)[:, wanted]
                error = None
                if name in self.errors:
                    error = np.reshape(self.errors[name](*arguments), shape)[:, wanted]
                found[name] = Prediction(value, error)
            return found

        return evaluate


class StubProbe(Probe):
    """A probe made of one requirement and a function of its values ``(n, size)``."""

    def __init__(self, requirement, function=None, *, parameters=(), contains=()):
        self._requires = {"it": requirement}
        self.function = function or (lambda values: -0.5 * np.sum(values**2, axis=1))
        self.parameters = tuple(parameters)
        self.contains = frozenset(contains)
        self.seen: Prediction | None = None
        self.nuisance: dict[str, Any] = {}

    @property
    def requires(self):
        return self._requires

    def log_likelihood(self, predictions, parameters, xp):
        self.seen = predictions["it"]
        self.nuisance = dict(parameters)
        return self.function(self.seen.value)


def uniform(**ranges: tuple[float, float]) -> Prior:
    """Flat priors by name."""
    return Prior(tuple(Parameter(name, Uniform(*edges)) for name, edges in ranges.items()))


def command(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process: exit code, standard output, standard error."""
    from astroemu.cli import main

    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["astroemu", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()


def assert_provenance(block: Mapping[str, Any], *inputs: str, engine: str | None = None) -> None:
    """Check that a provenance block is whole and names what went in."""
    wanted = {"date", "host", "platform", "processes", "threads", "versions", "inputs"} | (
        {"engine"} if engine else set()
    )
    assert set(block) == wanted and block.get("engine") == engine
    assert {"python", "numpy", "astroemu-inference"} <= set(block["versions"]) and block["threads"] >= 1
    assert set(inputs) <= set(block["inputs"]), block["inputs"]
    assert all(len(digest) == 64 for digest in block["inputs"].values())
