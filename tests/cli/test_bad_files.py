"""Bad input beyond the table of test_bad_input.py: a user's own files, recipes, places to write to.

The same rule: exit code 2, one line that names the file, the key and the nearest right name, no
traceback, nothing left behind.
"""

from __future__ import annotations

from importlib.util import find_spec

import h5py
import numpy as np
import pytest
from helpers import command

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.runtime.plugins import TRAINED, locate


@pytest.fixture
def default(examples):
    return (examples / "reionization.toml").read_text()


def refused(*arguments, words=()):
    """Run a command that must be refused; return its message."""
    code, _, message = command(*map(str, arguments))
    assert code == 2, message
    assert message.startswith("astroemu: ") and message.count("\n") == 1 and "Traceback" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"
    return message


def fit_refused(folder, text, *words):
    """A configuration that must be refused, naming its file, before anything is written."""
    (folder / "bad.toml").write_text(text)
    refused("fit", folder / "bad.toml", "--out", folder / "run", words=["bad.toml", *words])
    assert not (folder / "run").exists()


CASES = {
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
def test_a_bad_configuration(name, tmp_path, default):
    old, new, words = CASES[name]
    assert old in default
    # A NaN that is let through would run on for minutes: keep that short.
    text = default.replace(old, new, 1).replace("effective_samples", "max_steps = 10\neffective_samples", 1)
    fit_refused(tmp_path, text, *words)


@pytest.mark.parametrize("key", ["autocorrelation_times", "effective_samples", "burn_in"])
def test_a_length_of_zero_runs_or_is_refused(key, tmp_path):
    """Zero asks for nothing; it is not a division by zero half-way through."""
    settings = {key: "0.0", "max_steps": "10", "walkers": "18"}
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
    fit_refused(tmp_path, "".join(tables.values()), f"'{part}' is missing")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "bad.toml").write_bytes(b'title = "\xff"')
    refused("fit", tmp_path / "bad.toml", words=["bad.toml", "not UTF-8 text"])


@pytest.mark.parametrize(
    "content",
    [
        "z x_HI\n6.0 0.1\n",
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: z, datatype: float64}\n# schema: astropy-2.0\nz\n6.0\n",
    ],
    ids=["no ECSV", "other columns"],
)
@pytest.mark.parametrize("probe", ["uv_luminosity_function", "neutral_fraction", "optical_depth"])
def test_a_table_of_another_form(probe, content, tmp_path, default):
    """A user's own catalog is the likeliest file of all to be wrong."""
    (tmp_path / "mine.ecsv").write_text(content)
    text = default.replace(f"[probes.{probe}.sets]", f"[probes.{probe}]\n[probes.{probe}.sets]")
    text = text.replace(f"[probes.{probe}]", f'[probes.{probe}]\ncatalog = "mine.ecsv"')
    fit_refused(tmp_path, text, f"[probes.{probe}]", "mine.ecsv")


@pytest.mark.parametrize("damage", ["no groups", "no arrays", "no redshift", "no HDF5", "a dataset for a group"])
def test_spectra_of_another_form(damage, tmp_path, default):
    path = tmp_path / "mine.h5"
    if damage == "no HDF5":
        path.write_text("k delta2\n")
    else:
        with h5py.File(path, "w") as file:
            if damage == "no arrays":
                file.create_group("band1/field_A")
                file["band1"].attrs["redshift"] = 8.0
            elif damage == "no redshift":
                file["band1/field_A/k"] = np.ones(2)
            elif damage == "a dataset for a group":
                file["band1"] = np.ones(3)
                file["band1"].attrs["redshift"] = 8.0
    text = default.replace('catalog = "hera_h1c_idr3"', 'catalog = "mine.h5"')
    fit_refused(tmp_path, text, "[probes.power_spectrum_21cm]", "mine.h5")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.99])
def test_an_emulator_cut_short(share, tmp_path, default):
    whole = locate(TRAINED, "acg").read_bytes()
    (tmp_path / "mine.h5").write_bytes(whole[: int(len(whole) * share)])
    text = default.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"')
    fit_refused(tmp_path, text, "[emulators.acg]", "mine.h5")


def test_an_emulator_of_an_unknown_kind(tmp_path, default):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file.attrs["emulator"] = "neurl"
    text = default.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"')
    fit_refused(tmp_path, text, "[emulators.acg]", "mine.h5", "Did you mean 'neural'")


def test_out_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    refused("fit", "--out", tmp_path / "file", words=["file", "--out"])
    refused("fit", "--out", tmp_path / "file" / "run", words=["file"])
    assert (tmp_path / "file").read_text() == "mine"


# --- recipes --------------------------------------------------------------------------------


RECIPE = """
emulator = "neural"

[parameters.a]
distribution = "uniform"
low = 0.0
high = 1.0

[simulation]
simulator = "21cmemu"
n = 4

[simulation.options]
threads = 1

[training]
validation_points = 5
test_points = 5

[training.transforms]
y = { transform = "asinh", scale = 2.0 }

[training.networks.n]
outputs = ["y"]
hidden = [4]
epochs = 1
batch_size = 8
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n = 4", "nn = 4", ["'simulation.nn'", "Did you mean 'n'"]),
        ("[simulation]", '[simulation]\ndesign = "sobl"', ["simulation.design", "'sobol'"]),
        ('"21cmemu"', '"21cmem"', ["simulat", "Did you mean '21cmemu'"]),
        ("threads", "thread", ["options", "Did you mean 'threads'"]),
        ("[parameters.a]", "[parameters.alpha_str]", ["'alpha_str'", "'alpha_star'"]),
    ],
)
def test_a_bad_recipe_of_a_simulation(old, new, words, tmp_path):
    if find_spec("py21cmemu") is None:
        pytest.skip("py21cmemu is not installed")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new, 1))
    out = tmp_path / "set.h5"
    refused("simulate", tmp_path / "recipe.toml", "--out", out, words=["recipe.toml", *words])
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def training_set(path):
    theta = np.random.default_rng(0).random((50, 2))
    observable = Observable("y", (Axis("x", np.arange(2.0)),))
    TrainingSet(("a", "b"), theta, {"y": observable}, {"y": theta}).save(path)
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs", "epocs", ["training", "networks.n.epocs", "Did you mean 'epochs'"]),
        ("epochs = 1", "epochs = 0", ["networks.n.epochs = 0"]),
        ('["y"]', '["yy"]', ["training", "Did you mean 'y'"]),
        ('"neural"', '"neurl"', ["emulator", "Did you mean 'neural'"]),
        ("scale = 2.0", "scal = 2.0", ["transform", "'scal'", "Did you mean 'scale'"]),
        ('"asinh"', '"asin"', ["transform", "Did you mean 'asinh'"]),
        ("scale = 2.0", "scale = true", ["transforms.y", "scale = True", "number"]),
        ("scale = 2.0", "scale = 0.0", ["transforms.y", "scale"]),
    ],
)
def test_a_bad_recipe_of_a_training(old, new, words, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new, 1))
    data, out = training_set(tmp_path / "set.h5"), tmp_path / "out.h5"
    refused("train", tmp_path / "recipe.toml", "--data", data, "--out", out, words=["recipe.toml", *words])
    assert not out.exists()


def test_an_emulator_that_could_not_be_written_is_not_trained(tmp_path, monkeypatch):
    """An hour of training must not be begun where its end cannot be written."""
    from astroemu_plugins.emulators.neural import NeuralEmulator

    begun = []

    def train(*_, **__):
        begun.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(NeuralEmulator, "train", train)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "file").write_text("")
    data = training_set(tmp_path / "set.h5")
    arguments = ["train", tmp_path / "recipe.toml", "--data", data, "--out"]
    for out in (data, tmp_path / "file" / "out.h5"):
        refused(*arguments, out, words=[str(out.parent)])
    assert not begun
    # A missing folder may be made, or refused: but then at once.
    code, _, message = command(*map(str, arguments), str(tmp_path / "absent" / "out.h5"))
    assert (tmp_path / "absent").is_dir() if begun else (code == 2 and "absent" in message)


def test_figures_into_a_missing_folder(tmp_path, monkeypatch):
    """The folder is made, or its absence is said; no traceback after the work is done."""
    import astroemu.model.benchmark

    row = astroemu.model.benchmark.Timing("numpy", "cpu", 1, 1.0, 1.0, 0.1, 0.1, 1.0, 0.0, 3)
    found = (astroemu.model.benchmark.Peak(1e11, 5e10), [row])
    monkeypatch.setattr(astroemu.model.benchmark, "bench_model", lambda *_, **__: found)
    out = tmp_path / "absent" / "bench.json"
    code, _, message = command("bench", "--batch", "1", "--out", str(out))
    assert out.exists() if code == 0 else (code == 2 and "absent" in message)


def test_simulations_that_do_not_fit(tmp_path):
    data = training_set(tmp_path / "set.h5")
    refused("validate", "acg", "--data", data, words=["'a', 'b'", "'log10_l_x'"])
    (tmp_path / "none.h5").write_text("no HDF5")
    refused("validate", "acg", "--data", tmp_path / "none.h5", words=["none.h5"])
    refused("validate", "agc", "--data", data, words=["Did you mean 'acg'"])


def test_report_of_what_is_no_run(tmp_path):
    refused("report", tmp_path / "absent", words=["absent", "finished run"])
    (tmp_path / "samples.h5").write_text("no samples")
    refused("report", tmp_path, words=[str(tmp_path), "summary.json"])
