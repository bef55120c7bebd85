"""The benchmark of posteriors, and the likelihood of 21CMMC that it compares with. No test has a clock."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import numpy as np
import posteriors
import pytest
from peer_21cmmc import Peer21cmmc

import astroemu
from astroemu.core.progress import Progress
from astroemu.errors import DoubleCountingWarning
from astroemu.sampling.samples import Samples


@pytest.fixture(scope="module")
def model():
    """The model of 21CMMC's definitions and data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleCountingWarning)
        return astroemu.load_model("like_21cmmc", ['engine="numpy"'])


@pytest.fixture(scope="module")
def peer(model):
    """21CMMC's likelihood with astroemu's emulator in the place of 21cmEMU."""
    acg = astroemu.load_emulator("acg")
    parts = {"parameters": [SimpleNamespace(name=name) for name in acg.parameters], "provides": acg.provides}
    return Peer21cmmc(model, SimpleNamespace(**parts, simulate=acg.predict))


@pytest.fixture(scope="module")
def samples(model):
    """Draws from the prior, in the place of a run."""
    theta = model.prior.sample(50, np.random.default_rng(1))
    return Samples(
        names=model.names,
        theta=theta,
        log_likelihood=model.log_likelihood(theta),
        log_prior=model.log_prior(theta),
        log_weight=np.full(50, -np.log(50)),
        sampler="emcee",
        ess=100.0,
        converged=True,
        reason="",
        n_likelihood=1000,
    )


def test_the_likelihood_of_the_peer_is_that_of_like_21cmmc(model, peer):
    theta = model.prior.sample(100, np.random.default_rng(2))
    np.testing.assert_allclose(peer.log_likelihood(theta), model.log_likelihood(theta), rtol=1e-6)
    with pytest.raises(NotImplementedError):
        peer.value_and_grad(theta)


def test_a_short_fit_gives_figures(tmp_path, capsys):
    out = tmp_path / "posteriors.json"
    words = ["--quick", "--configuration", "like_21cmmc", "--sampler", "emcee", "--peer", "none", "--out", str(out)]
    posteriors.main(words)
    (row,) = json.loads(out.read_text())["fits"]
    assert row["likelihoods"] > 60 * 64 and row["converged"] is False and row["log_evidence"] is None
    assert row["microseconds"] == pytest.approx(1e6 * row["seconds"] / row["likelihoods"])
    assert "like_21cmmc, emcee" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        posteriors.main(words)  # never overwritten


def test_a_sampler_that_cannot_run_is_left_out_with_its_reason(monkeypatch):
    monkeypatch.setattr("astroemu_plugins.samplers.ultranest.UltraNest.check", refused)
    rows, left_out = posteriors.fits(["like_21cmmc"], ["ultranest"], (), 60.0)
    assert rows == [] and left_out == {"like_21cmmc, ultranest": "[samplers.ultranest]: it is not installed"}
    assert posteriors.table(rows, left_out)[0].startswith("left out: like_21cmmc, ultranest: ")


def refused(self, target):
    raise astroemu.errors.PluginError("it is not installed")


def test_a_run_that_takes_too_long_is_given_up():
    posteriors.until(100.0)(Progress(1, 1, ""))
    with pytest.raises(posteriors.TooLongError, match="given up after -1 s"):
        posteriors.until(-1.0)(Progress(1, 1, ""))


def test_the_comparison_says_what_is_measured_and_what_is_a_product(monkeypatch, model, peer, samples):
    row = posteriors.figures("like_21cmmc", samples, 0.1)
    monkeypatch.setattr(posteriors, "measured_fit", lambda *_: (row, samples, model))
    monkeypatch.setattr(posteriors, "microseconds", lambda peer, samples, n: 9000.0 if n == 1 else 2000.0 + n)
    found = posteriors.compared([], (), 60.0, run=False, simulator=peer.simulator)
    assert found["product"] == pytest.approx(1000 * 2032e-6) and found["run"] is None
    found["agreement"] |= {"share": 0.9, "shift": 0.05}
    text = "\n".join(posteriors.comparison(found))
    assert "1,000 likelihoods of stretch moves (measured on astroemu's likelihood), times 2,032 us" in text
    assert text.endswith("than by 21CMMC's own sampler: in 20 times less time (of a product)")
    found["run"] = row | {"seconds": 4.0, "shift": 0.01, "converged": False}
    text = "\n".join(posteriors.comparison(found))
    assert "the same posterior in 40 times less time (both measured)" in text and "NOT converged" in text


def test_equal_likelihoods_agree(peer, samples, monkeypatch):
    monkeypatch.setattr(posteriors, "DRAWS", 20)
    monkeypatch.setattr(peer, "target", peer)
    found = posteriors.agreement(samples, peer)
    assert found["scatter"] == 0.0 and found["share"] == pytest.approx(1.0) and found["shift"] < 1e-9
