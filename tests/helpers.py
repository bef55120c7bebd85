"""Shared fakes: grids, a provider and a probe made of plain functions, a simulator, Gaussian targets."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special

from astroemu.distribution import Uniform
from astroemu.observable import Axis, Observable
from astroemu.parameter import Parameter
from astroemu.prior import Prior
from astroemu.probe import Probe
from astroemu.provider import Prediction, Provider
from astroemu.requirement import Requirement
from astroemu.simulator import Simulator

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
                value = np.reshape(self.functions[name](*arguments), (len(theta), -1))[:, wanted]
                error = None
                if name in self.errors:
                    error = np.reshape(self.errors[name](*arguments), (len(theta), -1))[:, wanted]
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


class GaussianTarget:
    """A correlated Gaussian likelihood in a flat box, with its evidence.

    The likelihood is the normalised density of ``N(mean, covariance)``, so that the evidence is
    the mass in the box over the volume of the box: here the box holds all of it to 1e-7. With
    ``half`` it is minus infinity where the first parameter lies below its mean: half of the mass.
    """

    def __init__(self, d: int = 4, half: bool = False) -> None:
        self.names = tuple(f"p{i}" for i in range(d))
        self.mean = np.linspace(-0.5, 0.5, d)
        width = np.linspace(0.5, 1.0, d)
        correlation = np.full((d, d), 0.3) + 0.7 * np.eye(d)
        self.covariance = correlation * np.outer(width, width)
        self.edge = 6.0
        self.half = half
        self._inverse = np.linalg.inv(self.covariance)
        self._norm = -0.5 * (d * math.log(2 * math.pi) + np.linalg.slogdet(self.covariance)[1])
        self.log_evidence = -d * math.log(2 * self.edge) - (math.log(2.0) if half else 0.0)
        mass = special.ndtr((self.edge - np.abs(self.mean)) / width)
        assert np.all(mass > 1 - 1e-7)

    def prior_transform(self, u):
        return self.edge * (2 * u - 1)

    def log_prior(self, theta):
        inside = np.all(np.abs(theta) <= self.edge, axis=1)
        return np.where(inside, -len(self.names) * math.log(2 * self.edge), -np.inf)

    def log_likelihood(self, theta):
        x = theta - self.mean
        values = self._norm - 0.5 * np.einsum("ni,ij,nj->n", x, self._inverse, x)
        return np.where(x[:, 0] < 0, -np.inf, values) if self.half else values


class FakeSimulator(Simulator):
    """Three blocks of arithmetic; ``calls`` counts the points, ``fail_at`` ends a run early."""

    parameters = (Parameter("a", Uniform(0, 1), unit="K"), Parameter("b", Uniform(-1, 1)))
    version = "1.2"
    batch = 4
    calls: list[np.ndarray] = []  # noqa: RUF012
    fail_at: int | None = None

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    @property
    def settings(self):
        return {"power": self.power}

    @property
    def provides(self):
        return {"line": Observable("line", (Axis("x", np.array([0.0, 1.0, 2.0])),)), "sum": Observable("sum")}

    @property
    def licence(self):
        return "none"

    @property
    def citation(self):
        return "Nobody 2020"

    def simulate(self, theta):
        cls = type(self)
        if cls.fail_at is not None and len(cls.calls) == cls.fail_at:
            raise KeyboardInterrupt
        cls.calls.append(np.array(theta))
        a, b = theta.T
        return {"line": (a[:, None] + b[:, None] * np.arange(3)) ** self.power, "sum": a + b}


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
