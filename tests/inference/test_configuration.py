"""A configuration is checked when it is read, and its parts can be replaced."""

from __future__ import annotations

import hashlib
import tomllib

import pytest

from astroemu.core.adapters import ProviderSubset
from astroemu.errors import AstroemuError, ConfigurationError
from astroemu.inference.configuration import Configuration, configuration_from, load_configuration, load_model

TEXT = """
title = "small"
sampler = "ultranest"

[simulators.mine]
plugin = "park19"
provides = ["tau_e"]

[probes.optical_depth]
[probes.neutral_fraction]

[parameters]
log10_f_star10 = { distribution = "uniform", low = -3.0, high = 0.0 }

[samplers.ultranest]
live_points = 60
"""


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.toml").write_text(TEXT)
    return load_configuration(tmp_path / "small.toml")


def test_a_file_becomes_typed_tables(small, tmp_path):
    assert small.name == "small" and small.path == tmp_path / "small.toml" and small.text == TEXT
    assert small.document.title == "small" and small.document.seed == 1 and small.document.engine == "auto"
    assert small.where("probes", "a") == f"{tmp_path / 'small.toml'}, [probes.a]"
    assert small.prior().names == ("log10_f_star10",)
    assert small.sampler().live_points == 60 and small.sampler("emcee").name == "emcee"


def test_providers_give_what_their_table_states(small):
    (provider,) = small.simulators().values()
    assert isinstance(provider, ProviderSubset) and list(provider.provides) == ["tau_e"]
    assert small.emulators() == {} and small.derived() == {}


def test_overrides_are_toml_values_or_text(small):
    changed = small.overridden(["seed=3", "sampler=emcee", "samplers.emcee.walkers=16"])
    assert changed.document.seed == 3 and changed.sampler().walkers == 16
    assert small.document.seed == 1 and "emcee" not in small.raw["samplers"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set 'seed' must have the form key=value"),
        ("=3", "must have the form key=value"),
        ("title.a=1", "'title' is a value, not a table"),
        ("seed=-1", "seed"),
        ("seeds=1", "seeds"),
        ("samplers.emcea.walkers=8", r"\[samplers.emcea\]: no sampler is called 'emcea'. Did you mean 'emcee'"),
    ],
)
def test_overrides_that_are_refused(small, override, message):
    with pytest.raises(ConfigurationError, match=message):
        small.overridden([override])


def test_probes_are_left_out_by_name(small):
    assert list(small.without(["optical_depth"]).document.probes) == ["neutral_fraction"]
    assert list(small.only({"optical_depth"}).document.probes) == ["optical_depth"]
    with pytest.raises(ConfigurationError, match=r"has no probe 'optical_deph'\. Did you mean 'optical_depth'"):
        small.without(["optical_deph"])


def test_two_providers_of_one_name_are_refused(tmp_path):
    raw = {
        "parameters": {},
        "probes": {},
        "emulators": {"acg": {}},
        "simulators": {"acg": {"plugin": "park19"}},
    }
    configuration = configuration_from(raw, tmp_path / "fit.toml")
    with pytest.raises(ConfigurationError, match=r"\[simulators.acg\].*another provider has the same name"):
        configuration.simulators()


@pytest.mark.parametrize(
    ("table", "message"),
    [({"plugin": 3}, "plugin = 3 must be the name of a probe"), ({"plugin": "no_such"}, "no_such")],
)
def test_a_probe_that_is_none_is_refused(tmp_path, table, message):
    configuration = configuration_from({"parameters": {}, "probes": {"a": table}}, tmp_path / "fit.toml")
    with pytest.raises(AstroemuError, match=message):
        configuration.probes()


def test_the_text_is_that_which_was_parsed_whatever_happens_to_the_file(small):
    small.path.write_text("edited")
    changed = small.overridden(["seed=3"]).without(["optical_depth"])
    assert changed.text == small.text == TEXT
    assert small.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert tomllib.loads(configuration_from(small.raw, small.path).text) == small.raw


def test_an_installed_configuration_has_a_name():
    assert isinstance(load_configuration("galaxies"), Configuration)
    assert load_model("galaxies").name == "galaxies"
    with pytest.raises(AstroemuError, match="galaxies"):
        load_configuration("galaxie")


@pytest.mark.parametrize("name", ["reionization", "galaxies", "like_21cmmc", "cmb"])
def test_every_installed_configuration_can_be_written_as_toml(name):
    import tomllib

    from astroemu.io.toml import dump_toml

    raw = dict(load_configuration(name).raw)
    assert tomllib.loads(dump_toml(raw)) == raw
