"""References in configurations: a path counts from the folder of the configuration, a plain name is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from astroemu.errors import ConfigurationError
from astroemu.inference.configuration import load_configuration
from astroemu.io.paths import FileName, looks_like_path, resolve, safe_name

BASE = Path("/folder/of/configuration")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("acg", False),
        ("hera_h1c_idr3", False),
        ("21cmemu", False),
        ("acg.h5", True),
        ("./acg", True),
        ("../acg", True),
        ("data/acg", True),
        ("/data/acg", True),
        ("data/acg.h5", True),
    ],
)
def test_a_path_has_a_separator_or_a_suffix(name, path):
    assert looks_like_path(name) is path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own.ecsv", "/folder/of/configuration/own.ecsv"),
        ("data/own", "/folder/of/configuration/data/own"),
        ("./own", "/folder/of/configuration/own"),
        ("/else/own.ecsv", "/else/own.ecsv"),
        ("installed_name", "installed_name"),
    ],
)
def test_a_relative_path_counts_from_the_base(name, expected):
    assert resolve(name, BASE) == expected
    assert TypeAdapter(FileName).validate_python(name, context={"base": BASE}) == expected


def test_without_a_base_a_reference_stays_as_it_is():
    assert TypeAdapter(FileName).validate_python("own.ecsv") == "own.ecsv"
    assert TypeAdapter(FileName).validate_python("own.ecsv", context={"base": None}) == "own.ecsv"


@pytest.mark.parametrize("name", ["acg", "21cmemu", "log10_uv_lf", "größe", "ñ (z = 6)", "a.b", ".hidden", "x" * 100])
def test_names_that_can_be_file_names_stay_as_they_are(name):
    assert safe_name(name) is name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        (".", "dots"),
        ("..", "dots"),
        ("...", "dots"),
        ("../x", "separator"),
        ("a/b", "separator"),
        ("a\\b", "separator"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("\x1b[2J", "control"),
        ("a\u202eb", "not visible"),
        ("a\u200b", "not visible"),
        ("\ud800", "not visible"),
        (" a", "blank"),
        ("a ", "blank"),
        ("x" * 101, "more than 100 bytes"),
        ("é" * 51, "more than 100 bytes"),
    ],
)
@pytest.mark.attack("names", "separators, dots alone, control and invisible characters, 101 bytes")
def test_names_that_lead_elsewhere_or_hide_something_are_refused(name, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        safe_name(name, "the probe")
    assert str(caught.value).startswith("the probe ") and str(caught.value).isprintable()


@pytest.mark.parametrize("table", ["probes", "emulators", "simulators", "derived", "samplers", "parameters"])
@pytest.mark.parametrize("name", ["../x", "..", "a\\u001b[2J", "x" * 101])
@pytest.mark.attack("names", "a configuration whose probe, provider, sampler or parameter is named ../x")
def test_a_configuration_with_such_a_name_is_refused(tmp_path, table, name):
    tables = {"parameters": "", "probes": ""} | {table: f'"{name}" = {{}}'}
    (tmp_path / "mine.toml").write_text("\n".join(f"[{key}]\n{line}" for key, line in tables.items()))
    with pytest.raises(ConfigurationError, match=rf"mine\.toml, \[{table}\]: the name .* becomes a part of file names"):
        load_configuration(tmp_path / "mine.toml")
