"""From an empty folder, as a stranger would: write a plugin, install it, list it, check it, use it.

Nothing in the engine is touched. The plugins are installed by pip, editable and offline, into an
environment of their own that sees the packages of this one.
"""

from __future__ import annotations

import json

import pytest
from helpers import command
from stranger import Stranger, engine, installable

from astroemu.cli.scaffold import KINDS, write_plugin
from astroemu.errors import ConfigurationError, RunFolderError

NAMES = {"probe": "my_probe", "emulator": "my_emulator", "simulator": "my_history", "sampler": "my_sampler"}
QUICK = ("--set", "samplers.emcee.max_steps=300", "--set", "samplers.emcee.starting_draws=1000")
#: Commands in one process, given as JSON; their exit codes and what they print come back as JSON.
COMMANDS = """
import contextlib, io, json, sys
import astroemu.runtime.environment as environment
from astroemu.cli import main

environment._TENSORFLOW_CODE = environment._JAX_CODE = "print(1)"  # the doctor, without what takes seconds to load
found = []
for words in json.loads(sys.argv[1]):
    out, sys.argv, code = io.StringIO(), ["astroemu", *words], 0
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    found.append((code, out.getvalue()))
print(json.dumps(found))
"""


def commands(stranger, *words):
    """Run commands of astroemu in one process of the stranger: exit code and standard output of each."""
    return json.loads(stranger.run("-c", COMMANDS, json.dumps(words)).splitlines()[-1])


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    installable()
    before = engine()
    made = Stranger(tmp_path_factory.mktemp("stranger"))
    folders = [f"astroemu-{name.replace('_', '-')}" for name in NAMES.values()]
    for (code, said), folder in zip(commands(made, *(("new", *pair) for pair in NAMES.items())), folders, strict=True):
        assert code == 0 and f"pip install -e {folder}" in said
    made.install(*folders)
    yield made
    assert engine() == before


@pytest.fixture(scope="module")
def listed_and_checked(stranger):
    """What `list`, and `check` of each plugin, print."""
    (code, said), *checked = commands(stranger, ("list",), *(("check", name) for name in NAMES.values()))
    assert code == 0
    return said, dict(zip(NAMES.values(), checked, strict=True))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("probe", "change the likelihood and `simulate` together"),
        ("sampler", "It is plain importance sampling: put your algorithm into `run`"),
        ("simulator", "raise `version` with every change"),
        ("emulator", "Put your method into `train` and `evaluator`"),
    ],
)
def test_the_readme_says_what_the_code_is_and_what_to_replace(tmp_path, kind, words):
    written = write_plugin(kind, "mine", tmp_path / kind)
    text = "".join(path.read_text() for path in written)
    readme = (tmp_path / kind / "README.md").read_text()
    assert words in readme and "`astroemu_mine/__init__.py`" in readme
    assert "@" not in readme and "@name@" not in text and "@package@" not in text


def test_they_are_listed(listed_and_checked):
    said, _ = listed_and_checked
    for name in NAMES.values():
        assert f"  {name} " in said and f"astroemu-{name.replace('_', '-')} 0.1.0" in said


@pytest.mark.parametrize("name", NAMES.values())
def test_they_pass_the_kit(listed_and_checked, name):
    code, said = listed_and_checked[1][name]
    assert code == 0 and "failed" not in said and f"{name!r}" in said


SLOW = pytest.mark.slow


@pytest.mark.parametrize("name", ["my_probe", *(pytest.param(n, marks=SLOW) for n in list(NAMES.values())[1:])])
def test_their_own_tests_pass(stranger, name):
    folder = f"astroemu-{name.replace('_', '-')}"
    said = stranger.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", f"{folder}/pyproject.toml", folder)
    assert "2 passed" in said


@pytest.fixture(scope="module")
def fitted(stranger):
    """A fit of three of the examples, each in the folder of its kind. One process makes all of them."""
    fits = {kind: ["fit", f"astroemu-my-{name}/example.toml", "--out", kind, "--no-report"] for kind, name in (
        ("probe", "probe"), ("simulator", "history"), ("sampler", "sampler"))}  # fmt: skip
    for kind in ("probe", "simulator"):
        fits[kind] += QUICK
    for code, said in commands(stranger, *fits.values()):
        assert code == 0, said


@pytest.mark.usefixtures("fitted")
def test_a_joint_fit_includes_the_probe(stranger):
    summary = json.loads((stranger.folder / "probe" / "summary.json").read_text())
    assert set(summary["best_log_likelihood"]) == {"my_probe", "optical_depth"}
    assert "my_probe_shift" in summary["parameters"] and "catalog my_probe" in summary["inputs"]


@pytest.mark.slow
def test_the_default_fit_takes_the_probe_by_one_override(stranger):
    stranger.astroemu("fit", "--set", "probes.my_probe={}", "--out", "default", "--no-report", *QUICK)
    summary = json.loads((stranger.folder / "default" / "summary.json").read_text())
    assert len(summary["best_log_likelihood"]) == 5 and "my_probe_shift" in summary["parameters"]


@pytest.mark.usefixtures("fitted")
def test_a_fit_runs_on_the_simulator(stranger):
    summary = json.loads((stranger.folder / "simulator" / "summary.json").read_text())
    assert 6.0 < summary["parameters"]["z_mid"]["mean"] < 8.0


@pytest.mark.usefixtures("fitted")
def test_a_fit_runs_with_the_sampler(stranger):
    summary = json.loads((stranger.folder / "sampler" / "summary.json").read_text())
    assert summary["sampler"] == "my_sampler" and summary["converged"] and summary["log_evidence"] < 0


@pytest.mark.slow
def test_the_kind_of_emulator_trains_from_the_command_line(stranger):
    recipe = "astroemu-my-emulator/example.toml"
    stranger.astroemu("simulate", recipe, "--out", "set.h5")
    stranger.astroemu("train", recipe, "--data", "set.h5", "--out", "my_emulator.h5")
    assert (stranger.folder / "my_emulator.h5").stat().st_size > 1000


def test_a_broken_plugin_breaks_only_itself(stranger):
    """Broken, missing, doubled, wrong-typed: each has its own message, and all else goes on."""
    packages = next((stranger.python.parents[1] / "lib").glob("python*/site-packages"))
    for name, entry in (
        ("raises", "astroemu_raises:X"),
        ("wrong", "json:JSONDecoder"),
        ("gone", "no_such_module:X"),
        ("my_probe", "json:JSONEncoder"),
    ):
        info = packages / f"bad_{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[astroemu.probes]\n{name} = {entry}\n")
    (packages / "astroemu_raises.py").write_text("raise SystemExit('libnothing.so is not here')")
    try:
        (_, listed), (ill, doctor), (bad, raises), (good, other), (fitted, _) = commands(
            stranger,
            ("list",),
            ("doctor",),
            ("check", "raises"),
            ("check", "optical_depth"),
            ("fit", "astroemu-my-history/example.toml", "--out", "still", "--no-report", *QUICK),
        )
        assert "my_probe" in listed and "(doubled: uninstall one)" in listed
        for message in (
            "SystemExit: libnothing.so is not here",
            "not a subclass of astroemu.Probe",
            "No module named 'no_such_module'",
            "uninstall one of them",
        ):
            assert message in doctor
        assert ill != 0 and bad != 0 and "failed" in raises
        assert good == 0 and "failed" not in other
        assert fitted == 0 and (stranger.folder / "still" / "summary.json").exists()
    finally:
        for info in packages.glob("bad_*"):
            (info / "entry_points.txt").unlink()


@pytest.mark.parametrize("name", ["My_probe", "2probes", "class", "my-probe", "", "../x"])
def test_a_bad_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="no name for a plugin"):
        write_plugin("probe", name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_name_that_is_taken_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="installed already"):
        write_plugin("sampler", "emcee", tmp_path / "new")


def test_an_unknown_kind_is_refused(tmp_path):
    code, _, error = command("new", "prob", "x", "--out", str(tmp_path / "new"))
    assert code == 2 and all(kind in error for kind in KINDS)


def test_a_folder_in_use_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="nothing was changed"):
        write_plugin("probe", "other", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
