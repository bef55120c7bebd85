"""Truths from a model: a probe that needs the shape of a history is examined too."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from helpers import LINE_X, Stub, line_prior

from astroemu import Observable, Probe, Requirement
from astroemu.core.observable import Axis
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu.testing import check_probe
from astroemu.testing.truths import NODES, model_lines

AT = Requirement("y", {"x": LINE_X})


class Crossing(Probe):
    """Where y rises through zero, +- 0.3. A constant has no such place, and no likelihood."""

    noise = 0.3

    def __init__(self):
        self.place = 4.0

    @property
    def requires(self):
        return {"y": AT}

    def _crossing(self, y, xp):
        return xp.sum(xp.where(y < 0.0, 1.0, 0.0), axis=-1) + xp.sum(
            xp.where((y[:, :-1] < 0.0) & (y[:, 1:] >= 0.0), -y[:, :-1] / (y[:, 1:] - y[:, :-1]), 0.0), axis=-1
        ) - 1.0  # fmt: skip

    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["y"].value
        crosses = (y[:, 0] < 0.0) & (y[:, -1] >= 0.0)
        found = -0.5 * ((self._crossing(y, xp) - self.place) / 0.3) ** 2
        return xp.where(crosses, found, -np.inf)

    ignores_emulator_error = "an example"

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        place = float(self._crossing(predictions["y"].value, np_like)[0])
        mock.place = place + (0.0 if rng is None else self.noise * rng.standard_normal())
        return mock


class np_like:
    sum, where = staticmethod(np.sum), staticmethod(np.where)


class TooLittleNoise(Crossing):
    """Its data have a third of the stated error."""

    noise = 0.1


def model(probe):
    y = Observable("y", (Axis("x", LINE_X),))
    line = Stub(("slope", "offset"), {y: lambda t: np.exp(t[:, :1]) * (LINE_X - 4.5) + t[:, 1:]})
    return Model(line_prior(), {"line": line}, {"it": probe}, engine="numpy")


def outcomes(report):
    return {finding.check: finding.outcome for finding in report.findings}


def test_without_a_model_constants_are_refused_in_words():
    report = check_probe(Crossing())
    assert outcomes(report)["highest ln L"] == "failed"
    assert "no constant prediction has a finite ln L" in report.failures[0].detail and "--model" in report.table()


def test_with_a_model_its_data_are_fitted():
    probe = Crossing()
    report = check_probe(probe, model=model(probe))
    report.demand()
    assert outcomes(report)["simulate, then fit"] == outcomes(report)["requirements resolve"] == "passed"
    wrong = TooLittleNoise()
    report = check_probe(wrong, model=model(wrong))
    assert {finding.check for finding in report.failures} == {"simulate, then fit"}


def test_lines_stay_inside_the_prior_and_are_informative():
    probe = Crossing()
    lines = list(model_lines(probe, model(probe), "it"))
    assert len(lines) == 20 and all(len(line.levels) == line.near == NODES for line in lines)
    falls = [line.log_likelihood(line.mock(probe, NODES // 2, None)) for line in lines]
    assert np.median([log_l.max() - log_l[np.isfinite(log_l)].min() for log_l in falls]) > 2.0


def test_a_model_without_the_probe_is_refused():
    with pytest.raises(ConfigurationError, match="does not have the probe 'other'"):
        list(model_lines(Crossing(), model(Crossing()), "other"))
