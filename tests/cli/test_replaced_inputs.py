"""Every command that goes on from stored work refuses when one of its inputs was replaced between two calls.

Each command is interrupted once, with some work in its folder. It then goes on with one input replaced: it must name
the input, and write nothing. Inputs of the same meaning (a comment, a default, another path) are accepted.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from helpers import command

import astroemu.validation.sbc
from astroemu.emulation.simulation import _simulator
from astroemu.io.lock import alone
from astroemu.runtime import plugins

SIMULATOR = """
import numpy as np
from astroemu import Observable, Parameter, Simulator
from astroemu.core.distributions import Uniform

left = [10**6]  # blocks until a KeyboardInterrupt

class Depth(Simulator):
    parameters = (Parameter("a", Uniform(0.0, 1.0)), Parameter("b", Uniform(0.0, 1.0)))
    version = "1"
    batch = 16
    settings = {}
    provides = {"tau_e": Observable("tau_e")}

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def simulate(self, theta):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return {"tau_e": 0.02 + self.scale * theta[:, 0] * np.sqrt(theta[:, 1] + 0.01)}
"""
KIND = """
from astroemu_plugins.emulators.polynomial import PolynomialEmulator

left = [10**6]

class Patient(PolynomialEmulator):
    kind = "patient"

    @classmethod
    def resolved(cls, settings):
        return {"degree": 4, **settings}

    @classmethod
    def train(cls, data, settings, *, folder=None, **how):
        left[0] -= 1
        if folder is not None and left[0] < 0:
            (folder / "half.h5").write_text("weights")
            raise KeyboardInterrupt
        return super().train(data, settings, folder=folder, **how)
"""
BOX = """[parameters]
a = { distribution = "uniform", low = 0.0, high = 1.0 }
b = { distribution = "uniform", low = 0.0, high = 1.0 }
"""
RECIPE = f"""emulator = "patient"
seed = 1
{BOX}
[simulation]
simulator = "depth"
n = 64
seed = 1
options = {{}}

[training]
"""
FIT = f"""title = "A fit"
{BOX}
[emulators.depth]
file = "depth.h5"

[probes.optical_depth]
catalog = "tau.ecsv"

[samplers.emcee]
walkers = 8
max_steps = 100
starting_draws = 200
"""
CATALOG = """# %ECSV 1.0
# ---
# datatype:
# - {name: tau, datatype: float64}
# - {name: err_up, datatype: float64}
# - {name: err_lo, datatype: float64}
# schema: astropy-2.0
tau err_up err_lo
0.0544 0.0073 0.0073
"""
#: The command of each kind of work, and the folder that holds it.
COMMANDS = {
    "simulate": ("simulate recipe.toml --out new.h5", "new.h5.parts"),
    "train": ("train recipe.toml --data set.h5 --reuse depth.h5 --out new.h5", "new.h5.training"),
    "refine": (
        "refine recipe.toml --emulator depth.h5 --data set.h5 --model fit.toml --out work --n 32 --check 32",
        "work",
    ),
    "calibrate": ("calibrate fit.toml --n 10 --out work --simulator depth", "work"),
    "calibrate --simulations": ("calibrate fit.toml --n 10 --out work --simulations set.h5", "work"),
    "check-posterior": ("check-posterior run --simulator depth --out work --n 32", "work"),
}


def interrupted_fit(job):
    """In place of a fit of a calibration: the first one is made at once, and the second one interrupted."""
    if job[2]:
        raise KeyboardInterrupt
    return {"number": job[2], "n_likelihood": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a simulator, a kind of emulator, and a folder ``base`` of what the commands work on."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("world")
        for name, text in (("a_depth.py", SIMULATOR), ("a_kind.py", KIND)):
            (folder / name).write_text(text)
        patch.syspath_prepend(folder)
        for group, name, value in (
            (plugins.SIMULATORS, "depth", "a_depth:Depth"),
            (plugins.EMULATORS, "patient", "a_kind:Patient"),
        ):
            entries = {**group.entries, name: [EntryPoint(name, value, group.name)]}
            patch.setitem(group.__dict__, "entries", entries)
        patch.setattr(astroemu.validation.sbc, "_fit", interrupted_fit)
        base = folder / "base"
        base.mkdir()
        for name, text in (("recipe.toml", RECIPE), ("fit.toml", FIT), ("tau.ecsv", CATALOG)):
            (base / name).write_text(text)
        patch.chdir(base)
        made("simulate recipe.toml --out set.h5", "train recipe.toml --data set.h5 --out depth.h5")
        yield folder
        for name in ("a_depth", "a_kind"):
            sys.modules.pop(name, None)
        _simulator.cache_clear()


def made(*commands):
    for words in commands:
        code, _, said = command(*words.split())
        assert code == 0, said


def begun(world, kind, monkeypatch):
    """Return the folder with the interrupted work of a command, after interrupting it at the first call."""
    place = world / kind
    if not place.exists():
        monkeypatch.chdir(shutil.copytree(world / "base", place))
        if kind == "check-posterior":
            made("fit fit.toml --no-report --out run")
        assert interrupt(kind, blocks=1) == 130, kind
    return place


def interrupt(kind, blocks, more=""):
    """Run a command that is interrupted after some blocks, or in its first training; return its exit code."""
    import a_depth
    import a_kind

    a_depth.left[0], a_kind.left[0] = blocks, 0
    try:
        return command(*f"{COMMANDS[kind][0]} {more}".split())[0]
    finally:
        a_depth.left[0] = a_kind.left[0] = 10**6


def state(folder):
    """Return the SHA-256 of every file below a folder."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def replace(name, old, new):
    """Return a change that replaces a text in a file."""

    def change():
        text = Path(name).read_text()
        assert old in text
        Path(name).write_text(text.replace(old, new))

    return change


def made_again(old, new, *, train=False, name="set.h5"):
    """Return a change that makes the training set, and perhaps the emulator, again by another recipe."""

    def change():
        Path("other.toml").write_text(RECIPE.replace(old, new))
        Path(name).unlink()
        words = "train other.toml --data set.h5 --out" if train else "simulate other.toml --out"
        assert command(*words.split(), name)[0] == 0

    return change


def fitted_again():
    shutil.rmtree("run")
    assert command("fit", "fit.toml", "--no-report", "--out", "run", "--seed", "2")[0] == 0


def edited(name):
    """Return a change of the code of a plugin, which the test takes back."""
    return replace(f"../{name}.py", "class ", "# a comment\nclass ")


CASES = {
    "simulate": [
        (replace("recipe.toml", "options = {}", "options = { scale = 0.2 }"), "options.scale was 0.1 and is 0.2"),
        (replace("recipe.toml", "n = 64\nseed = 1", "n = 64\nseed = 2"), "design.seed was 1 and is 2"),
        (replace("recipe.toml", "high = 1.0", "high = 0.9"), "parameters.a.high was 1.0 and is 0.9"),
        (edited("a_depth"), "code.source.a_depth was"),
    ],
    "train": [
        (made_again("options = {}", "options = { scale = 0.2 }"), "data was"),
        (replace("recipe.toml", "[training]", "[training]\ndegree = 3"), "training.degree was 4 and is 3"),
        (replace("recipe.toml", "seed = 1\n[param", "seed = 2\n[param"), "seed was 1 and is 2"),
        (made_again("[training]", "[training]\ndegree = 3", train=True, name="depth.h5"), "reuse was"),
        (edited("a_kind"), "code.source.a_kind was"),
    ],
    "refine": [
        (replace("tau.ecsv", "0.0544", "0.0644"), "fit.sha256"),
        (
            replace("fit.toml", "high = 1.0 }\nb", "high = 0.9 }\nb"),
            "fit.configuration.parameters.a.high was 1 and is 0.9",
        ),
        (replace("fit.toml", "max_steps = 100", "max_steps = 200"), "fit.stopping.max_steps was 100 and is 200"),
        (made_again("[training]", "[training]\ndegree = 3", train=True, name="depth.h5"), "emulator"),
        (made_again("options = {}", "options = { scale = 0.2 }"), "data was"),
        (replace("recipe.toml", "options = {}", "options = { scale = 0.2 }"), "simulation.options.scale was 0.1"),
        (replace("recipe.toml", "[training]", "[training]\ndegree = 3"), "training.settings.degree was 4 and is 3"),
        (edited("a_depth"), "code.source.a_depth was"),
        (edited("a_kind"), "code.source.a_kind was"),
        ("--temperature 3", "temperature was 2.0 and is 3.0"),
        ("--seed 2", "seed was 1 and is 2"),
    ],
    "calibrate": [
        (replace("tau.ecsv", "0.0544", "0.0644"), "fit.sha256"),
        (replace("fit.toml", "high = 1.0 }\nb", "high = 0.9 }\nb"), "fit.configuration.parameters.a.high"),
        (replace("fit.toml", "max_steps = 100", "max_steps = 200"), "fit.stopping.max_steps was 100 and is 200"),
        (made_again("[training]", "[training]\ndegree = 3", train=True, name="depth.h5"), "sha256"),
        (edited("a_depth"), "code.source.a_depth was"),
        ("--option scale=0.2", "truth.options.scale was 0.1 and is 0.2"),
        ("--seed 2", "fit.seed was 1 and is 2"),
        ("--draws 99", "draws was 199 and is 99"),
    ],
    "calibrate --simulations": [
        (made_again("options = {}", "options = { scale = 0.2 }"), "truth.simulations was"),
    ],
    "check-posterior": [
        (fitted_again, "samples was"),
        (edited("a_depth"), "code.source.a_depth was"),
        ("--option scale=0.2", "truth.options.scale was 0.1 and is 0.2"),
        ("--seed 2", "seed was 1 and is 2"),
    ],
}
#: The changes that are tried in the fast tests: the first of each of the cheapest commands.
FAST = {("simulate", 0), ("simulate", 3), ("train", 0)}


def cases():
    for kind, changes in CASES.items():
        for i, (change, words) in enumerate(changes):
            marks = () if (kind, i) in FAST else pytest.mark.slow
            yield pytest.param(kind, change, words, id=f"{kind}: {words}", marks=marks)


@pytest.fixture
def work(world, tmp_path, monkeypatch):
    """A function that changes to a copy of the interrupted work of a command."""
    code = {path: path.read_text() for path in world.glob("*.py")}

    def go(kind):
        place = shutil.copytree(begun(world, kind, monkeypatch), world / f"copy {tmp_path.name}", dirs_exist_ok=True)
        monkeypatch.chdir(place)
        return place

    yield go
    for path, text in code.items():
        path.write_text(text)
    _simulator.cache_clear()
    monkeypatch.undo()
    shutil.rmtree(world / f"copy {tmp_path.name}", ignore_errors=True)


@pytest.mark.parametrize(("kind", "change", "words"), list(cases()))
@pytest.mark.attack("stored work", "each input of each command that goes on, replaced between two calls")
def test_a_replaced_input_is_named_and_nothing_is_written(work, kind, change, words):
    place = work(kind)
    more = change if isinstance(change, str) else ""
    if not more:
        change()
        _simulator.cache_clear()
    before = state(place)
    code, _, said = command(*f"{COMMANDS[kind][0]} {more}".split())
    assert code == 2 and words in said, said
    assert COMMANDS[kind][1] in said and state(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_inputs_of_the_same_meaning_go_on(work, kind, monkeypatch):
    place = work(kind)
    moved = place.rename(place.with_name(f"{place.name} moved"))
    monkeypatch.chdir(moved)
    replace("recipe.toml", "options = {}", "options = { scale = 0.1 } # the default")()
    replace("recipe.toml", "[training]", "[training]\ndegree = 4")()
    replace("fit.toml", "walkers = 8", 'move = "mixture" # the default\nwalkers = 8')()
    replace("fit.toml", "A fit", "Another title")()
    try:
        assert interrupt(kind, blocks=0) == 130
    finally:
        shutil.rmtree(moved)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["simulate", "train", "refine", "calibrate", "check-posterior"])
def test_a_change_of_code_is_accepted_knowingly(work, kind):
    place = work(kind)
    edited("a_kind" if kind == "train" else "a_depth")()
    _simulator.cache_clear()
    assert interrupt(kind, 0, "--accept-changed-code") == 130
    notes = [
        path for path in (place / COMMANDS[kind][1]).glob("*.json") if path.name.endswith(("_of.json", "design.json"))
    ]
    assert notes and all("accepted" in path.read_text() for path in notes)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "train" else pytest.mark.slow) for kind in COMMANDS]
)
def test_two_commands_do_not_work_on_one_thing(work, kind):
    place = work(kind)
    before = state(place)
    owned = place / COMMANDS[kind][1].removesuffix(".parts").removesuffix(".training")
    with alone(owned):
        code, _, said = command(*COMMANDS[kind][0].split())
    assert code == 2 and f"{owned.name} is in use by another" in said and state(place) == before, said
