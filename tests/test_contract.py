"""The promised interface for scripts, on the default configuration."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import astroemu

#: A short chain from few draws of the prior: what it finds does not matter here.
SHORT = {"walkers": 18, "starting_draws": 200, "max_steps": 40}
PROBES = ["power_spectrum_21cm", "uv_luminosity_function", "neutral_fraction", "optical_depth"]


@pytest.fixture(scope="module")
def model():
    return astroemu.load_model("reionization")


def test_log_likelihood_is_the_sum_over_the_four_probes(model):
    theta = model.prior_transform(np.random.default_rng(1).random((50, 9)))
    parts = model.log_likelihood_by_probe(theta)
    total = model.log_likelihood(theta)
    assert list(parts) == PROBES
    assert total.shape == (50,) and total.dtype == np.float64
    np.testing.assert_allclose(total, sum(parts.values()), rtol=1e-12)


def test_a_batch_gives_what_its_points_give(model):
    theta = model.prior_transform(np.random.default_rng(2).random((40, 9)))
    one_by_one = np.concatenate([model.log_likelihood(point[None]) for point in theta])
    # float32 networks: products of other shapes round differently.
    np.testing.assert_allclose(model.log_likelihood(theta), one_by_one, rtol=1e-4, atol=1e-3)


def test_predict_gives_every_observable_on_its_grid(model):
    found = model.predict(model.prior_transform(np.full((3, 9), 0.5)))
    assert {name: values.shape for name, values in found.items()} == {
        name: (3, *observable.shape) for name, observable in model.observables.items()
    }


def test_sampling_by_name_gives_samples(model):
    samples = model.sample("emcee", seed=5, **SHORT)
    again = model.sample("emcee", seed=5, **SHORT)
    assert samples.names == model.names and not samples.converged
    np.testing.assert_array_equal(samples.theta, again.theta)


def test_emulator_error_can_be_switched_off(model):
    without = astroemu.load_model("reionization", ["emulator_error=false"])
    theta = model.prior_transform(np.random.default_rng(3).random((20, 9)))
    assert np.any(model.log_likelihood(theta) != without.log_likelihood(theta))


def run_code(code):
    """Run Python code in a process of its own, in which nothing is imported yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


def test_a_fit_on_a_cpu_imports_no_tensorflow():
    code = (
        "import sys, astroemu\n"
        "astroemu.load_model('reionization').sample('emcee', walkers=18, starting_draws=72, max_steps=4)\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'tensorflow', 'keras', 'torch', 'jax'}))"
    )
    done = run_code(code)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_and_list_import_nothing_heavy():
    code = """
import sys
from astroemu.cli import main
for words in ("--help", "list"):
    sys.argv = ["astroemu", words]
    try:
        main()
    except SystemExit as end:
        print("ended with", end.code or 0)
    print(sorted({"numpy", "h5py", "scipy", "matplotlib", "emcee", "tensorflow"} & set(sys.modules)))
"""
    done = run_code(code)
    assert [line for line in done.stdout.splitlines() if line.startswith(("[", "ended"))] == ["ended with 0", "[]"] * 2


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60))
def test_the_default_likelihood_is_finite_or_zero_and_rows_do_not_know_of_each_other(model, seed, n):
    """Batches of another size differ by float32 rounding in the networks, far too little to change a posterior."""
    rng = np.random.default_rng(seed)
    theta, order = model.prior.sample(n, rng), rng.permutation(n)
    found = model.log_likelihood(theta)
    assert found.shape == (n,) and not np.isnan(found).any() and np.all(found < np.inf)
    scale = {"rtol": 1e-5, "atol": 1e-3}
    np.testing.assert_allclose(model.log_likelihood(theta[order]), found[order], **scale)
    np.testing.assert_allclose(np.concatenate([model.log_likelihood(row[None]) for row in theta]), found, **scale)
