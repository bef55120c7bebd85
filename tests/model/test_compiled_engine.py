"""The keras engine against the numpy engine: values, padding, gradients, what runs outside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import Stub, StubProbe, Z, command, uniform

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, ProbeError
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


def have(backend):
    return pytest.importorskip(BACKENDS[backend][1]) is not None


@pytest.fixture(scope="module", params=list(BACKENDS))
def backend(request):
    have(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", request.param)
        yield load_backend()


@pytest.fixture(scope="module")
def model():
    return astroemu.load_model("reionization", ['engine="numpy"'])


@pytest.fixture(scope="module")
def engine(model, backend):
    return CompiledEngine(model.pipeline, backend)


def draws(model, n, seed=1):
    return model.prior.sample(n, np.random.default_rng(seed))


def differences(model, engine, n):
    theta = draws(model, n)
    expected, _ = model.pipeline.log_likelihoods(theta)
    found, _ = engine.log_likelihoods(theta)
    assert list(found) == list(expected)
    return np.abs(sum(found.values()) - sum(expected.values()))


def test_both_engines_agree_to_a_thousandth(model, engine):
    assert differences(model, engine, 500).max() < 1e-3


@pytest.mark.filterwarnings("ignore::astroemu.errors.DoubleCountingWarning")
@pytest.mark.parametrize("name", ["cmb", "galaxies", "like_21cmmc", "reionization_cmb"])
def test_installed_configurations_trace_and_agree(backend, name):
    other = astroemu.load_model(name, ['engine="numpy"'])
    theta = draws(other, 60)
    pipeline = other.pipeline
    (expected, inside), (found, within) = (
        e.log_likelihoods(theta) for e in (pipeline, CompiledEngine(pipeline, backend))
    )
    inside = np.full(60, True) if inside is None else inside
    np.testing.assert_array_equal(inside, np.full(60, True) if within is None else within)
    for key, values in expected.items():
        keep = inside & np.isfinite(values)
        np.testing.assert_array_equal(np.isfinite(found[key])[inside], np.isfinite(values)[inside])
        # Far out, where likelihoods are of 1e8, float64 itself ends.
        np.testing.assert_allclose(found[key][keep], values[keep], atol=1e-3, rtol=1e-12)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_layers_that_keras_evaluates_are_traced(name):
    """In a process of its own: Keras keeps the backend that it was first imported with."""
    code = """
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
    weights = build(spec).get_weights()
    layers = KerasLayers(spec, weights, zeros(3, "f4"), ones(3, "f4"), zeros(12, "f4"), ones(12, "f4"))
    forward = layers.forward(np.array([0, 5, 11]))
    found = backend.compile(lambda values: forward(values, backend.xp), (x,))(x)
    print(np.abs(found - forward(x, NUMPY)).max() < 1e-5)
"""
    have(name)
    environment = {**os.environ, "KERAS_BACKEND": name}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["True"] * 3, done.stderr[-2000:]


@pytest.mark.slow
def test_both_engines_agree_to_a_thousandth_over_the_prior(model, engine):
    assert differences(model, engine, 10_000).max() < 1e-3


@pytest.mark.slow
def test_float32_costs_less_than_a_thousandth(model):
    theta = draws(model, 10_000)
    exact, mixed = (sum(model.pipeline.log_likelihoods(theta, xp)[0].values()) for xp in (DOUBLE, NUMPY))
    assert np.abs(exact - mixed).max() < 1e-3


def test_batches_are_padded_to_powers_of_two_and_compiled_once(model, engine):
    theta = draws(model, 7, seed=3)
    before = len(engine.compilations)
    whole, _ = engine.log_likelihoods(theta)
    part, _ = engine.log_likelihoods(theta[:5])
    assert [c.batch for c in engine.compilations[before:]] == [8]
    for key, values in whole.items():
        assert values.shape == (7,) and values.dtype == np.float64
        np.testing.assert_allclose(part[key], values[:5], rtol=1e-12)
    assert any("(8, 9)" in line for line in engine.report())


def test_what_does_not_fit_into_memory_goes_in_pieces(model, engine, monkeypatch):
    theta = draws(model, 21, seed=4)
    whole, _ = engine.log_likelihoods(theta)
    monkeypatch.setitem(engine._most, "log-likelihood", 8)
    pieces, _ = engine.log_likelihoods(theta)
    for key, values in whole.items():
        np.testing.assert_allclose(pieces[key], values, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("n", "buckets"), [(1, [1]), (5, [8]), (1000, [1024]), (2000, [2048]), (3000, [2048, 1024]), (9000, [8192, 1024])]
)
def test_padding_is_bounded(model, engine, monkeypatch, n, buckets):
    monkeypatch.setitem(engine._most, "log-likelihood", 2**20)
    pieces = list(engine._pieces("log-likelihood", engine._joint, np.zeros((n, 9)), None))
    assert [bucket for _, _, bucket in pieces] == buckets
    assert [start for start, _, _ in pieces] == [0, *(stop for _, stop, _ in pieces[:-1])] and pieces[-1][1] == n


def test_the_largest_piece_follows_from_the_memory(model, engine):
    engine.log_likelihoods(draws(model, 2))
    tally = OperationCount()
    model.pipeline.log_likelihoods(draws(model, 1), counting_namespace(NUMPY, tally))
    most = engine._most["log-likelihood"]
    assert 2 * most * tally.bytes_made > 0.5 * engine.backend.memory or most == 2**10
    assert most * tally.bytes_made < 2.0 * engine.backend.memory


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


def test_the_model_gives_gradients_whatever_its_engine(model, backend):
    theta = draws(model, 3)
    theta[1, 0] = 99.0  # beyond the training box
    before = model.counts.copy()
    value, gradient = model.value_and_grad(theta)
    assert model.counts.since(before) == EvaluationCounts(3, 1, 0)
    posterior, slope = model.value_and_grad(theta, prior=True)
    assert value[1] == posterior[1] == -np.inf and np.all(np.isnan(gradient[1]))
    keep = [0, 2]
    np.testing.assert_allclose(posterior[keep], (value + model.log_prior(theta))[keep])
    np.testing.assert_allclose(slope[keep], gradient[keep])  # flat priors
    assert len(model.compile_report()) > 1


def test_a_gradient_is_counted_and_timed_as_a_likelihood_is():
    model = with_nan()
    theta = np.array([[0.0, 0.0], [0.5, 0.0]])  # the first one behind the wall
    model.profile = Profile()
    value, gradient = model.value_and_grad(theta)
    assert model.counts == EvaluationCounts(2, 0, 1) and model.profile.likelihood > 0
    np.testing.assert_array_equal(np.isfinite(value), [False, True])
    np.testing.assert_allclose(gradient[1], Gaussian().value_and_grad(theta)[1][1])
    np.testing.assert_allclose(model.prior_slope(np.full((1, 2), 0.3)), 10.0)


def test_log_ndtr_is_accurate_in_both_tails(backend):
    x = np.array([-1e6, -300.0, -20.001, -20.0, -19.999, -8.0, -1.0, -1e-9, 0.0, 1e-9, 5.0, 40.0])

    def function(values):
        return backend.xp.log_ndtr(values)

    found = backend.compile(function, (x,))(x)
    np.testing.assert_allclose(found, NUMPY.log_ndtr(x), rtol=1e-9, atol=0)
    _, slope = backend.compile(backend.with_gradient(function), (x,))(x)
    assert np.all(np.isfinite(slope)) and np.all(slope >= 0)


CASES = {
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


@pytest.mark.parametrize("case", CASES)
def test_namespaces_agree(backend, case):
    x = np.random.default_rng(7).normal(size=(3, 3)) + 3.0 * np.eye(3)
    found = backend.compile(lambda values: CASES[case](backend.xp, values), (x,))(x)
    np.testing.assert_allclose(found, CASES[case](NUMPY, x), rtol=1e-12, atol=1e-12)


def test_every_namespace_has_the_same_functions(backend):
    assert set(vars(backend.xp)) == set(vars(NUMPY))


# --- host_only ------------------------------------------------------------------------------------


def ramp(theta):
    assert isinstance(theta, np.ndarray)
    return theta[:, :1] * np.linspace(0.0, 1.0, 5)


class Depth(Provider):
    parameters = ("b",)

    @property
    def provides(self):
        return {"tau_e": Observable("tau_e")}

    def evaluator(self, rows):
        return lambda theta, observables, xp: {"tau_e": Prediction(xp.exp(theta))}


class Traced(StubProbe):
    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * xp.sum(predictions["it"].value ** 2, axis=1)


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


def test_what_cannot_be_traced_is_an_error_that_says_what_to_do(backend):
    model = Model(uniform(a=(0, 1)), {"slow": Stub(("a",), {HISTORY: ramp})}, {"here": Traced(VALUES)})
    with pytest.raises(ProbeError, match=r"(?s)'slow'.*host_only = True"):
        CompiledEngine(model.pipeline, backend).log_likelihoods(draws(model, 2))


# --- choice ---------------------------------------------------------------------------------------


def test_an_engine_of_another_name_is_refused():
    with pytest.raises(ConfigurationError, match="engine"):
        astroemu.load_model("reionization", ['engine="fortran"'])


def test_a_backend_that_does_not_compile_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(ConfigurationError, match="KERAS_BACKEND is 'torch'"):
        load_backend()


def test_auto_is_numpy_without_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert astroemu.load_model("reionization").engine.name == "numpy"


def test_one_process_with_jax_alone_imports_no_tensorflow():
    have("jax")
    code = (
        "import sys, astroemu\n"
        "m = astroemu.load_model('reionization', ['engine=\"keras\"'])\n"
        "m.log_likelihood(m.prior_transform([[0.5] * 9]))\n"
        "print(m.engine.backend.name, 'tensorflow' in sys.modules)"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "jax False", done.stderr


def test_a_fit_with_the_engine_says_what_was_compiled(tmp_path, monkeypatch):
    have("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    arguments = (
        "--engine",
        "keras",
        "--set",
        "samplers.emcee.max_steps=40",
        "--no-report",
        "--out",
        str(tmp_path / "r"),
    )
    code, text, error = command("fit", *arguments)
    assert code == 0, error
    assert "engine keras: jax on" in text and "compiled log-likelihood for theta (" in text
    resolved = json.loads((tmp_path / "r" / "resolved.json").read_text())
    assert resolved["configuration"]["engine"] == "keras"
    code, _, error = command("fit", "--engine", "abacus", "--out", str(tmp_path / "s"))
    assert code == 2 and "engine" in error and not (tmp_path / "s").exists()
