"""``astroemu new config``: configurations that fit as they are written."""

from __future__ import annotations

import tomllib

import pytest
from helpers import assert_refused, command

from astroemu.errors import ConfigurationError, PluginError
from astroemu.inference.configuration import configuration_from, load_configuration
from astroemu.inference.configuration_template import configuration_template


def model_of(text, tmp_path):
    return configuration_from(tomllib.loads(text), tmp_path / "fit.toml").model()


@pytest.mark.parametrize(
    ("probes", "providers", "n"),
    [
        (["optical_depth", "neutral_fraction"], {"acg"}, 9),
        (["act_dr6_lite", "optical_depth"], {"cmb", "tau_e"}, 8),  # tau_e is a parameter of the CMB
        (["act_dr6_lite", "uv_luminosity_function"], {"cmb", "acg"}, 16),  # tau_e is that of the galaxies
        (["patchy_ksz"], {"acg", "patchy_ksz"}, 9),
    ],
)
def test_every_observable_has_a_provider_and_every_parameter_a_prior(probes, providers, n, tmp_path):
    text = configuration_template(probes)
    model = model_of(text, tmp_path)
    assert {*model.providers} == providers and list(model.probes) == probes and len(model.names) == n
    assert max(map(len, text.splitlines())) <= 130


def test_options_are_comments_that_hold_when_the_mark_is_removed(tmp_path):
    text = configuration_template(["optical_depth"])
    assert '# errors = "split"\n' in text and '#   "split" or "barlow". Treatment' in text
    assert "log10_m_turn = { distribution" in text and "installed too: multinest" in text
    changed = text.replace('# errors = "split"', 'errors = "barlow"')
    assert configuration_from(tomllib.loads(changed), tmp_path / "x.toml").probes()["optical_depth"]._errors == "barlow"


def test_what_cannot_be_known_is_left_to_fill_in():
    text = configuration_template(["mean_free_path", "cobaya"])
    assert "# likelihood = ...  # required" in text and "[simulators.park19]" in text
    assert "# log10_mfp_6 = {" in text and "choose a prior" in text
    assert 'h = { distribution = "fixed", value = 0.6774 }  # as in' in text


def test_nuisance_parameters_are_comments_with_their_default_priors(tmp_path):
    text = configuration_template(["act_dr6_lite", "planck_low_ell"], ["cmb"])
    assert '# a_act = { distribution = "normal", mean = 1, std = 0.003 }  # default of act_dr6_lite' in text
    assert "a_act" in model_of(text, tmp_path).names


def test_the_command_writes_a_file_once(tmp_path):
    path = tmp_path / "mine.toml"
    code, said, _ = command("new", "config", "optical_depth", "--out", str(path))
    assert code == 0 and f"Next: astroemu explain {path}" in said
    assert load_configuration(path).model().names
    assert_refused("new", "config", "optical_depth", "--out", path, words=["exists"])


def test_the_command_says_what_is_missing(tmp_path):
    code, _, warned = command("new", "config", "mean_free_path", "--out", str(tmp_path / "mine.toml"))
    assert code == 0 and "It is not complete yet" in warned and "log10_mfp_6" in warned


def test_bad_names_are_refused():
    with pytest.raises(ConfigurationError, match=r"each once.*Installed: 'act_dr6_lite'"):
        configuration_template([])
    with pytest.raises(ConfigurationError, match="each once"):
        configuration_template(["optical_depth", "optical_depth"])
    with pytest.raises(PluginError, match="Did you mean 'optical_depth'"):
        configuration_template(["opticaldepth"])
    with pytest.raises(PluginError, match="no trained emulator is called"):
        configuration_template(["optical_depth"], ["nothing"])
    assert_refused("new", "probe", "a", "b", words=["one name"])
    assert_refused("new", "probe", "a", "--emulator", "acg", words=["new config"])
    assert_refused("new", "thing", "a", words=["thing"])
