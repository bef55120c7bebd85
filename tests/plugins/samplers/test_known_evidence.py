"""Samplers on a Gaussian in a box, whose evidence, means and widths are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, WIDTH, Gaussian, check_moments

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.errors import ConfigurationError, SamplingError
from astroemu.model.model import Model
from astroemu_plugins.samplers.emcee import Emcee, _moves
from astroemu_plugins.samplers.mixture import Mixture
from astroemu_plugins.samplers.nautilus import Nautilus
from astroemu_plugins.samplers.population import Population
from astroemu_plugins.samplers.ultranest import UltraNest


def test_converged_is_said_with_its_reasons():
    chain = Emcee(walkers=32).run(Gaussian(), seed=1)
    assert chain.converged and max(chain.diagnostics["r_hat"].values()) <= 1.01
    for reason in ("autocorrelation times", "burn-in", "effective samples", "split R-hat"):
        assert reason in chain.reason
    strict = Emcee(walkers=32, r_hat=1.0000001, max_steps=3000).run(Gaussian(), seed=1)
    assert not strict.converged
    nested = UltraNest(live_points=100).run(Gaussian(), seed=1)
    assert 0 < nested.diagnostics["efficiency"] < 1 and "insertion orders" in nested.reason
    stopped = UltraNest(live_points=100, max_calls=1000).run(Gaussian(), seed=1)
    assert not stopped.converged and "max_calls" in stopped.reason


def test_independent_ensembles_add_up():
    one, two = (
        Emcee(walkers=32, ensembles=n, max_steps=1000, effective_samples=0).run(Gaussian(), seed=1) for n in (1, 2)
    )
    assert two.diagnostics["ensembles"] == 2 and two.ess > 1.5 * one.ess and two.n_likelihood > 1.5 * one.n_likelihood
    half = len(two) // 2
    # The first ensemble has the streams of the only one; the second one has its own.
    np.testing.assert_array_equal(two.theta[:half][-32:], one.theta[-32:])
    assert not np.any(np.isin(two.theta[half:, 0], two.theta[:half, 0]))
    check_moments(two)


def test_fewer_starting_draws_are_fewer_likelihoods():
    few = Emcee(walkers=16, starting_draws=1000, max_steps=100).run(Gaussian(), seed=1)
    assert few.n_likelihood < 10_000


@pytest.mark.parametrize("move", ["de", "stretch", "kde", "mixture"])
def test_emcee_finds_means_and_widths(move):
    samples = Emcee(walkers=32, move=move).run(Gaussian(), seed=1)
    assert samples.converged, samples.reason
    assert samples.log_evidence is None and samples.ess >= 1600
    check_moments(samples)


@pytest.mark.parametrize("method", ["region", "slice", "friends"])
def test_ultranest_finds_the_evidence(method):
    samples = UltraNest(live_points=200, method=method).run(Gaussian(), seed=1)
    assert samples.converged, samples.reason
    assert abs(samples.log_evidence - LOG_Z) < 3 * samples.log_evidence_err
    check_moments(samples)


@pytest.mark.parametrize(("wall", "method"), [(False, "region"), (False, "slice"), (True, "region")])
def test_the_births_of_ultranest_make_its_evidence_anew(wall, method):
    """The number of live points follows from births and deaths; e^-1/n of the volume goes with each death."""
    samples = UltraNest(live_points=200, method=method).run(Gaussian(wall=wall), seed=1)
    death, birth = samples.log_likelihood, samples.log_birth
    assert np.all(np.diff(death) >= 0) and np.all(birth < death)
    live = np.searchsorted(np.sort(birth), death, side="left") - np.arange(len(death))
    log_volume = samples.log_volume - np.concatenate([[0.0], np.cumsum(1 / live)])
    shells = np.exp(log_volume[:-1]) - np.exp(log_volume[1:])
    log_evidence = np.logaddexp.reduce(death + np.log(shells))
    assert abs(log_evidence - samples.log_evidence) < 0.05
    assert live[0] >= 200 and live[-1] == 1
    assert samples.log_volume == 0.0 if not wall else abs(samples.log_volume + np.log(2)) < 0.2


def test_half_of_the_peak_behind_a_wall_halves_the_evidence():
    samples = UltraNest(live_points=400).run(Gaussian(wall=True), seed=2)
    assert abs(samples.log_evidence - (LOG_Z - np.log(2))) < 3 * samples.log_evidence_err
    assert samples["a"].min() >= MEAN[0]


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("make", [Emcee, UltraNest, Nautilus])
def test_what_is_no_log_likelihood_is_an_error(make, value):
    wrong = Gaussian()
    wrong.log_likelihood = lambda theta: np.where(theta[:, 0] > 0, value, 0.0)
    with pytest.raises(SamplingError, match=r"a log-likelihood of (inf|nan) at .*'a'"):
        make().run(wrong, seed=1)


@pytest.mark.parametrize("wall", [False, True])
def test_nautilus_finds_the_evidence(wall):
    samples = Nautilus(live_points=200, effective_samples=1000).run(Gaussian(wall), seed=1)
    assert samples.converged and samples.ess >= 1000, samples.reason
    assert samples.log_evidence_err == pytest.approx(samples.ess**-0.5)
    assert abs(samples.log_evidence - (LOG_Z - wall * np.log(2))) < 3 * samples.log_evidence_err
    if wall:
        assert samples["a"].min() >= MEAN[0]
    else:
        check_moments(samples)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Emcee(walkers=16, max_steps=2000),
        lambda: UltraNest(live_points=100),
        lambda: Nautilus(live_points=100, effective_samples=500),
    ],
)
def test_where_a_probe_gives_no_number_there_is_no_posterior(make, value):
    """Infinity of a probe is no perfect fit: half of the peak is cut off, whatever the probe says there."""

    class Behind(Probe):
        parameters = tuple(Parameter(name, Uniform(-5.0, 5.0)) for name in Gaussian.names)
        requires = {}  # noqa: RUF012

        def log_likelihood(self, predictions, parameters, xp):
            theta = np.stack([parameters[name] for name in Gaussian.names], axis=1)
            return np.where(theta[:, 0] < MEAN[0], value, Gaussian().log_likelihood(theta))

    model = Model(Prior(Behind.parameters), {}, {"behind": Behind()}, engine="numpy")
    samples = make().run(model, seed=1)
    assert samples["a"].min() >= MEAN[0] and np.all(np.isfinite(samples.log_likelihood))
    assert model.counts.not_finite > 0
    halved = MEAN + np.array([WIDTH[0] * np.sqrt(2 / np.pi), 0, 0, 0])  # the mean of a half-normal
    assert np.all(np.abs(samples.mean() - halved) < 5 * WIDTH / np.sqrt(samples.ess))
    if samples.log_evidence is not None:
        assert abs(samples.log_evidence - (LOG_Z - np.log(2))) < 4 * samples.log_evidence_err


def test_ultranest_asks_in_batches():
    sizes = []

    class Heard(Gaussian):
        def log_likelihood(self, theta):
            sizes.append(len(theta))
            return super().log_likelihood(theta)

    UltraNest(live_points=200).run(Heard(), seed=1)
    assert np.mean(sizes) > 40  # 74; with 128 proposed at least, as UltraNest would, 35
    sizes.clear()
    UltraNest(live_points=100, method="slice").run(Heard(), seed=1)
    assert set(sizes) == {100}  # the population


def test_the_snooker_move_of_emcee_is_never_made():
    from emcee.moves import DESnookerMove

    moves = get_args(get_type_hints(Emcee.__init__)["move"])
    assert "de" in moves and not any("snooker" in move for move in moves)
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    for useful in (0.0, 1.0):
        population = Population(np.zeros((8, 2)), mixture, useful)
        made = [move for name in moves for move, _ in _moves(name, population)]
        assert not any(isinstance(move, DESnookerMove) for move in made)


@pytest.mark.parametrize(("acceptance", "expected"), [(0.3, 3), (0.001, 2)])
def test_a_mixture_of_which_too_little_is_accepted_is_left_out(acceptance, expected):
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    assert len(_moves("mixture", Population(np.zeros((8, 2)), mixture, acceptance))) == expected
    assert len(_moves("mixture", Population(np.zeros((8, 2)), None, 0.0))) == 2


def test_nautilus_asks_in_batches_of_one_size():
    sizes = set()

    class Heard(Gaussian):
        def log_likelihood(self, theta):
            sizes.add(len(theta))
            return super().log_likelihood(theta)

    for networks, calls in ((1, 1000), (0, 5000)):  # while bounds are made, and after
        stopped = Nautilus(100, networks, batch=128, max_calls=calls).run(Heard(), seed=1)
        assert calls <= stopped.n_likelihood < calls + 128 and np.isfinite(stopped.log_evidence)
        assert not stopped.converged and "max_calls" in stopped.reason
    assert sizes == {128}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Emcee(walkers=16, max_steps=300),
        lambda: UltraNest(live_points=50),
        lambda: Nautilus(live_points=100, max_calls=3000),
    ],
)
def test_the_seed_decides(make):
    first, again, other = (make().run(Gaussian(), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert first.theta.shape != other.theta.shape or not np.array_equal(first.theta, other.theta)


def test_a_short_chain_is_not_called_converged():
    samples = Emcee(walkers=16, max_steps=50).run(Gaussian(), seed=1)
    assert not samples.converged and "asked for" in samples.reason


def test_a_model_that_is_nowhere_possible_cannot_start():
    nowhere = Gaussian()
    nowhere.log_likelihood = lambda theta: np.full(len(theta), -np.inf)
    with pytest.raises(SamplingError, match="0 of 20000"):
        Emcee().run(nowhere, seed=1)
    with pytest.raises(SamplingError, match="none of 20224 prior draws"):
        Nautilus().run(nowhere, seed=1)
    with pytest.raises(SamplingError, match=r"none of \d+ prior draws has a finite likelihood"):
        UltraNest().run(nowhere, seed=1)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Emcee(walkers=7),
        lambda: Emcee(walkers=0),
        lambda: Emcee(r_hat=1.0),
        lambda: Emcee(ensembles=0),
        lambda: Emcee(starting_draws=100),
        lambda: Emcee(walkers=6).run(Gaussian(), seed=1),
        lambda: Emcee(walkers=14, move="kde").run(Gaussian(), seed=1),
        lambda: UltraNest(live_points=3),
        lambda: UltraNest(evidence_fraction=0.0),
        lambda: Nautilus(live_points=3),
        lambda: Nautilus(networks=-1),
        lambda: Nautilus(effective_samples=np.inf),
        lambda: Nautilus().check(SimpleNamespace(names=("a",))),
    ],
)
def test_bad_options_are_refused(build):
    with pytest.raises(ConfigurationError):
        build()
