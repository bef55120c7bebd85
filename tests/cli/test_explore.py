"""``astroemu explore``: which model it serves, and what it says."""

from __future__ import annotations

import socket

import pytest
from helpers import FIT_OF_TAU, assert_refused, command

pytest.importorskip("bokeh")

from astroemu.cli import explore as module
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.report import explore as report
from astroemu.runtime import interruption


class Served:
    """A page that is not served."""

    url, port, browser = "http://127.0.0.1:5/token/", 5, False

    def open(self):
        return self.browser


@pytest.fixture
def served(monkeypatch):
    """What the command would serve; it ends at once."""
    calls = {}

    def serve(model, samples, **options):
        calls.update(model=model, samples=samples, **options)
        return Served()

    monkeypatch.setattr(report, "explore", serve)
    monkeypatch.setattr(module, "_wait", lambda: None)
    return calls


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short fit of two parameters."""
    folder = tmp_path_factory.mktemp("explore")
    (folder / "fit.toml").write_text(
        FIT_OF_TAU + "[samplers.emcee]\nwalkers = 8\nmax_steps = 60\nstarting_draws = 100\n"
    )
    return fit(load_configuration(folder / "fit.toml"), out=folder / "run")[0].path


def test_the_default_configuration_is_explored(served):
    code, said, error = command("explore", "--no-browser")
    assert (code, error) == (0, "") and served["model"].name == "reionization" and served["samples"] is None
    assert said == (
        "reionization: 9 parameters, 4 probes\nhttp://127.0.0.1:5/token/\n"
        "The address works on this machine only. Ctrl-C ends the page.\n"
    )


def test_options_of_the_configuration_count(served):
    chosen = ["--without", "optical_depth", "--set", "emulator_error=false", "--port", "5", "--seed", "3"]
    assert command("explore", *chosen, "--no-browser")[0] == 0
    assert "optical_depth" not in served["model"].probes and served["model"].emulator_error == 0
    assert (served["port"], served["seed"]) == (5, 3)


def test_a_run_brings_its_configuration_and_its_samples(served, run):
    assert command("explore", "--run", str(run), "--no-browser")[0] == 0
    assert served["model"].names == served["samples"].names == ("log10_f_star10", "log10_f_esc10")
    assert served["name"] == str(run)


def test_the_configuration_of_a_run_may_be_changed(served, run):
    assert command("explore", "--run", str(run), "--no-browser", "--set", "emulator_error=false")[0] == 0
    assert served["model"].emulator_error == 0


def test_a_configuration_beside_a_run_is_used(served, run):
    assert command("explore", "reionization", "--run", str(run), "--no-browser")[0] == 0
    assert len(served["model"].names) == 9 and len(served["samples"].names) == 2


def test_without_a_browser_the_way_to_one_is_printed(served, monkeypatch):
    code, said, _ = command("explore")
    assert code == 0 and "There is no browser here." in said and "ssh -L 5:127.0.0.1:5" in said
    monkeypatch.setattr(Served, "browser", True)
    assert "no browser" not in command("explore")[1]


def test_a_port_in_use_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_wait", lambda: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused("explore", "--no-browser", "--port", port, words=[f"port {port}", "is in use"])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    assert_refused("explore", "--run", tmp_path, words=["does not hold a finished run"])


def test_samples_of_other_parameters_are_refused(run):
    assert_refused("explore", "reionization", "--run", run, "--no-browser", words=["the samples have no", "alpha_star"])


def test_a_signal_ends_the_page(monkeypatch):
    looks = []

    def check():
        looks.append(1)
        if len(looks) == 3:
            raise SystemExit(130)

    monkeypatch.setattr(interruption, "check", check)
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    with pytest.raises(SystemExit):
        module._wait()
