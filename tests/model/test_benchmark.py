"""Timings of models: ratios within one run, with generous margins, never absolute times."""

from __future__ import annotations

import json

import pytest
from helpers import assert_provenance, command

from astroemu.model import benchmark
from astroemu.model.benchmark import Peak, bench_model, measured_peak
from astroemu.model.operation_count import OperationCount
from astroemu.report.benchmark import benchmark_table


@pytest.fixture(scope="module")
def peak():
    """Speed of products of 1024 x 1024 matrices, measured once."""
    return measured_peak(1024)


@pytest.fixture(autouse=True)
def short(monkeypatch, peak):
    """A third of a second per batch size, and no new measurement of the peak."""
    monkeypatch.setattr(benchmark, "_SECONDS", 0.3)
    monkeypatch.setattr(benchmark, "measured_peak", lambda: peak)


@pytest.mark.slow  # a ratio of times: another process on the machine can spoil it
def test_most_of_a_batch_is_matrix_products_near_their_peak(reionization):
    rows = bench_model(reionization, [1000])[1]
    assert rows[0].of_peak > 0.2  # 0.7 on a quiet machine
    assert rows[0].of_sgemm <= rows[0].of_peak


@pytest.mark.slow  # a ratio of times: another process on the machine can spoil it
def test_the_compiled_engine_keeps_up_in_batches(reionization, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    _, rows = bench_model(reionization, [1024], ("numpy", "keras"))
    assert rows[1].microseconds < 3 * rows[0].microseconds  # less than it on a quiet machine
    assert rows[1].engine == "keras/jax" and rows[1].compile_seconds > 0 == rows[0].compile_seconds


def test_the_peak_of_products_is_measured(peak):
    assert 1e7 < min(peak.single, peak.double) <= max(peak.single, peak.double) < 1e15  # a busy machine may swap them


def test_the_command_writes_figures_and_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "_SECONDS", 0.01)
    out = tmp_path / "speed.json"
    arguments = ("bench", "--engine", "numpy", "--batch", "1", "--batch", "100", "--out", str(out))
    code, text, error = command(*arguments)
    assert code == 0 and "us per point" in text, error
    written = json.loads(out.read_text())
    assert [row["batch"] for row in written["timings"]] == [1, 100] and written["sgemm"] > 0
    assert_provenance(written["provenance"], "configuration reionization.toml", "emulator acg")
    assert out.with_suffix(".png").stat().st_size > 5_000
    assert command(*arguments)[0] == 2  # never overwritten
    code, _, error = command("bench", "--engine", "abacus")
    assert code == 2 and "abacus" in error


def test_a_gpu_has_no_share_of_a_peak_that_was_not_measured():
    row = benchmark._timing("keras/jax", "H200", 1, 1e-6, OperationCount(1e6, 0, 1, 1), Peak(1e11, 1e11), 0.0, 3)
    assert row.to_json()["of_peak"] is None and "-" in benchmark_table(Peak(1e11, 1e11), [row])[2]
