"""The JSON schema of configurations and recipes, for editors."""

from __future__ import annotations

import json
import tomllib

import pytest
from helpers import assert_refused, command

from astroemu.inference.configuration_schema import configuration_schema, recipe_schema


def test_it_has_the_options_of_every_installed_plugin():
    schema = configuration_schema()
    options = schema["$defs"]["probes.optical_depth"]["properties"]
    assert options["errors"]["enum"] == ["split", "barlow"] and options["errors"]["default"] == "split"
    assert "Treatment of asymmetric errors" in options["errors"]["description"]
    assert schema["$defs"]["probes.cobaya"]["required"] == ["likelihood"]
    assert "default" not in schema["$defs"]["probes.neutral_fraction"]["properties"]["z_max"]  # JSON has no infinity
    assert schema["properties"]["samplers"]["properties"]["emcee"] == {"$ref": "#/$defs/samplers.emcee"}
    assert schema["$defs"]["derived.optical_depth"]["properties"]["options"]["properties"]["y_he"]["type"] == "number"
    assert schema["properties"]["engine"]["enum"] == ["auto", "numpy", "keras"]
    parameter, labels = schema["properties"]["parameters"]["additionalProperties"]["anyOf"]
    kinds = [rule["if"]["properties"]["distribution"]["const"] for rule in parameter["allOf"]]
    assert {"uniform", "normal", "fixed"} <= {*kinds} and {*labels["properties"]} == {"latex", "unit"}


def test_the_command_prints_or_writes_it(tmp_path):
    code, said, _ = command("schema")
    assert code == 0 and json.loads(said) == configuration_schema()
    code, said, _ = command("schema", "--recipe", "--out", str(tmp_path / "recipe.json"))
    assert code == 0 and "#:schema ./recipe.json" in said
    assert json.loads((tmp_path / "recipe.json").read_text()) == recipe_schema()
    assert_refused("schema", "--out", tmp_path / "recipe.json", words=["exists"])


def test_the_examples_are_valid_and_mistakes_are_not(examples):
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    of_fits, of_recipes = (validator(schema) for schema in (configuration_schema(), recipe_schema()))
    for path in examples.glob("*.toml"):
        raw = tomllib.loads(path.read_text())
        (of_fits if "probes" in raw else of_recipes).validate(raw)
    for key, value in (("sed", 1), ("samplers", {"emce": {}}), ("probes", {"optical_depth": {"eror": 1}})):
        raw = tomllib.loads((examples / "reionization.toml").read_text())
        assert not of_fits.is_valid({**raw, key: value})


OWN_PARTS = """
[probes.mine]
plugin = "code/my_probe.py:MyProbe"
anything = 1
[probes.optical_depth]
plugin = "my_probe.py:MyProbe"
anything = 1
[derived]
total = "a + b"
doubled = { expression = "2 * total", latex = "2 t", unit = "mK" }
tau = { plugin = "my_derived.py:Tau", options = { n = 1 } }
[joint_priors.both]
distribution = "normal"
parameters = ["a", "b"]
mean = [0.0, 0.2]
std = [0.3, 0.4]
correlation = [[1.0, -0.5], [-0.5, 1.0]]
[joint_priors.before]
distribution = "posterior"
parameters = ["c"]
samples = "before.h5"
[parameters]
b = { latex = "b" }
e = { distribution = "uniform", low = "b", high = 1.0 }
"""


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('total = "a + b"', "total = 3"),
        ('unit = "mK"', 'units = "mK"'),
        ('expression = "2 * total", ', ""),
        ('distribution = "posterior"', 'distribution = "posterio"'),
        ('samples = "before.h5"', ""),
        ("mean = [0.0, 0.2]", "means = [0.0, 0.2]"),
        ('b = { latex = "b" }', 'b = { latxe = "b" }'),
        ('plugin = "my_probe.py:MyProbe"', ""),
    ],
)
def test_it_knows_files_of_code_expressions_and_joint_priors(text, mistake):
    validator = pytest.importorskip("jsonschema").Draft202012Validator(configuration_schema())
    validator.validate(tomllib.loads(OWN_PARTS))
    assert OWN_PARTS.count(text) == 1
    assert not validator.is_valid(tomllib.loads(OWN_PARTS.replace(text, mistake)))
