"""The abstract probe: what a probe must have, and the defaults of what it may have."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement


class Smallest(Probe):
    """A probe of the two required members only."""

    @property
    def requires(self):
        return {"tau": Requirement("tau_e")}

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * predictions["tau"].value[:, 0] ** 2


def test_the_defaults_of_a_probe_are_empty():
    probe = Smallest()
    assert (probe.parameters, probe.catalogs, probe.papers, probe.panels()) == ((), (), (), ())
    assert probe.contains == frozenset() and probe.host_only is False and probe.n_data is None
    found = probe.log_likelihood({"tau": Prediction(np.array([[1.0], [2.0]]))}, {}, NUMPY)
    np.testing.assert_array_equal(found, [-0.5, -2.0])


@pytest.mark.parametrize("missing", ["requires", "log_likelihood"])
def test_a_probe_without_a_required_member_cannot_be_made(missing):
    members = {name: member for name, member in vars(Smallest).items() if name != missing}
    with pytest.raises(TypeError, match=missing):
        type("Incomplete", (Probe,), members)()


def test_mock_data_are_optional_and_their_absence_names_the_probe(tmp_path):
    with pytest.raises(NotImplementedError, match="Smallest does not simulate its data"):
        Smallest().simulate({}, {}, np.random.default_rng(0))
    with pytest.raises(NotImplementedError, match="Smallest does not write its data"):
        Smallest().save(tmp_path, "it")
    assert list(tmp_path.iterdir()) == []


def test_a_likelihood_is_normalised_unless_it_says_otherwise():
    predictions = {"tau": Prediction(np.zeros((3, 1)))}
    np.testing.assert_array_equal(Smallest().log_normalisation(predictions, {}), np.zeros(3))
    np.testing.assert_array_equal(Smallest().log_normalisation({}, {}), np.zeros(1))


def test_the_number_of_data_is_that_of_the_panels_unless_the_probe_states_its_own():
    from astroemu_probes.cmb_forecast import CmbForecast
    from astroemu_probes.optical_depth import OpticalDepth

    assert OpticalDepth().n_data == 1
    forecast = CmbForecast(l_max=129)
    assert forecast.n_data == 3 * 100 > sum(len(panel.x) for panel in forecast.panels())
