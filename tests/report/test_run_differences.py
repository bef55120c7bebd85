"""The differences between the configurations of runs, as ``astroemu compare`` prints them."""

from __future__ import annotations

import pytest
from helpers import FIT_OF_TAU, command

from astroemu.analysis.run_differences import ABSENT, Difference, run_differences
from astroemu.inference.run_folder import RunFolder
from astroemu.report.run_differences import differences_text, line

SMALL = FIT_OF_TAU + "\n[samplers.emcee]\nwalkers = 8\nmax_steps = 20\nstarting_draws = 100\n"
CHANGES = (
    "--seed", "2", "--set", "samplers.emcee.max_steps=30", "--set", "probes.optical_depth.reference=Pagano+2020",
    "--set", 'parameters.alpha_star={distribution="uniform", low=0.2, high=0.7}', "--set", "probes.neutral_fraction={}",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "fit.toml").write_text(SMALL)
    for name, options in (("one", ()), ("two", CHANGES)):
        code, _, error = command("fit", str(folder / "fit.toml"), "--out", str(folder / name), "--no-report", *options)
        assert code == 0, error
    return {name: RunFolder.open(folder / name) for name in ("one", "two")}


def test_every_option_that_differs_is_listed_and_no_other(runs):
    text = differences_text(runs)
    assert text.splitlines()[0] == "Configuration of two, compared with one:"
    words = " ".join(text.split())
    for expected in (
        'probes.optical_depth.reference: "Pagano+2020" instead of "Planck2018-VI"',
        "sampler.max_steps: 30 instead of 20",
        "seed: 2 instead of 1",
        'alpha_star: { distribution = "uniform", low = 0.2, high = 0.7 } instead of { distribution = "fixed", value =',
        'probes.neutral_fraction: { catalog = "neutral_fraction", references',
    ):
        assert expected in words
    assert len(run_differences(*runs.values())) == 5 and max(map(len, text.splitlines())) <= 80


def test_a_run_is_the_same_as_itself_and_differs_the_other_way_round(runs):
    assert differences_text({"one": runs["one"], "again": runs["one"]}).endswith("\n  the same")
    back = differences_text(dict(reversed(runs.items())))
    assert "probes.neutral_fraction: left out" in back and differences_text({"one": runs["one"]}) == ""


def test_without_a_fingerprint_the_written_configurations_are_compared(runs, tmp_path):
    for name in ("resolved.json", "summary.json", "samples.h5"):
        (tmp_path / name).write_bytes((runs["two"].path / name).read_bytes())
    found = {difference.key for difference in run_differences(runs["one"], RunFolder(tmp_path))}
    assert {"seed", "samplers.emcee.max_steps", "parameters.alpha_star"} <= found


def test_other_data_are_named_without_their_checksums(runs):
    data = Difference("data of optical_depth", "that of the first run", "another file")
    assert line(data) == 'data of optical_depth: "another file" instead of "that of the first run"'
    assert line(Difference("a", ABSENT, "x" * 100)).count("x") < 60


def test_the_command_prints_them(runs):
    code, said, _ = command("compare", *(str(run.path) for run in runs.values()))
    assert code == 0 and "seed: 2 instead of 1" in said
