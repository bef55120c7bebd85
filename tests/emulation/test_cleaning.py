"""Rules that drop points: each what it says, all of it recorded, the old file untouched."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.cleaning import CleaningRules, clean
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError

N = 400


@pytest.fixture
def damaged(tmp_path):
    rng = np.random.default_rng(0)
    theta = rng.uniform(0, 1, (N, 2))
    power = np.exp(theta[:, :1] + theta[:, 1:] * np.arange(3.0))
    filled = 1 / (1 + np.exp(-theta))
    theta[1] = theta[0]
    theta[2, 1] = np.nan
    theta[3, 0] = 1.2
    power[4, 1] = np.inf
    power[5, 2] = -1.0
    filled[6, 0] = np.nan
    filled[7, 1] = 1.5
    power[8] *= 1e6
    observables = {
        "power": Observable("power", (Axis("x", np.arange(3.0)),)),
        "filled": Observable("filled", (Axis("y", np.arange(2.0)),)),
    }
    box = {name: {"low": 0.0, "high": 1.0} for name in "ab"}
    path = tmp_path / "set.h5"
    TrainingSet(("a", "b"), theta, observables, {"power": power, "filled": filled}, {"parameters": box}).save(path)
    return path


def run(damaged, **rules):
    out = damaged.with_name("clean.h5")
    none = {"finite": False, "duplicates": False, "outside_box": False}
    counts = clean(damaged, out, CleaningRules(**{**none, **rules}))
    with out.with_suffix(".dropped.csv").open() as file:
        return counts, TrainingSet.load(out), list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("rules", "rows"),
    [
        ({"finite": True}, [2, 4]),
        ({"duplicates": True}, [1]),
        ({"outside_box": True}, [3]),
        ({"defined": ["filled"]}, [6]),
        ({"positive": ["power"]}, [5]),
        ({"range": {"filled": (0.0, 1.0)}}, [7]),
        ({"outliers": {"power": 20.0}}, [8]),
        ({"finite": True, "duplicates": True, "positive": ["power"]}, [1, 2, 4, 5]),
        ({}, []),
    ],
)
def test_each_rule_drops_what_it_names(damaged, rules, rows):
    counts, kept, log = run(damaged, **rules)
    assert [int(line["row"]) for line in log] == rows and sum(counts.values()) == len(rows)
    whole = TrainingSet.load(damaged)
    left = np.setdiff1d(np.arange(N), rows)
    np.testing.assert_array_equal(kept.theta, whole.theta[left])
    np.testing.assert_array_equal(kept.values["power"], whole.values["power"][left])


def test_what_was_done_is_written_down_and_the_old_file_stays(damaged):
    before = hashlib.sha256(damaged.read_bytes()).hexdigest()
    counts, kept, log = run(damaged, finite=True, positive=["power"])
    assert hashlib.sha256(damaged.read_bytes()).hexdigest() == before
    assert kept.metadata["cleaning"]["source_sha256"] == before
    assert kept.metadata["cleaning"]["dropped"] == counts
    assert kept.metadata["cleaning"]["rules"]["positive"] == ["power"]
    assert log[0]["rule"] == "a parameter is not finite" and log[0]["b"] == "nan"
    assert {line["rule"] for line in log} == {rule for rule, count in counts.items() if count}


def test_a_point_counts_for_the_first_rule_that_refuses_it(damaged):
    counts, _, _ = run(damaged, positive=["power"], range={"power": (0.0, 1e4)})
    assert counts["power is not positive"] == 1 and counts["power is outside [0, 10000]"] == 2  # infinite, and 1e6


def test_an_observable_that_is_not_there_is_refused(damaged):
    with pytest.raises(ConfigurationError, match=r"'powr'.*Did you mean 'power'"):
        run(damaged, positive=["powr"])


def test_rules_that_leave_nothing_are_refused(damaged):
    with pytest.raises(DataError, match="refuse every point"):
        run(damaged, range={"power": (-5.0, -4.0)})
    assert not damaged.with_name("clean.h5").exists()
