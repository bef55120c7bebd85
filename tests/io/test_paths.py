"""References in configurations: a path counts from the folder of the configuration, a plain name is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from astroemu.io.paths import FileName, looks_like_path, resolve

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
