"""Bad configurations: exit code 2, one line with the file, the key and the nearest right name, nothing written."""

from __future__ import annotations

import pytest
from helpers import assert_fit_refused, assert_refused, command

import astroemu

DEFAULT = astroemu.load_configuration("reionization").path.read_text()
CASES = {
    "unknown key at the top": ("title =", "titel =", ["titel", "'title'"]),
    "unknown key of a probe": (
        "modelling_fraction",
        "modeling_fraction",
        ["modeling_fraction", "'modelling_fraction'"],
    ),
    "unknown key of a sampler": ("walkers = 64", "walkrs = 64", ["walkrs", "'walkers'"]),
    "unknown key of a parameter": ("low = 38.0", "lowe = 38.0", ["log10_l_x", "'low'"]),
    "unknown key of an emulator": ("[emulators.acg]", "[emulators.acg]\nfil = 1", ["emulators.acg.fil", "'file'"]),
    "wrong type": ("seed = 1", 'seed = "one"', ["seed", "integer"]),
    "wrong type of a probe's option": ("modelling_fraction = 0.2", "modelling_fraction = [1]", ["modelling_fraction"]),
    "missing catalog": ('"hera_h1c_idr3"', '"absent.h5"', ["absent.h5", "no file"]),
    "unknown catalog": ('"hera_h1c_idr3"', '"hera_h1c_idr4"', ["hera_h1c_idr4", "'hera_h1c_idr3'"]),
    "prior wider than the box": ("low = 38.0", "low = 37.0", ["log10_l_x", "[37, 42]", "[38, 42]", "truncate_prior"]),
    "unknown probe": ("[probes.optical_depth]", "[probes.optical_dept]", ["optical_dept", "'optical_depth'"]),
    "unknown sampler table": ("[samplers.emcee]", "[samplers.emce]", ["emce", "'emcee'"]),
    "nobody provides": (
        "[emulators.acg]",
        '[emulators.acg]\nprovides = ["x_hi"]',
        ["delta21_sq", "power_spectrum_21cm"],
    ),
    "does not provide": ("[emulators.acg]", '[emulators.acg]\nprovides = ["x_h"]', ["x_h", "'x_hi'"]),
    "parameter given twice": ("[parameters.alpha_x]", "[parameters.alpha_star]", ["alpha_star", "twice"]),
    "parameter that nobody uses": ("[parameters.alpha_x]", "[parameters.alpha_y]", ["alpha_x", "alpha_y"]),
    "unknown emulator": ("[emulators.acg]", "[emulators.agc]", ["agc", "'acg'"]),
    "unknown reference": ('"McGreer+2015"', '"McGreer+2051"', ["McGreer+2051", "'McGreer+2015'"]),
    "redshift beyond the emulator": ("= [6.0, 7.0, 8.0]", "= [4.0]", ["uv_luminosity_function", "[6, 10]"]),
    "empty prior": ("low = 38.0", "low = 43.0", ["log10_l_x", "below"]),
    "odd walkers": ("walkers = 64", "walkers = 63", ["samplers.emcee", "even"]),
    "not TOML": ("title =", "title", ["not valid TOML"]),
    "unknown sampler": ('sampler = "emcee"', 'sampler = "emce"', ["sampler", "'emce'", "Did you mean 'emcee'"]),
    "too few walkers": ("walkers = 64", "walkers = 4", ["[samplers.emcee]", "walkers = 4", "at least 18"]),
    "a length that is no number": (
        "autocorrelation_times = 50.0",
        "autocorrelation_times = nan",
        ["[samplers.emcee]", "autocorrelation_times"],
    ),
    "wrong type of a sampler's option": ("walkers = 64", 'walkers = "64"', ["[samplers.emcee]", "walkers", "integer"]),
    "a fraction of a walker": ("walkers = 64", "walkers = 64.5", ["walkers = 64.5", "integer"]),
    "a switch for a number": ("low = 38.0", "low = true", ["[parameters.log10_l_x]", "low = True", "number"]),
    "text for a number": ("low = 38.0", 'low = "38"', ["[parameters.log10_l_x]", "low = '38'", "number"]),
    "unknown distribution": (
        'distribution = "uniform"',
        'distribution = "unifrom"',
        ["[parameters.log10_f_star10]", "Did you mean 'uniform'"],
    ),
    "a choice that is none": (
        'reference = "Planck2018-VI"',
        'errors = "spilt"',
        ["[probes.optical_depth]", "errors", "'split'"],
    ),
    "a number for a list": ('"Oesch+2018" = [10.0]', '"Oesch+2018" = 10.0', ["sets.Oesch+2018", "array"]),
    "a date": ("seed = 1", "seed = 2020-01-01", ["date"]),
    "a negative seed": ("seed = 1", "seed = -1", ["seed = -1"]),
    "an unknown plugin": (
        "[probes.power_spectrum_21cm]",
        '[probes.power_spectrum_21cm]\nplugin = "power_spectrum21cm"',
        ["[probes.power_spectrum_21cm]", "Did you mean 'power_spectrum_21cm'"],
    ),
    "a parameter that is no identifier": (
        "[parameters.alpha_x]",
        '[parameters."alpha x"]',
        ["'alpha x'", "identifier"],
    ),
    "a value given twice": ("seed = 1", "seed = 1\nseed = 2", ["line", "not valid TOML", "once"]),
    "a missing emulator file": (
        "[emulators.acg]",
        '[emulators.acg]\nfile = "absent.h5"',
        ["[emulators.acg]", "absent.h5"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_configuration(name, tmp_path):
    old, new, words = CASES[name]
    assert old in DEFAULT
    # A value that is let through would run on for minutes: keep that short.
    text = DEFAULT.replace(old, new, 1).replace("effective_samples", "max_steps = 10\neffective_samples", 1)
    assert_fit_refused(tmp_path, text, *words)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("samplers.emcee.walkers", ["key=value"]),
        ("samplers.emcee.walker=32", ["'walkers'"]),
        ("seed.x=1", ["seed"]),
        ("truncate_prior=perhaps", ["truncate_prior"]),
    ],
)
def test_a_bad_override(override, words, tmp_path):
    assert_refused("fit", "--set", override, "--out", tmp_path / "run", words=words)


@pytest.mark.parametrize("key", ["autocorrelation_times", "effective_samples", "burn_in"])
def test_a_length_of_zero_runs_or_is_refused(key, tmp_path):
    """Zero asks for nothing; it is not a division by zero half-way through."""
    settings = {key: "0.0", "max_steps": "10", "walkers": "18", "starting_draws": "200"}
    overrides = [word for k, v in settings.items() for word in ("--set", f"samplers.emcee.{k}={v}")]
    code, _, message = command("fit", "--no-report", "--out", str(tmp_path / "run"), *overrides)
    assert code == 0 or (code == 2 and key in message)


@pytest.mark.parametrize("part", ["parameters", "probes"])
def test_a_file_without_one_of_its_tables(part, tmp_path):
    tables = {
        "parameters": "[parameters.a]\ndistribution = 'uniform'\nlow = 0\nhigh = 1\n",
        "probes": "[probes.optical_depth]\n",
    }
    del tables[part]
    assert_fit_refused(tmp_path, "".join(tables.values()), f"'{part}' is missing")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "bad.toml").write_bytes(b'title = "\xff"')
    assert_refused("fit", tmp_path / "bad.toml", words=["bad.toml", "not UTF-8 text"])
