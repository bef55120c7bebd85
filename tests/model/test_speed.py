"""How fast the engines are: ratios within one run, with generous margins, never absolute times."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from helpers import assert_provenance, command
from threadpoolctl import ThreadpoolController

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.model.benchmark import Peak, bench_model, measured_peak
from astroemu.model.numpy_engine import NumpyEngine
from astroemu.model.operation_count import OperationCount, counting_namespace
from astroemu.report.tables import benchmark_table


@pytest.fixture(scope="module")
def model():
    return astroemu.load_model("reionization", ['engine="numpy"'])


def seconds(function, repetitions):
    function()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def test_a_batch_costs_far_less_a_point_than_one_point(model):
    theta = model.prior.sample(1000, np.random.default_rng(1))
    one = seconds(lambda: model.log_likelihood(theta[:1]), 100)
    batch = seconds(lambda: model.log_likelihood(theta), 5) / 1000
    assert batch < one / 3  # a tenth on a quiet machine


def test_most_of_a_batch_is_matrix_products_near_their_peak(model):
    rows = bench_model(model, [1000])[1]
    assert rows[0].of_peak > 0.2  # 0.7 on a quiet machine
    assert rows[0].of_sgemm <= rows[0].of_peak


def test_one_point_costs_no_more_than_a_few_readings_of_the_weights(model):
    """A point is bound by memory: its weights, read once by products of vectors, are the yardstick."""
    kernels = [k for net in model.providers["acg"].networks.values() for k in net.layers.kernels]
    inputs = [np.ones((1, len(kernel)), np.float32) for kernel in kernels]
    weights = seconds(lambda: [x @ kernel for x, kernel in zip(inputs, kernels, strict=True)], 100)
    theta = model.prior.sample(1, np.random.default_rng(1))
    assert seconds(lambda: model.log_likelihood(theta), 100) < 8 * weights  # twice to thrice on a quiet machine


def test_the_compiled_engine_keeps_up_in_batches(model, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    _, rows = bench_model(model, [1024], ("numpy", "keras"))
    assert rows[1].microseconds < 3 * rows[0].microseconds  # less than it on a quiet machine
    assert rows[1].engine == "keras/jax" and rows[1].compile_seconds > 0 == rows[0].compile_seconds


@pytest.mark.parametrize("n", [2, 127, 128, 300, 3000])
def test_the_number_of_threads_changes_no_value(model, n):
    """The same file and seed must give the same samples on a machine with more cores."""
    theta = model.prior.sample(n, np.random.default_rng(2))
    alone, threaded = NumpyEngine(model.pipeline), NumpyEngine(model.pipeline)
    alone.threads, threaded.threads = 1, 3
    (expected, _), (found, _) = (engine.log_likelihoods(theta) for engine in (alone, threaded))
    whole, _ = model.pipeline.log_likelihoods(theta)
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)
        np.testing.assert_allclose(whole[key], values, rtol=1e-5, atol=1e-3)


def test_a_batch_holds_the_linear_algebra_to_one_thread_and_gives_it_back(model, monkeypatch):
    engine, used = NumpyEngine(model.pipeline), []
    evaluate = model.pipeline.log_likelihoods

    def watched(theta):
        used.append(blas_threads())
        return evaluate(theta)

    monkeypatch.setattr(engine, "pipeline", type("Watched", (), {"log_likelihoods": staticmethod(watched)}))
    before = blas_threads()
    engine.log_likelihoods(model.prior.sample(600, np.random.default_rng(3)))
    engine.log_likelihoods(model.prior.sample(2, np.random.default_rng(3)))
    assert used == [1] * 4 and blas_threads() == before


def blas_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return max(library.get_num_threads() for library in libraries)


def test_an_error_in_a_thread_reaches_the_caller(model, monkeypatch):
    engine = NumpyEngine(model.pipeline)
    engine.threads = 2

    def fail(theta):
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "pipeline", type("Failing", (), {"log_likelihoods": staticmethod(fail)}))
    with pytest.raises(ZeroDivisionError):
        engine.log_likelihoods(np.zeros((2000, 9)))


def test_a_model_with_a_host_only_part_is_not_threaded():
    engine = astroemu.load_model("galaxies", ['engine="numpy"']).engine
    assert engine.whole and engine.threads == 1


def test_operations_and_bytes_of_products_are_counted():
    tally = OperationCount()
    xp = counting_namespace(NUMPY, tally)
    a, b = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
    xp.matmul(a, b)
    assert (tally.flops, tally.flops_double) == (2 * 3 * 4 * 5, 0)
    assert (tally.bytes_made, tally.bytes_read) == (4 * 15, 4 * (12 + 20))
    xp.matmul(a.astype(float), b.astype(float))
    assert tally.flops_double == 2 * 3 * 4 * 5


def test_the_peak_of_products_is_measured():
    peak = measured_peak(256)
    assert 1e7 < min(peak.single, peak.double) <= max(peak.single, peak.double) < 1e15  # a busy machine may swap them


def test_the_command_writes_figures_and_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("astroemu.model.benchmark._SECONDS", 0.01)
    out = tmp_path / "speed.json"
    arguments = ("bench", "--engine", "numpy", "--batch", "1", "--batch", "100", "--out", str(out))
    code, text, error = command(*arguments)
    assert code == 0 and "us a point" in text, error
    written = json.loads(out.read_text())
    assert [row["batch"] for row in written["timings"]] == [1, 100] and written["sgemm"] > 0
    assert_provenance(written["provenance"], "configuration reionization.toml", "emulator acg")
    assert out.with_suffix(".png").stat().st_size > 5_000
    assert command(*arguments)[0] == 2  # never overwritten
    code, _, error = command("bench", "--engine", "abacus")
    assert code == 2 and "abacus" in error


def test_a_gpu_has_no_share_of_a_peak_that_was_not_measured():
    from astroemu.model.benchmark import _timing

    row = _timing("keras/jax", "H200", 1, 1e-6, OperationCount(1e6, 0, 1, 1), Peak(1e11, 1e11), 0.0, 3)
    assert row.to_json()["of_peak"] is None and "-" in benchmark_table(Peak(1e11, 1e11), [row])[2]
