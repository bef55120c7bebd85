"""The keras engine against the numpy engine: values, padding, gradients, parts outside the compiled function.

The functions of its backends are tested here too. The file runs with JAX alone: tests of TensorFlow are then skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import FIT_OF_TAU, Stub, StubProbe, Z, command, uniform

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, DoubleCountingWarning, ProbeError
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.model import Model
from astroemu.model.operation_count import OperationCount, counting_namespace
from astroemu.model.profile import Profile
from astroemu.testing.problems import Gaussian, with_nan

#: Namespace in which networks are float64: finite differences need it.
DOUBLE = SimpleNamespace(**{**vars(NUMPY), "astype": lambda x, dtype: np.asarray(x, dtype=float)})
HISTORY = Observable("x_hi", (Axis("z", Z[:5]),))
VALUES = Requirement("x_hi", at={"z": Z[:5]})

# --- fixtures -------------------------------------------------------------------------------------


def have(backend):
    return pytest.importorskip(BACKENDS[backend][1]) is not None


@pytest.fixture(scope="module", params=list(BACKENDS))
def backend(request):
    have(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", request.param)
        yield load_backend()


@pytest.fixture(scope="module")
def installed():
    """Configurations by name, each read once. Some count data twice, as their authors do."""

    @cache
    def model(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubleCountingWarning)
            return astroemu.load_model(name, ['engine="numpy"'])

    return model


# The default model takes half a minute to compile, because of its common errors; that of 21CMMC has none.
@pytest.fixture(scope="module", params=["like_21cmmc", pytest.param("reionization", marks=pytest.mark.slow)])
def model(request, installed):
    return installed(request.param)


@pytest.fixture(scope="module")
def engine(model, backend):
    return CompiledEngine(model.pipeline, backend)


class Depth(Provider):
    """tau_e = exp(b), written against `xp`."""

    parameters = ("b",)
    bounds = {"b": (0.0, 1.0)}  # noqa: RUF012

    @property
    def provides(self):
        return {"tau_e": Observable("tau_e")}

    def evaluator(self, rows):
        return lambda theta, observables, xp: {"tau_e": Prediction(xp.exp(theta))}


class Traced(StubProbe):
    """-|values|^2 / 2, written against `xp`."""

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * xp.sum(predictions["it"].value ** 2, axis=1)


@pytest.fixture
def small():
    """A model that compiles at once: ln L = -exp(2 b) / 2."""
    return Model(uniform(b=(0, 1)), {"depth": Depth()}, {"tau": Traced(Requirement("tau_e"))}, engine="numpy")


@pytest.fixture
def small_engine(small, backend):
    return CompiledEngine(small.pipeline, backend)


def draws(model, n, seed=1):
    return model.prior.sample(n, np.random.default_rng(seed))


# --- values ---------------------------------------------------------------------------------------


def differences(model, engine, n):
    theta = draws(model, n)
    expected, _ = model.pipeline.log_likelihoods(theta)
    found, _ = engine.log_likelihoods(theta)
    assert list(found) == list(expected)
    return np.abs(sum(found.values()) - sum(expected.values()))


def test_both_engines_agree_to_a_thousandth(model, engine):
    assert differences(model, engine, 500).max() < 1e-3


# "galaxies" and "reionization_cmb" contain all emulators and probes of the others.
@pytest.mark.parametrize(
    "name",
    [
        "galaxies",
        pytest.param("reionization_cmb", marks=pytest.mark.slow),
        pytest.param("cmb", marks=pytest.mark.slow),
    ],
)
def test_installed_configurations_trace_and_agree(installed, backend, name):
    model = installed(name)
    theta = draws(model, 60)
    (expected, inside), (found, within) = (
        e.log_likelihoods(theta) for e in (model.pipeline, CompiledEngine(model.pipeline, backend))
    )
    inside = np.full(60, True) if inside is None else inside
    np.testing.assert_array_equal(inside, np.full(60, True) if within is None else within)
    for key, values in expected.items():
        keep = inside & np.isfinite(values)
        np.testing.assert_array_equal(np.isfinite(found[key])[inside], np.isfinite(values)[inside])
        # Far from the peak, at likelihoods of 1e8, the precision of float64 itself is reached.
        np.testing.assert_allclose(found[key][keep], values[keep], atol=1e-3, rtol=1e-12)


#: Prints True for each architecture whose compiled layers agree with NumPy.
LAYERS = """
import numpy as np
from astroemu.model.backends.base import load_backend
from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu_plugins.networks.keras_layers import KerasLayers
from astroemu_plugins.networks.keras_models import build_model
from astroemu_plugins.training.architectures import specification
from astroemu_plugins.training.settings import NetworkSettings
ones, zeros, backend = np.ones, np.zeros, load_backend()
x = np.random.default_rng(1).normal(size=(4, 3))
curve = Observable("curve", (Axis("z", np.arange(12.0)),))
for architecture in ("conv1d", "gru", "lstm"):
    settings = NetworkSettings(architecture=architecture, outputs=["curve"], hidden=[8])
    spec = specification(settings, [curve], 3)
    weights = build_model(spec).get_weights()
    layers = KerasLayers(spec, weights, zeros(3, "f4"), ones(3, "f4"), zeros(12, "f4"), ones(12, "f4"))
    forward = layers.forward(np.array([0, 5, 11]))
    found = backend.compile(lambda values: forward(values, backend.xp), (x,))(x)
    print(np.abs(found - forward(x, NUMPY)).max() < 1e-5)
"""


def in_a_process(code, backend):
    """Words that a new process prints. Keras keeps the backend with which it was first imported."""
    # Only values and imports are tested there: without most optimizations JAX compiles in half of the time.
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.parametrize("backend", ["tensorflow"], indirect=True)
def test_layers_that_keras_evaluates_are_traced(backend, capsys):
    """JAX has a process of its own, see the next test. TensorFlow needs one only if Keras was imported with JAX."""
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != backend.name:
        words = in_a_process(LAYERS, backend.name)
    else:
        exec(LAYERS, {})
        words = capsys.readouterr().out.split()
    assert words == ["True"] * 3


@pytest.mark.slow
def test_one_process_with_jax_alone_imports_no_tensorflow(tmp_path):
    """With a model whose networks NumPy could evaluate, and with layers that Keras evaluates."""
    have("jax")
    (tmp_path / "fit.toml").write_text(FIT_OF_TAU)
    code = (
        "import sys, astroemu\n"
        f"m = astroemu.load_model({str(tmp_path / 'fit.toml')!r}, ['engine=\"keras\"'])\n"
        "m.log_likelihood(m.prior_transform([[0.5] * len(m.names)]))\n"
        "print(m.engine.backend.name, 'tensorflow' in sys.modules)\n"
        f"{LAYERS}\n"
        "print('tensorflow' in sys.modules)"
    )
    assert in_a_process(code, "jax") == ["jax", "False", "True", "True", "True", "False"]


@pytest.mark.slow
def test_both_engines_agree_to_a_thousandth_over_the_prior(model, engine):
    assert differences(model, engine, 10_000).max() < 1e-3


@pytest.mark.slow
def test_float32_costs_less_than_a_thousandth(model):
    theta = draws(model, 10_000)
    exact, mixed = (sum(model.pipeline.log_likelihoods(theta, xp)[0].values()) for xp in (DOUBLE, NUMPY))
    assert np.abs(exact - mixed).max() < 1e-3


# --- batches --------------------------------------------------------------------------------------


def test_batches_are_padded_to_powers_of_two_and_compiled_once(small, small_engine):
    theta = draws(small, 7, seed=3)
    whole, _ = small_engine.log_likelihoods(theta)
    part, _ = small_engine.log_likelihoods(theta[:5])
    assert [c.batch for c in small_engine.compilations] == [8]
    for key, values in whole.items():
        assert values.shape == (7,) and values.dtype == np.float64
        np.testing.assert_allclose(part[key], values[:5], rtol=1e-12)
    assert any("(8, 1)" in line for line in small_engine.report())


def test_what_does_not_fit_into_memory_goes_in_pieces(small, small_engine, monkeypatch):
    theta = draws(small, 21, seed=4)
    whole, _ = small_engine.log_likelihoods(theta)
    monkeypatch.setitem(small_engine._max_points, "log-likelihood", 8)
    pieces, _ = small_engine.log_likelihoods(theta)
    assert [c.batch for c in small_engine.compilations] == [32, 8]
    for key, values in whole.items():
        np.testing.assert_allclose(pieces[key], values, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("n", "buckets"), [(1, [1]), (5, [8]), (1000, [1024]), (2000, [2048]), (3000, [2048, 1024]), (9000, [8192, 1024])]
)
def test_padding_is_bounded(small_engine, monkeypatch, n, buckets):
    monkeypatch.setitem(small_engine._max_points, "log-likelihood", 2**20)
    pieces = list(small_engine._pieces("log-likelihood", small_engine._joint, np.zeros((n, 1)), None))
    assert [bucket for _, _, bucket in pieces] == buckets
    assert [start for start, _, _ in pieces] == [0, *(stop for _, stop, _ in pieces[:-1])] and pieces[-1][1] == n


def test_the_largest_piece_follows_from_the_memory(model, engine):
    engine.log_likelihoods(draws(model, 500))  # compiled by the first test already
    tally = OperationCount()
    model.pipeline.log_likelihoods(draws(model, 1), counting_namespace(NUMPY, tally))
    most = engine._max_points["log-likelihood"]
    assert 2 * most * tally.bytes_made > 0.5 * engine.backend.memory or most == 2**10
    assert most * tally.bytes_made < 2.0 * engine.backend.memory


# --- gradients ------------------------------------------------------------------------------------


# TensorFlow takes long to compile this gradient. Its functions have a fast test below.
@pytest.mark.parametrize("backend", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"], indirect=True)
def test_the_gradient_is_that_of_finite_differences(model, engine):
    theta = model.prior.transform(0.3 + 0.4 * np.random.default_rng(5).random((4, 9)))
    value, gradient = engine.value_and_grad(theta)
    np.testing.assert_allclose(value, model.log_likelihood(theta), atol=1e-3)
    low, high = model.prior.transform(np.array([np.zeros(9), np.ones(9)]))
    step = 1e-5 * (high - low)
    for j in range(9):
        ahead, behind = theta.copy(), theta.copy()
        ahead[:, j], behind[:, j] = theta[:, j] + step[j], theta[:, j] - step[j]
        up, down = (sum(model.pipeline.log_likelihoods(x, DOUBLE)[0].values()) for x in (ahead, behind))
        scale = np.abs(gradient * (high - low)).max(axis=1) / (high[j] - low[j])
        assert np.all(np.abs(gradient[:, j] - (up - down) / (2 * step[j])) < 1e-4 * scale), model.names[j]


def test_the_model_gives_gradients_whatever_its_engine(small, backend):
    theta = draws(small, 3)
    theta[1, 0] = 99.0  # beyond the training box
    before = small.counts.copy()
    value, gradient = small.value_and_grad(theta)
    assert small.counts.since(before) == EvaluationCounts(3, 1, 0)
    posterior, slope = small.value_and_grad(theta, prior=True)
    assert value[1] == posterior[1] == -np.inf and np.all(np.isnan(gradient[1]))
    keep = [0, 2]
    np.testing.assert_allclose(value[keep], -0.5 * np.exp(2 * theta[keep, 0]), rtol=1e-12)
    np.testing.assert_allclose(gradient[keep], -np.exp(2 * theta[keep]), rtol=1e-12)
    np.testing.assert_allclose(posterior[keep], (value + small.log_prior(theta))[keep])
    np.testing.assert_allclose(slope[keep], gradient[keep])  # flat priors
    assert len(small.compile_report()) > 1


def test_a_gradient_is_counted_and_timed_as_a_likelihood_is():
    model = with_nan()
    theta = np.array([[0.0, 0.0], [0.5, 0.0]])  # the first one behind the wall
    model.profile = Profile()
    value, gradient = model.value_and_grad(theta)
    assert model.counts == EvaluationCounts(2, 0, 1) and model.profile.likelihood > 0
    np.testing.assert_array_equal(np.isfinite(value), [False, True])
    np.testing.assert_allclose(gradient[1], Gaussian().value_and_grad(theta)[1][1])
    np.testing.assert_allclose(model.prior_slope(np.full((1, 2), 0.3)), 10.0)


# --- the functions of the backends (here, because importing TensorFlow takes long) ----------------


def test_log_ndtr_is_accurate_in_both_tails(backend):
    x = np.array([-1e6, -300.0, -20.001, -20.0, -19.999, -8.0, -1.0, -1e-9, 0.0, 1e-9, 5.0, 40.0])

    def function(values):
        return backend.xp.log_ndtr(values)

    found, slope = backend.compile(backend.with_gradient(function), (x,))(x)
    np.testing.assert_allclose(found, NUMPY.log_ndtr(x), rtol=1e-9, atol=0)
    assert np.all(np.isfinite(slope)) and np.all(slope >= 0)


def test_ndtr_is_accurate_in_both_tails(backend):
    x = np.array([-30.0, -8.0, -1.0, -1e-9, 0.0, 1e-9, 5.0, 40.0])
    found, slope = backend.compile(backend.with_gradient(lambda values: backend.xp.ndtr(values)), (x,))(x)
    np.testing.assert_allclose(found, NUMPY.ndtr(x), rtol=1e-11, atol=0)
    np.testing.assert_allclose(slope, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), rtol=1e-11, atol=0)


#: Nodes and values of a line of three pieces. The values of :data:`MATRIX` lie inside and beyond its ends.
NODES, ON_NODES = np.array([-0.5, 0.2, 1.0, 3.0]), np.array([1.0, -2.0, 0.5, 4.0])
CASES = {
    "argmax": lambda xp, x: xp.astype(xp.argmax(x, axis=1), "float64") + xp.astype(xp.argmax(x), "float64"),
    "clip": lambda xp, x: xp.clip(x, -0.3, np.array([0.5, 1.0, 2.0])),
    "cumsum": lambda xp, x: xp.cumsum(x, axis=1) + xp.cumsum(x, axis=0),
    "extremes": lambda xp, x: xp.max(x, axis=1) - 2.0 * xp.min(x, axis=1) + xp.max(x) * xp.min(x),
    "interp": lambda xp, x: xp.interp(x, NODES, ON_NODES),
    "means": lambda xp, x: xp.mean(x, axis=1) + 3.0 * xp.mean(x) + xp.prod(x, axis=1) + xp.prod(x),
    "ndtr": lambda xp, x: xp.ndtr(x),
    "concatenate": lambda xp, x: xp.concatenate([x, np.ones((3, 2))], axis=1),
    "diagonal": lambda xp, x: xp.diagonal(x),
    "elementwise": lambda xp, x: (
        xp.abs(x) + xp.arcsinh(x) + xp.cosh(x) + xp.erf(x) + xp.exp(x) + xp.sigmoid(x) + xp.sinh(x) + xp.tanh(x)
    ),
    "logarithms": lambda xp, x: xp.log(x * x) + xp.log10(x * x + 1.0) + xp.log1p(x * x) + xp.sqrt(x * x),
    "logdet": lambda xp, x: xp.logdet(xp.stack([x, 2.0 * x], axis=0)),
    "matmul": lambda xp, x: xp.matmul(x, np.arange(3.0)),
    "reshape": lambda xp, x: xp.reshape(xp.transpose(x), (9,)),
    "solve": lambda xp, x: xp.solve(x[None], np.ones((1, 3, 1))),
    "take": lambda xp, x: xp.take(x, np.array([2, 0])),
    "where": lambda xp, x: xp.where(xp.all(x > -9.0, axis=1), xp.sum(xp.maximum(x, 0.0), axis=1), -np.inf),
    "zeros": lambda xp, x: xp.zeros((3, 3)) + xp.ones_like(x) + xp.minimum(0.1, x),
}
MATRIX = np.random.default_rng(7).normal(size=(3, 3)) + 3.0 * np.eye(3)


@pytest.fixture(scope="module")
def compiled_cases(backend):
    """Results of all cases, compiled together."""

    def function(values):
        return {name: case(backend.xp, values) for name, case in CASES.items()}

    return backend.compile(function, (MATRIX,))(MATRIX)


@pytest.mark.parametrize("case", CASES)
def test_namespaces_agree(compiled_cases, case):
    np.testing.assert_allclose(compiled_cases[case], CASES[case](NUMPY, MATRIX), rtol=1e-12, atol=1e-12)


def by_row(xp, x):
    """One number per row from the differentiable functions of a namespace."""
    columns = [CASES["elementwise"](xp, x), CASES["logarithms"](xp, x), xp.log_ndtr(x), xp.maximum(x, 0.2)]
    squares = xp.solve(x[:, :, None] * x[:, None, :] + 2.0 * np.eye(3), x[:, :, None])
    matrices = xp.logdet(x[:, :, None] * x[:, None, :] + 2.0 * np.eye(3)) + xp.matmul(x, np.arange(3.0))
    columns += [CASES["clip"](xp, x), xp.cumsum(x, axis=1) ** 2, CASES["interp"](xp, x), xp.ndtr(x)]
    one = xp.max(x, axis=1) * xp.min(x, axis=1) + xp.mean(x, axis=1) ** 2 + xp.prod(x, axis=1)
    return xp.sum(xp.concatenate(columns, axis=1), axis=1) + xp.sum(squares[:, :, 0], axis=1) + matrices + one


def test_interpolation_of_learned_values_has_their_gradient(backend):
    def function(values):
        return backend.xp.interp(np.full(1, 0.6), NODES, values[0]) * backend.xp.ones_like(values[:, 0])

    found, slope = backend.compile(backend.with_gradient(function), (ON_NODES[None],))(ON_NODES[None])
    np.testing.assert_allclose(found, -0.75, rtol=1e-12)
    np.testing.assert_allclose(slope, [[0.0, 0.5, 0.5, 0.0]], atol=1e-12)


def test_gradients_of_all_functions_are_those_of_finite_differences(backend):
    _, gradient = backend.compile(backend.with_gradient(lambda x: by_row(backend.xp, x)), (MATRIX,))(MATRIX)
    step = 1e-6 * np.eye(3)
    expected = [(by_row(NUMPY, MATRIX + s) - by_row(NUMPY, MATRIX - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(gradient, np.transpose(expected), rtol=1e-6, atol=1e-6)


def test_every_namespace_has_the_same_functions(backend):
    assert set(vars(backend.xp)) == set(vars(NUMPY))


# --- host_only ------------------------------------------------------------------------------------


def ramp(theta):
    assert isinstance(theta, np.ndarray)
    return theta[:, :1] * np.linspace(0.0, 1.0, 5)


class OnHost(Traced):
    host_only = True

    def log_likelihood(self, predictions, parameters, xp):
        assert xp is NUMPY
        return np.asarray([-float(np.sum(row)) for row in predictions["it"].value])


def test_what_is_declared_host_only_runs_outside_and_is_reported(backend):
    provider = Stub(("a",), {HISTORY: ramp})
    provider.host_only = True
    model = Model(
        uniform(a=(0, 1), b=(0, 1)),
        {"slow": provider, "fast": Depth()},
        {"here": Traced(VALUES), "there": OnHost(VALUES), "tau": Traced(Requirement("tau_e"))},
        engine="numpy",
    )
    engine = CompiledEngine(model.pipeline, backend)
    theta = draws(model, 11)
    found, _ = engine.log_likelihoods(theta)
    expected, _ = model.pipeline.log_likelihoods(theta)
    assert list(found) == list(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-12)
    assert any("host_only: 'slow', 'there'" in line for line in engine.report())
    with pytest.raises(ConfigurationError, match="no gradient goes through 'slow', 'there'"):
        engine.value_and_grad(theta)


def test_a_large_batch_reaches_the_host_in_pieces(backend, monkeypatch):
    monkeypatch.setattr("astroemu.model.compiled_engine.ON_HOST", 8)
    seen = []

    def noted(theta):
        seen.append(len(theta))
        return ramp(theta)

    provider = Stub(("a",), {HISTORY: noted})
    provider.host_only = True
    model = Model(uniform(a=(0, 1)), {"slow": provider}, {"here": Traced(VALUES)}, engine="numpy")
    theta = draws(model, 20)
    found, _ = CompiledEngine(model.pipeline, backend).log_likelihoods(theta)
    assert seen == [8, 8, 4]
    np.testing.assert_allclose(found["here"], model.pipeline.log_likelihoods(theta)[0]["here"], rtol=1e-12)


class InJax(OnHost):
    """A likelihood that only JAX can trace."""

    traced_by = frozenset({"jax"})

    def log_likelihood(self, predictions, parameters, xp):
        value = predictions["it"].value
        if isinstance(value, np.ndarray):
            return super().log_likelihood(predictions, parameters, xp)
        import jax.numpy as jnp

        return -jnp.sum(value, axis=1)


def test_a_likelihood_of_another_library_is_traced_by_its_own_backend(backend):
    model = Model(uniform(b=(0, 1)), {"fast": Depth()}, {"theirs": InJax(Requirement("tau_e"))}, engine="numpy")
    engine = CompiledEngine(model.pipeline, backend)
    theta = draws(model, 5)
    expected = model.log_likelihood(theta)
    np.testing.assert_allclose(engine.log_likelihoods(theta)[0]["theirs"], expected, rtol=1e-12)
    assert engine.on_host == (() if backend.name == "jax" else ("theirs",))
    if backend.name == "jax":
        np.testing.assert_allclose(engine.value_and_grad(theta)[0], expected, rtol=1e-12)
    else:
        with pytest.raises(ConfigurationError, match="'jax' can trace some of them"):
            engine.value_and_grad(theta)


def test_what_cannot_be_traced_is_an_error_that_says_what_to_do(backend):
    model = Model(uniform(a=(0, 1)), {"slow": Stub(("a",), {HISTORY: ramp})}, {"here": Traced(VALUES)})
    with pytest.raises(ProbeError, match=r"(?s)'slow'.*host_only = True"):
        CompiledEngine(model.pipeline, backend).log_likelihoods(draws(model, 2))


# --- the command ---------------------------------------------------------------------------------


FIT = (
    FIT_OF_TAU
    + """
[samplers.emcee]
walkers = 8
max_steps = 30
starting_draws = 64
"""
)


@pytest.mark.slow
def test_a_fit_with_the_engine_says_what_was_compiled(tmp_path, monkeypatch):
    have("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    (tmp_path / "fit.toml").write_text(FIT)
    arguments = ("fit", str(tmp_path / "fit.toml"))
    code, text, error = command(*arguments, "--engine", "keras", "--no-report", "--out", str(tmp_path / "r"))
    assert code == 0, error
    assert "engine keras: jax on" in text and "compiled log-likelihood for theta (" in text
    resolved = json.loads((tmp_path / "r" / "resolved.json").read_text())
    assert resolved["configuration"]["engine"] == "keras"
    code, _, error = command(*arguments, "--engine", "abacus", "--out", str(tmp_path / "s"))
    assert code == 2 and "engine" in error and not (tmp_path / "s").exists()
