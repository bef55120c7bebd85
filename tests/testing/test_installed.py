"""Checks of installed plugins, by name."""

from __future__ import annotations

import pytest
from helpers import command

from astroemu.errors import PluginError
from astroemu.runtime.plugins import CONFIGURATIONS, DERIVED, REFERENCES
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
    assert [finding.check for finding in derived.findings] == ["loads"] and derived.passed


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
