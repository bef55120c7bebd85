"""The abstract sampler: its traits, its check of a target, its seeds."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import ConfigurationError
from astroemu.sampling.sampler import Sampler, SamplerTraits, SystemLibrary, demand_live_points, seeds
from astroemu.testing.problems import Gaussian


class Nothing(Sampler):
    """A sampler that never runs."""

    name = "nothing"

    def run(self, target, *, seed, folder=None, report=None):
        raise NotImplementedError


class Following(Nothing):
    """One that needs gradients."""

    traits = SamplerTraits(needs="gradient")


class Plain:
    """A target without gradients."""

    names = ("a",)


def test_the_traits_of_a_sampler_are_shown_in_words():
    assert str(Nothing.traits) == "needs prior_transform; batches variable; -inf taken"
    assert (
        str(SamplerTraits("gradient", "fixed", "floored", nested=True)) == "needs gradient; batches fixed; -inf floored"
    )
    assert not Nothing.traits.nested and Nothing.component() is None and Nothing.installer() is None


def test_a_target_without_gradients_is_refused_by_a_sampler_that_needs_them():
    with pytest.raises(ConfigurationError, match="Plain has no prior_slope and no value_and_grad"):
        Following().check(Plain())
    assert Following().check(Gaussian()) is None
    assert Nothing().check(Plain()) is None


def test_a_library_is_usable_if_it_was_found_and_has_no_fault():
    assert SystemLibrary("lib", "/lib.so", "").usable
    assert not SystemLibrary("lib", None, "install it").usable
    assert not SystemLibrary("lib", "/lib.so", "install it", fault="is empty").usable


@pytest.mark.attack("samplers", "fewer live points than parameters, as in MultiNest")
def test_too_few_live_points_for_the_parameters_are_refused():
    demand_live_points(6, Gaussian())
    with pytest.raises(ConfigurationError, match="live_points = 5 must be at least 6 for 2 parameters"):
        demand_live_points(5, Gaussian())


def test_no_option_only_stops_unless_it_is_declared():
    assert Nothing.stopping == frozenset()


def test_seeds_are_repeated_and_independent():
    first, again = seeds(7, 3), seeds(7, 3)
    drawn = [np.random.default_rng(seed).random() for seed in first]
    assert drawn == [np.random.default_rng(seed).random() for seed in again]
    assert len(set(drawn)) == 3 and drawn[0] != np.random.default_rng(seeds(8, 1)[0]).random()
