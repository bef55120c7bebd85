"""The numpy engine: threads, one thread of the linear algebra, and ratios of times within one run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from helpers import RAMP_AT, RAMP_PRIOR, StubProbe, ramp_provider
from threadpoolctl import ThreadpoolController

import astroemu
from astroemu.model.engine import ON_HOST
from astroemu.model.model import Model
from astroemu.model.numpy_engine import NumpyEngine


def seconds(function, repetitions):
    function()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.slow  # a ratio of times: another process on the machine can spoil it
def test_a_batch_costs_far_less_a_point_than_one_point(reionization):
    theta = reionization.prior.sample(1000, np.random.default_rng(1))
    one = seconds(lambda: reionization.log_likelihood(theta[:1]), 100)
    batch = seconds(lambda: reionization.log_likelihood(theta), 5) / 1000
    assert batch < one / 3  # a tenth on a quiet machine


@pytest.mark.slow  # a ratio of times: another process on the machine can spoil it
def test_one_point_costs_no_more_than_a_few_readings_of_the_weights(reionization):
    """A point is bound by memory: its weights, read once by products of vectors, are the yardstick."""
    kernels = [k for net in reionization.providers["acg"].networks.values() for k in net.layers.kernels]
    inputs = [np.ones((1, len(kernel)), np.float32) for kernel in kernels]
    weights = seconds(lambda: [x @ kernel for x, kernel in zip(inputs, kernels, strict=True)], 100)
    theta = reionization.prior.sample(1, np.random.default_rng(1))
    assert seconds(lambda: reionization.log_likelihood(theta), 100) < 8 * weights  # twice to thrice on a quiet machine


@pytest.mark.parametrize("n", [2, 127, 128, 300, 1000])
def test_the_number_of_threads_changes_no_value(reionization, n):
    """The same file and seed must give the same samples on a machine with more cores."""
    theta = reionization.prior.sample(n, np.random.default_rng(2))
    alone, threaded = NumpyEngine(reionization.pipeline), NumpyEngine(reionization.pipeline)
    alone.threads, threaded.threads = 1, 3
    (expected, _), (found, _) = (engine.log_likelihoods(theta) for engine in (alone, threaded))
    whole, _ = reionization.pipeline.log_likelihoods(theta)
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)
        np.testing.assert_allclose(whole[key], values, rtol=1e-5, atol=1e-3)


def test_a_batch_holds_the_linear_algebra_to_one_thread_and_gives_it_back(reionization, monkeypatch):
    engine, used = NumpyEngine(reionization.pipeline), []
    evaluate = reionization.pipeline.log_likelihoods

    def watched(theta):
        used.append(blas_threads())
        return evaluate(theta)

    part = {"log_likelihoods": staticmethod(watched), "overwrites_results": lambda self, theta: False}
    monkeypatch.setattr(engine, "pipeline", type("Watched", (), part)())
    before = blas_threads()
    engine.log_likelihoods(reionization.prior.sample(600, np.random.default_rng(3)))
    engine.log_likelihoods(reionization.prior.sample(2, np.random.default_rng(3)))
    assert used == [1] * 4 and blas_threads() == before


def blas_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return max(library.get_num_threads() for library in libraries)


def test_an_error_in_a_thread_reaches_the_caller(reionization, monkeypatch):
    engine = NumpyEngine(reionization.pipeline)
    engine.threads = 2

    def fail(theta):
        raise ZeroDivisionError

    part = {"log_likelihoods": staticmethod(fail), "overwrites_results": lambda self, theta: False}
    monkeypatch.setattr(engine, "pipeline", type("Failing", (), part)())
    with pytest.raises(ZeroDivisionError):
        engine.log_likelihoods(np.zeros((2000, 9)))


def test_a_model_with_a_host_only_part_is_not_threaded():
    engine = astroemu.load_model("galaxies", ['engine="numpy"']).engine
    assert engine.whole and engine.threads == 1


def test_a_part_on_the_host_gets_a_large_batch_in_pieces_whose_predictions_fit_into_memory():
    """10,000 points of `reionization_cmb_direct` took 670 MB, and a million would have taken 67 GB."""
    seen, provider = [], ramp_provider()
    provider.host_only = True

    def noted(values):
        seen.append(len(values))
        return -0.5 * np.sum(values**2, axis=1)

    model = Model(RAMP_PRIOR, {"mine": provider}, {"p": StubProbe(RAMP_AT, noted)})
    theta = model.prior.sample(2 * ON_HOST + 7, np.random.default_rng(5))
    found, inside = NumpyEngine(model.pipeline).log_likelihoods(theta)
    assert seen == [ON_HOST, ON_HOST, 7] and inside is None
    np.testing.assert_array_equal(found["p"], model.pipeline.log_likelihoods(theta)[0]["p"])


@pytest.mark.attack("model", "a probe that returns the same array at each call, in threads")
def test_a_probe_that_returns_its_own_buffer_spoils_no_value():
    """Threads would overwrite each other: 768 of 1,024 values were wrong."""
    model = buffered_model(StubProbe)
    theta = model.prior.sample(1024, np.random.default_rng(4))
    engine = NumpyEngine(model.pipeline)
    engine.threads = 2
    expected = [float(engine.log_likelihoods(row[None])[0]["p"][0]) for row in theta]
    np.testing.assert_array_equal(engine.log_likelihoods(theta)[0]["p"], expected)
    assert engine.whole


def test_a_probe_with_arrays_of_its_own_at_each_call_is_threaded(reionization):
    engine = NumpyEngine(reionization.pipeline)
    engine.log_likelihoods(reionization.prior.sample(600, np.random.default_rng(3)))
    assert not engine.whole


def buffered_model(probe):
    """Return a model whose probe writes all of its results into one buffer."""
    buffer = np.zeros(2048)

    def into_buffer(values):
        found = buffer[: len(values)]
        found[:] = -0.5 * values[:, 0] ** 2
        return found

    return Model(RAMP_PRIOR, {"mine": ramp_provider()}, {"p": probe(RAMP_AT, into_buffer)})
