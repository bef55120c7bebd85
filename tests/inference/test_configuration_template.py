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
    assert "# No installed emulator gives n_ion." in text and "  # as in galaxies_2026; used by ionizing_back" in text
    assert 'h = { distribution = "fixed", value = 0.6774 }  # as in' in text


def test_nuisance_parameters_are_comments_with_their_default_priors(tmp_path):
    text = configuration_template(["act_dr6_lite", "planck_low_ell"], ["cmb"])
    assert '# a_act = { distribution = "normal", mean = 1, std = 0.003 }  # default of act_dr6_lite' in text
    assert "a_act" in model_of(text, tmp_path).names


PROBE = """
from astroemu import Parameter, Probe
from astroemu.core.distributions import Uniform


class MyProbe(Probe):
    '''A number is known.'''

    parameters = (Parameter("log10_a", Uniform(-1.0, 1.0)),)
    requires = {}

    def __init__(self, datum: float = 0.5) -> None:
        self.datum = datum

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * ((parameters["log10_a"] - self.datum) / 0.1) ** 2
"""


def test_a_probe_in_a_file_gets_a_table_with_its_options(tmp_path):
    (tmp_path / "code.py").write_text(PROBE)
    path = tmp_path / "mine.toml"
    code, said, warned = command("new", "config", "code.py:MyProbe", "optical_depth", "--out", str(path))
    assert code == 0 and not warned and f"Next: astroemu explain {path}" in said
    text = path.read_text()
    assert '[probes.my_probe]\nplugin = "code.py:MyProbe"\n' in text and "# datum = 0.5" in text
    assert "log10_a" in load_configuration(path).model().names
    assert_refused("new", "config", "gone.py:MyProbe", "--out", tmp_path / "other.toml", words=["there is no file"])
    assert not (tmp_path / "other.toml").exists()


TABLE = """# %ECSV 1.0
# ---
# datatype:
# - {name: z, datatype: float64}
# - {name: value, datatype: float64}
# - {name: error, datatype: float64}
z value error
6.5 0.10 0.05
7.1 0.40 0.20
"""


def test_a_table_of_ones_own_is_complete_with_its_options(tmp_path):
    (tmp_path / "mine.ecsv").write_text(TABLE)
    path = tmp_path / "fit.toml"
    given = {"catalog": "mine.ecsv", "observable": "x_hi", "axes.z": '""'}
    options = [word for key, value in given.items() for word in ("--set", f"probes.table.{key}={value}")]
    code, _, warned = command("new", "config", "table", *options, "--out", str(path))
    assert code == 0 and not warned
    model = load_configuration(path).model()
    assert list(model.probes) == ["table"] and list(model.providers) == ["acg"] and len(model.names) == 9
    assert '\naxes = { z = "" }\n' in path.read_text()


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("probes.tabl.observable=x_hi", "Did you mean 'table'"),
        ("seed=2", "probes.NAME.OPTION=VALUE"),
        ("probes.table=2", "probes.NAME.OPTION=VALUE"),
        ("probes", "key=value"),
    ],
)
def test_options_of_something_else_are_refused(setting, word, tmp_path):
    assert_refused("new", "config", "table", "--set", setting, "--out", tmp_path / "fit.toml", words=[word])
    assert not (tmp_path / "fit.toml").exists()


def test_a_probe_whose_options_are_missing_says_what_to_do():
    assert "--set probes.table.OPTION=VALUE" in " ".join(configuration_template(["table"]).replace("\n#", "").split())


def test_a_number_without_any_known_prior_is_left_to_choose(tmp_path):
    code = PROBE.replace("requires = {}", "requires = {'it': Requirement('a_number')}").replace(
        "Probe\n", "Probe, Requirement\n", 1
    )
    (tmp_path / "code.py").write_text(code)
    text = configuration_template(["code.py:MyProbe"], base=tmp_path)
    assert '# a_number = { distribution = "uniform", low = ..., high = ... }' in text and "choose a prior" in text


def test_the_hints_at_the_end_hold_when_the_mark_is_removed(tmp_path):
    text = configuration_template(["optical_depth"])
    assert "[joint_priors.NAME]" in text
    changed = text.replace("# [derived]", "[derived]").replace("# f_star10 =", "f_star10 =")
    assert "f_star10" in model_of(changed, tmp_path).observables


def test_the_command_writes_a_file_once(tmp_path):
    path = tmp_path / "mine.toml"
    code, said, _ = command("new", "config", "optical_depth", "--out", str(path))
    assert code == 0 and f"Next: astroemu explain {path}" in said
    assert load_configuration(path).model().names
    assert_refused("new", "config", "optical_depth", "--out", path, words=["exists"])


def test_the_command_says_what_is_missing(tmp_path):
    code, _, warned = command("new", "config", "mean_free_path", "--out", str(tmp_path / "mine.toml"))
    assert code == 0 and "It is not complete yet" in warned and "'n_ion'" in warned


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
    assert_refused("new", "probe", "a", "--set", "x=1", words=["new config"])
    assert_refused("new", "thing", "a", words=["thing"])
