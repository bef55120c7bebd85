"""A wheel in a clean environment: no checkout, and no library that trains or compiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from stranger import REPOSITORY, installable

#: What is left out of the environment: the checkout, and the libraries of training and of the compiled engine.
LEFT_OUT = ("astroemu", "_editable", "__editable__", "tensorflow", "keras", "jax", "flax", "numpyro", "torch")


class CleanEnvironment:
    """An environment with a wheel of astroemu and links to its dependencies, and an empty folder."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.folder.mkdir()
        venv.create(folder / "env", with_pip=False, symlinks=True)
        self.bin = folder / "env" / "bin"
        (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
        for item in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if not item.name.lower().startswith(LEFT_OUT):
                (packages / item.name).symlink_to(item)
        offline = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
        self.pip("wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY))
        (wheel,) = folder.glob("*.whl")
        self.pip("--python", str(self.bin / "python"), "install", *offline, str(wheel))

    def pip(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    def run(self, *command):
        """Run a program of the environment in the empty folder."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KERAS_BACKEND")}
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    installable()
    return CleanEnvironment(tmp_path_factory.mktemp("wheel"))


def test_the_checkout_is_not_on_its_path(clean):
    done = clean.run(
        "python", "-c", "import astroemu, astroemu_probes; print(astroemu.__file__, astroemu_probes.__file__)"
    )
    assert done.returncode == 0 and str(REPOSITORY) not in done.stdout.replace(str(clean.folder.parent), ""), done


def test_every_entry_point_loads_or_names_what_is_missing(clean):
    script = """
from astroemu.errors import PluginError
from astroemu.runtime.plugins import GROUPS
n = 0
for group in GROUPS:
    for name in group.names:
        member = group.load(name)
        if not group.is_class and hasattr(member, "is_file"):
            assert member.is_file(), (group.name, name, member)
        n += 1
print(n)
"""
    done = clean.run("python", "-c", script)
    assert done.returncode == 0 and int(done.stdout) > 50, done.stderr


def test_the_default_fit_runs(clean):
    short = ["--set", "samplers.emcee.max_steps=40", "--set", "samplers.emcee.starting_draws=500"]
    done = clean.run("astroemu", "fit", "--out", "run", *short, "--set", "samplers.emcee.walkers=32", "--no-report")
    assert done.returncode == 0, done.stderr
    assert {"samples.h5", "summary.json"} <= {path.name for path in (clean.folder / "run").iterdir()}


#: Runs commands in one process and prints the exit code and the message of each.
REFUSED = """
import contextlib, io, json, sys
from astroemu.cli import main

found = []
for words in json.loads(sys.argv[1]):
    error, sys.argv, code = io.StringIO(), ["astroemu", *words], 0
    with contextlib.redirect_stderr(error):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    found.append((code, error.getvalue()))
print(json.dumps(found))
"""


@pytest.mark.slow
def test_what_needs_a_compiler_says_what_is_missing(clean):
    commands = {
        ("maximize", "galaxies"): "'jax', 'tensorflow'",
        ("fit", "galaxies", "--engine", "keras", "--out", "none"): "'jax', 'tensorflow'",
        ("fit", "galaxies", "--sampler", "nuts", "--out", "none"): "pip install 'astroemu-inference[nuts]'",
    }
    done = clean.run("python", "-c", REFUSED, json.dumps(list(commands)))
    for (code, said), word in zip(json.loads(done.stdout.splitlines()[-1]), commands.values(), strict=True):
        assert code == 2 and word in said and "Traceback" not in said, said
    assert not (clean.folder / "none").exists()


def test_a_training_says_what_is_missing(clean):
    (clean.folder / "recipe.toml").write_text(RECIPE)
    script = """
import numpy as np
from astroemu import Observable, TrainingSet
theta = np.random.default_rng(1).random((400, 1))
metadata = {"parameters": {"x": {"low": 0.0, "high": 1.0}}}
TrainingSet(("x",), theta, {"y": Observable("y")}, {"y": theta[:, 0] ** 2}, metadata).save("set.h5")
"""
    assert clean.run("python", "-c", script).returncode == 0
    done = clean.run("astroemu", "train", "recipe.toml", "--data", "set.h5", "--out", "emulator.h5")
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "keras" in done.stderr and "pip install" in done.stderr
    assert not (clean.folder / "emulator.h5").exists()


RECIPE = """
[parameters]
x = { distribution = "uniform", low = 0.0, high = 1.0 }
[training]
validation_points = 50
test_points = 50
[training.networks.all]
outputs = ["y"]
hidden = [4]
epochs = 1
batch_size = 50
"""
