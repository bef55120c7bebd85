"""The abstract provider: what a provider must have, and the defaults of what it may have."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Observable
from astroemu.core.provider import Prediction, Provider

TAU = Observable("tau_e")


class Smallest(Provider):
    """A provider of the required members only."""

    parameters = ("a",)

    @property
    def provides(self):
        return {"tau_e": TAU}

    def evaluator(self, rows):
        return lambda theta, observables, xp: {name: Prediction(0.1 * theta) for name in rows}


def test_the_defaults_of_a_provider_are_empty():
    provider = Smallest()
    assert provider.requires == () and provider.host_only is False
    assert (dict(provider.bounds), dict(provider.sources), provider.citation) == ({}, {}, "")


def test_a_prediction_has_no_error_unless_one_is_stated():
    found = Smallest().evaluator({"tau_e": np.array([0])})(np.array([[0.5], [0.6]]), {}, NUMPY)["tau_e"]
    np.testing.assert_allclose(found.value, [[0.05], [0.06]])
    assert found.error is None
    assert Prediction(1.0, 0.1).error == 0.1


@pytest.mark.parametrize("missing", ["provides", "evaluator"])
def test_a_provider_without_a_required_member_cannot_be_made(missing):
    members = {name: member for name, member in vars(Smallest).items() if name != missing}
    with pytest.raises(TypeError, match=missing):
        type("Incomplete", (Provider,), members)()
