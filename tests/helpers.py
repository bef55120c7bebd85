"""Shared fakes: the grids of a typical emulator, a provider and a probe made of plain functions."""

from __future__ import annotations

import contextlib
import io
import resource
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from astroemu.core.distributions import Distribution, Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.emulation.emulator import Emulator

#: Configuration of a small fit: two parameters of ``acg``, and the optical depth. A test adds the tables that it needs.
FIT_OF_TAU = """
[emulators.acg]
[probes.optical_depth]
[parameters]
log10_f_star10 = { distribution = "uniform", low = -2.0, high = -0.5 }
alpha_star = { distribution = "fixed", value = 0.5 }
log10_f_esc10 = { distribution = "uniform", low = -2.0, high = 0.0 }
alpha_esc = { distribution = "fixed", value = 0.0 }
log10_m_turn = { distribution = "fixed", value = 8.7 }
t_star = { distribution = "fixed", value = 0.5 }
log10_l_x = { distribution = "fixed", value = 40.5 }
e_0_keV = { distribution = "fixed", value = 0.5 }
alpha_x = { distribution = "fixed", value = 1.0 }
"""

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


#: Nodes of :func:`line_provider`.
LINE_X = np.linspace(0.0, 9.0, 10)


def line_provider(name: str = "y", *, unit: str = "", bounds: tuple[float, float] = (-1.0, 1.0)) -> Stub:
    """y(x) = slope x + offset on ten nodes, with an error of 0.1 everywhere."""
    observable = Observable(name, (Axis("x", LINE_X),), unit)
    return Stub(
        ("slope", "offset"),
        {observable: lambda theta: theta[:, :1] * LINE_X + theta[:, 1:]},
        bounds={"slope": bounds},
        errors={name: lambda theta: np.full((len(theta), len(LINE_X)), 0.1)},
    )


def datum_probe(observable="y", *, at=2.5, datum=0.0, function=None, **options: Any) -> StubProbe:
    """A Gaussian datum of unit width at one x of :func:`line_provider`, or of a single number.

    Another ``function`` of the values ``(n,)`` may replace the Gaussian.
    """
    coordinates = {"x": np.array([at])} if observable == "y" else {}
    function = function or (lambda values: -0.5 * (values - datum) ** 2)
    return StubProbe(Requirement(observable, coordinates, **options), lambda values: function(values[:, 0]))


def line_prior(**distributions: Distribution | None) -> Prior:
    """Flat priors of slope and offset, with some replaced, added, or left out (None)."""
    given = {"slope": Uniform(-1, 1), "offset": Uniform(-5, 5)} | distributions
    return Prior(tuple(Parameter(name, d) for name, d in given.items() if d is not None))


def line_model(probes=None, *, prior=None, line=None, **options: Any):
    """A model of one :func:`line_provider`, by default with one datum."""
    from astroemu.model.model import Model

    probes = {"a": datum_probe()} if probes is None else probes
    return Model(prior or line_prior(), {"line": line or line_provider()}, probes, **options)


class KnownEmulator(Emulator):
    """line = a + b x + ``shift`` (mK) with the stated error 0.1; level = a without an error."""

    kind = "known"
    X = np.array([0.0, 1.0, 2.0])

    def __init__(self, shift: float = 0.05) -> None:
        self.parameters = ("a", "b")
        self.shift = shift
        self.provenance = {"name": "known"}

    @property
    def provides(self):
        return {"line": Observable("line", (Axis("x", self.X),), "mK"), "level": Observable("level")}

    @property
    def bounds(self):
        return {"a": (0.0, 1.0), "b": (0.0, 1.0)}

    def evaluator(self, rows):
        def evaluate(theta, observables, xp):
            line = theta[:, :1] + theta[:, 1:] * self.X + self.shift
            found = {"line": Prediction(line, np.full(line.shape, 0.1)), "level": Prediction(theta[:, :1])}
            return {
                name: Prediction(p.value[:, rows[name]], None if p.error is None else p.error[:, rows[name]])
                for name, p in found.items()
                if name in rows
            }

        return evaluate

    @classmethod
    def train(cls, data, settings, **_):
        return cls()

    def write(self, group):
        group.attrs["shift"] = self.shift

    @classmethod
    def read(cls, group, provenance):
        return cls(float(group.attrs["shift"]))


def gapped_emulator(folder: Path) -> Path:
    """Train an emulator of tau_e whose training points leave the corner a > 1, b > 0 empty; return its file."""
    from astroemu.emulation.recipe import Recipe
    from astroemu.emulation.training_set import TrainingSet

    theta = np.random.default_rng(3).uniform([0, -1], [2, 1], (600, 2))
    theta = theta[~((theta[:, 0] > 1) & (theta[:, 1] > 0))]
    ranges = {"a": (0.0, 2.0), "b": (-1.0, 1.0)}
    box = {name: {"low": low, "high": high, "unit": "", "latex": ""} for name, (low, high) in ranges.items()}
    values = {"tau_e": 0.05 + 0.01 * theta[:, 0]}
    data = TrainingSet(("a", "b"), theta, {"tau_e": TAU}, values, {"parameters": box})
    text = 'emulator = "polynomial"\n[training]\ndegree = 2\n[parameters]\n'
    for name, (low, high) in ranges.items():
        text += f'{name} = {{ distribution = "uniform", low = {low}, high = {high} }}\n'
    (folder / "recipe.toml").write_text(text)
    Recipe(folder / "recipe.toml").train(data, log=lambda _: None).save(folder / "tau.h5")
    return folder / "tau.h5"


def summary_of(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return a whole summary of a run with these parameters, all of whose numbers are made up."""
    statistics = dict.fromkeys(("mean", "std", "q025", "q16", "median", "q84", "q975"), 1.0)
    counts = dict.fromkeys(("evaluated", "outside_emulator_range", "not_finite", "fraction_outside"), 0)
    texts = dict.fromkeys(("title", "sampler", "converged_reason"), "made")
    numbers = {"log_evidence": None, "log_evidence_err": None, "seed": 1, "n_likelihood": 4, "wall_seconds": 0.0}
    tables = {key: {} for key in ("derived", "diagnostics", "versions", "inputs", "provenance", "best_log_likelihood")}
    return {
        **texts, **numbers, **tables, "ess": 4.0, "converged": True, "citations": [], "evaluations": counts,
        "parameters": dict.fromkeys(names, statistics), "best_sample": dict.fromkeys(names, 1.0), **more,
    }  # fmt: skip


def uniform(**ranges: tuple[float, float]) -> Prior:
    """Flat priors by name."""
    return Prior(tuple(Parameter(name, Uniform(*edges)) for name, edges in ranges.items()))


#: Another straight line, of the parameters a and b: its grid, a requirement between its nodes, a prior and points.
RAMP = Observable("line", (Axis("x", np.arange(6.0)),), "mK")
RAMP_AT = Requirement("line", {"x": np.array([1.5, 4.0])}, "mK")
RAMP_PRIOR = uniform(a=(-1.0, 1.0), b=(0.0, 2.0))
RAMP_POINTS = np.array([[0.5, 1.0], [-0.5, 0.3], [0.1, 1.9]])


def ramp(theta):
    """a + b x on the grid of :data:`RAMP`."""
    return theta[:, :1] + theta[:, 1:] * np.arange(6.0)


def ramp_provider(**options: Any) -> Stub:
    """A provider of :func:`ramp`, and of ``number`` = a."""
    return Stub(("a", "b"), {RAMP: ramp, Observable("number"): lambda theta: theta[:, 0]}, **options)


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


def assert_refused(*arguments: Any, words: Sequence[str] = ()) -> None:
    """Check that a command is refused in one line that holds these words: exit code 2, no traceback."""
    code, _, message = command(*map(str, arguments))
    assert code == 2, message
    assert message.startswith("astroemu: ") and message.count("\n") == 1 and "Traceback" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


def assert_fit_refused(folder: Path, text: str, *words: str) -> None:
    """Check that a configuration is refused, in a line that names its file, before anything is written."""
    (folder / "bad.toml").write_text(text)
    assert_refused("fit", folder / "bad.toml", "--out", folder / "run", words=["bad.toml", *words])
    assert not (folder / "run").exists()


def assert_provenance(block: Mapping[str, Any], *inputs: str, engine: str | None = None) -> None:
    """Check that a provenance block is whole and names what went in."""
    wanted = {"date", "host", "platform", "processes", "threads", "versions", "inputs"} | (
        {"engine"} if engine else set()
    )
    assert set(block) == wanted and block.get("engine") == engine
    assert {"python", "numpy", "astroemu-inference"} <= set(block["versions"]) and block["threads"] >= 1
    assert set(inputs) <= set(block["inputs"]), block["inputs"]
    assert all(len(digest) == 64 for digest in block["inputs"].values())


@contextlib.contextmanager
def no_file_above(size):
    """Let the system refuse to write beyond this byte of any file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refusal_of_odd(load, whole, odd, folder, errors):
    """Return the message with which ``load`` refuses a copy of an HDF5 file that ``odd(file)`` has changed."""
    path = folder / "odd.h5"
    shutil.copyfile(whole, path)
    with h5py.File(path, "r+") as file:
        odd(file)
    with pytest.raises(errors, match=r"odd\.h5") as refused:
        load(path)
    return str(refused.value)
