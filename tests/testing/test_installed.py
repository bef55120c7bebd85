"""Checks of installed plugins, by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from helpers import FIT_OF_TAU, command

from astroemu.errors import PluginError
from astroemu.runtime.plugins import CONFIGURATIONS, DERIVED, PROBES, REFERENCES, TRAINED
from astroemu.testing.installed import _bibliography, _configuration, check_installed


def test_the_command_prints_the_table_of_every_kind_of_a_name():
    code, said, _ = command("check", "optical_depth")
    assert code == 0 and said.startswith("probe 'optical_depth'") and "catalog 'optical_depth'" in said
    assert "tau_e <- acg" in said


def test_the_command_takes_options_from_a_configuration(tmp_path):
    file = tmp_path / "fit.toml"
    file.write_text(
        '[probes.mine]\nplugin = "optical_depth"\nreference = "nobody"\n'
        '[parameters.a]\ndistribution = "fixed"\nvalue = 1.0\n'
    )
    code, said, _ = command("check", "mine", "--model", str(file))
    assert code == 3 and "reference = 'nobody' is not in" in said


def test_a_name_that_is_not_installed():
    with pytest.raises(PluginError, match="Did you mean 'emcee'"):
        check_installed("emcc")
    with pytest.raises(PluginError, match="no sampler is called 'park19'"):
        check_installed("park19", kind="sampler")


def test_a_name_in_several_groups_has_a_report_for_each():
    reports = check_installed("optical_depth")
    assert {report.subject for report in reports} >= {"probe 'optical_depth'", "catalog 'optical_depth'"}
    derived = next(report for report in reports if report.subject.startswith(DERIVED.noun))
    assert [finding.check for finding in derived.findings][:3] == ["loads", "declarations", "shapes"] and derived.passed


@pytest.mark.parametrize("name", ["galaxies", "train_park19"])
def test_a_configuration_or_recipe_can_be_built(name):
    (report,) = check_installed(name, kind=CONFIGURATIONS.noun)
    report.demand()
    assert ("recipe of" if name.startswith("train") else "parameters, probes") in report.findings[-1].detail


def test_a_configuration_that_cannot_be_built_fails(tmp_path):
    (tmp_path / "bad.toml").write_text("[parameters]\n[probes.no_such]\n")
    (finding,) = _configuration(tmp_path / "bad.toml").failures
    assert "nothing to infer" in finding.detail


@pytest.mark.parametrize("name", REFERENCES.names)
def test_a_bibliography_states_the_number_of_every_entry(name):
    (report,) = check_installed(name, kind=REFERENCES.noun)
    report.demand()
    assert report.findings[-1].detail.endswith("entries")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@misc{a,\n title = {A}\n}\n", "1 entries, of which 0 state an eprint"),
        ("@misc{a,\n eprint = {1202.3665}\n", "braces do not match"),
    ],
)
def test_a_bibliography_that_is_not_whole_fails(tmp_path, text, message):
    (tmp_path / "mine.bib").write_text(text)
    (finding,) = _bibliography(tmp_path / "mine.bib").failures
    assert message in finding.detail


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Return a function that installs a probe with a given body, and gives the report on it."""

    def check(body, **options):
        name = f"astroemu_stranger_{len(list(tmp_path.glob('*.py')))}_{abs(hash(body))}"
        (tmp_path / f"{name}.py").write_text(body)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(PROBES.entries, "stranger", [EntryPoint("stranger", f"{name}:Mine", PROBES.name)])
        (report,) = check_installed("stranger", kind="probe", **options)
        return report

    return check


MODULE = """
import os, random, sys, warnings
import numpy as np
from astroemu import Probe, Requirement
{before}
class Mine(Probe):
    "A probe of a stranger."

    def __init__(self, level: float = 1.0):
        {constructor}
        self.level = level

    @property
    def requires(self):
        return {{"x_hi": Requirement("x_hi", {{"z": np.array([7.0, 8.0, 9.0])}})}}

    def log_likelihood(self, predictions, parameters, xp):
        {likelihood}
        x = predictions["x_hi"]
        variance = 0.01 + (0.0 * x.value if x.error is None else x.error**2)
        return {sign}0.5 * xp.sum((x.value - np.array([0.2, 0.5, 0.8])) ** 2 / variance + xp.log(variance), axis=-1)
"""


def module(before="", constructor="pass", likelihood="pass", sign="-"):
    return MODULE.format(before=before, constructor=constructor, likelihood=likelihood, sign=sign)


def test_a_probe_of_a_stranger_passes(stranger):
    report = stranger(module())
    report.demand()
    assert len(report.findings) > 20


FAULTS = {
    "raises in __init__": ({"constructor": "raise KeyError('data')"}, "loads", "KeyError: 'data'"),
    "ends the process in __init__": ({"constructor": "sys.exit(0)"}, "loads", "0"),
    "ends the process at import": ({"before": "raise SystemExit('no library')"}, "loads", "no library"),
    "prints in __init__": ({"constructor": "print('reading the data')"}, "loads", "prints 'reading the data'"),
    "sets np.seterr at import": ({"before": "np.seterr(over='raise')"}, "loads", "np.seterr (over)"),
    "seeds NumPy in __init__": ({"constructor": "np.random.seed(13571)"}, "loads", "np.random's global generator"),
    "changes the folder": ({"constructor": "os.chdir('/')"}, "loads", "the working folder"),
    "silences warnings": ({"constructor": "warnings.simplefilter('ignore')"}, "loads", "warnings.filters"),
    "draws from random": ({"likelihood": "random.random()"}, "process state", "random's global generator"),
    "ends the process": ({"likelihood": "sys.exit(0)"}, "shapes", "SystemExit: 0"),
    "reversed sign": ({"sign": "+"}, "falls away", "grows without bound"),
}


@pytest.mark.attack("the conformance kit", "a plugin that ends, prints, raises or changes global state")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_stranger_fails_in_words(stranger, fault):
    parts, check, words = FAULTS[fault]
    report = stranger(module(**parts))
    assert [finding.check for finding in report.failures] == [check], report.table()
    assert words in report.failures[0].detail


@pytest.mark.attack("the conformance kit", "a plugin with a wrong sign, checked with the truths of an emulator")
def test_a_reversed_sign_is_found_with_the_truths_of_an_emulator(stranger):
    report = stranger(module(sign="+"), model="reionization")
    assert {finding.check for finding in report.failures} == {"falls away"}
    good = stranger(module(), model="reionization")
    good.demand()
    assert next(f for f in good.findings if f.check == "model").detail == "predictions of 'reionization', 9 parameters"


@pytest.mark.attack("the conformance kit", "an entry point of a module that is not there, or of another class")
@pytest.mark.parametrize(("value", "words"), [("no_such:X", "No module named"), ("json:JSONDecoder", "not a subclass")])
def test_a_broken_entry_point_fails_in_words(monkeypatch, value, words):
    monkeypatch.setitem(PROBES.entries, "broken", [EntryPoint("broken", value, PROBES.name)])
    (report,) = check_installed("broken", kind="probe")
    (finding,) = report.failures
    assert finding.check == "loads" and words in finding.detail


@pytest.mark.attack("the conformance kit", "a damaged emulator file under an installed name: the check was skipped")
def test_an_emulator_that_cannot_be_read_fails(tmp_path, monkeypatch):
    (tmp_path / "damaged.h5").write_bytes(b"no HDF5")
    (tmp_path / "astroemu_damaged.py").write_text(
        "from pathlib import Path\nFILE = Path(__file__).with_name('damaged.h5')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("damaged", "astroemu_damaged:FILE", TRAINED.name)
    monkeypatch.setitem(TRAINED.entries, "damaged", [entry])
    (report,) = check_installed("damaged", kind="trained emulator")
    assert [finding.check for finding in report.failures] == ["examination"] and "damaged.h5" in report.table()


def test_options_of_a_table_go_to_the_plugin_of_its_kind(tmp_path):
    """A probe and a derived quantity have one name: the probe's options are not those of the other."""
    text = FIT_OF_TAU.replace("[probes.optical_depth]", '[probes.optical_depth]\nreference = "Qin+2020"')
    (tmp_path / "fit.toml").write_text(text)
    reports = check_installed("optical_depth", model=tmp_path / "fit.toml")
    assert all(report.passed for report in reports) and len(reports) == 3
