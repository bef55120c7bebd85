"""Samples in a script: copies, objects of other packages, and their names."""

from __future__ import annotations

import copy
import multiprocessing
import pickle  # noqa: TID251 - the user's tools use it, between processes of one user

import numpy as np
import pytest

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.sampling.samples import Samples

PRIOR = Prior((Parameter("a", Uniform(0, 1), r"\alpha", "keV"), Parameter("b", Uniform(-1, 2))))


def made(*, weighted=False, prior: Prior | None = PRIOR) -> Samples:
    rng = np.random.default_rng(1)
    theta = rng.normal(0.5, 0.1, (200, 2))
    log_weight = np.log(rng.exponential(size=200)) if weighted else np.zeros(200)
    log_weight -= np.logaddexp.reduce(log_weight)
    log_l, more = -0.5 * ((theta - 0.5) / 0.1**2).sum(axis=1), {}
    if weighted:
        more = {"log_evidence": -3.0, "log_evidence_err": 0.1, "log_birth": log_l - 1.0}
    return Samples(
        ("a", "b"), theta, log_l, np.zeros(200), log_weight, "made", 100.0, True, "", 200, prior=prior, **more
    )


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda samples: pickle.loads(pickle.dumps(samples))])
def test_samples_can_be_copied_and_pickled(copied):
    samples, twin = made(weighted=True), copied(made(weighted=True))
    for name in ("theta", "log_likelihood", "log_prior", "log_weight", "log_birth"):
        np.testing.assert_array_equal(getattr(twin, name), getattr(samples, name))
    assert twin.names == samples.names and twin.prior == PRIOR and twin.log_evidence == -3.0


@pytest.mark.slow
def test_samples_reach_a_process_that_starts_anew():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(made().mean), made().mean())


def test_an_unknown_parameter_names_the_nearest():
    samples = Samples.__new__(Samples)
    samples.__dict__.update(vars(made()) | {"names": ("log10_l_x", "tau_e")})
    with pytest.raises(KeyError, match="Did you mean 'log10_l_x'"):
        samples["log10_lx"]


def test_samples_name_their_parameters_and_their_state():
    assert repr(made()) == "<Samples of made: 200 of a, b; ESS 100, converged>"


def test_a_table_has_weights_symbols_and_units():
    table = made(weighted=True).to_table()
    assert table.colnames == ["weight", "log_likelihood", "log_prior", "a", "b"]
    assert str(table["a"].unit) == "keV" and table["a"].info.description == r"$\alpha$ [keV]"
    assert table.meta["log_evidence"] == -3.0 and "versions" in table.meta["provenance"]
    plain = made(prior=None).to_table()
    assert plain["a"].info.description == r"${\rm a}$" and plain["a"].unit is None


def test_arviz_gets_chains_or_resampled_draws():
    pytest.importorskip("xarray")
    tree = made(weighted=True).to_arviz(draws=50)
    assert tree["posterior"].sizes["draw"] == 50 and tree["weighted"].sizes["sample"] == 200
    assert tree["posterior"]["a"].attrs == {"units": "keV", "long_name": r"$\alpha$"}
    assert made().to_arviz()["posterior"].sizes == {"chain": 1, "draw": 200}


def test_getdist_gets_ranges_and_symbols():
    pytest.importorskip("getdist")
    samples = made()
    chain = samples.to_getdist()
    assert [chain.parLabel(name) for name in ("a", "b")] == [r"\alpha", r"{\rm b}"]
    assert (chain.ranges.getLower("b"), chain.ranges.getUpper("b")) == (-1.0, 2.0)
    np.testing.assert_allclose(chain.getMeans()[:2], samples.mean(), rtol=1e-9)
    assert made(prior=None).to_getdist().ranges.getLower("b") is None


def test_anesthetic_gets_nested_or_plain_samples():
    anesthetic = pytest.importorskip("anesthetic")
    assert isinstance(made(weighted=True).to_anesthetic(), anesthetic.NestedSamples)
    chain = made().to_anesthetic()
    assert isinstance(chain, anesthetic.MCMCSamples)
    np.testing.assert_allclose(chain[["a", "b"]].mean(), made().mean(), rtol=1e-9)
