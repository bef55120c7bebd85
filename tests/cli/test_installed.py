"""What the project registers: every entry point loads and is of its kind, every example is valid."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import command

from astroemu.core.catalog import Catalog
from astroemu.core.probe import Probe
from astroemu.core.provider import Provider
from astroemu.core.remote_catalog import RemoteCatalog
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.simulator import Simulator
from astroemu.errors import DataError, DoubleCountingWarning
from astroemu.inference.configuration import load_configuration
from astroemu.model.model import Model
from astroemu.runtime.plugins import GROUPS
from astroemu.sampling.sampler import Sampler

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
ENTRIES = [(group, name) for group, entries in PROJECT["entry-points"].items() for name in entries]
KINDS = {
    "astroemu.probes": Probe,
    "astroemu.emulators": Emulator,
    "astroemu.samplers": Sampler,
    "astroemu.simulators": Simulator,
    "astroemu.derived": Provider,
    "astroemu.catalogs": Catalog,
    "astroemu.trained": Path,
    "astroemu.configurations": Path,
    "astroemu.references": Path,
}
BY_NAME = {group.name: group for group in GROUPS}


@contextmanager
def fetched():
    """Data that may not be passed on are missing in a fresh checkout; the error must then name the command."""
    try:
        yield
    except DataError as error:
        if "there is no file" not in str(error):
            raise
        assert "astroemu catalogs fetch" in str(error)


def test_every_group_has_members_and_a_kind():
    assert set(PROJECT["entry-points"]) == set(KINDS) == set(BY_NAME)


@pytest.mark.parametrize(("group", "name"), ENTRIES)
def test_every_entry_point_loads(group, name):
    plugin = BY_NAME[group].load(name)
    if isinstance(plugin, type):
        assert issubclass(plugin, KINDS[group]) and not plugin.__abstractmethods__
        assert plugin.__doc__
    else:
        assert isinstance(plugin, KINDS[group])
    if isinstance(plugin, Path):
        assert plugin.is_file()
    if isinstance(plugin, Catalog):
        assert plugin.name == name
        if isinstance(plugin, RemoteCatalog):
            assert plugin.address and all(len(checksum) == 64 for checksum in plugin.files.values())
        elif isinstance(plugin, WheelCatalog) and not plugin.path.is_file():
            assert plugin.extra and all(len(checksum) == 64 for checksum in plugin.files.values())
        else:
            assert plugin.checksum == plugin.sha256
        assert plugin.reference and plugin.licence and plugin.arxiv


#: They have to be told which likelihood of another package, or which file.
BRIDGES = {"candl", "cobaya", "table"}


@pytest.mark.parametrize(("group", "name"), [e for e in ENTRIES if e[0] == "astroemu.probes" and e[1] not in BRIDGES])
def test_every_probe_runs_without_options(group, name):
    try:
        with fetched():
            probe = BY_NAME[group].load(name)()
            assert probe.requires and probe.catalogs and probe.panels()
    except DataError as error:  # data in the wheel of another package
        assert f"pip install 'astroemu-inference[{name}]'" in str(error)


@pytest.mark.parametrize(("group", "name"), [e for e in ENTRIES if e[0] == "astroemu.samplers"])
def test_every_sampler_is_made_without_options(group, name):
    assert BY_NAME[group].load(name)().name == name


@pytest.mark.parametrize(("group", "name"), [e for e in ENTRIES if e[0] == "astroemu.trained"])
def test_every_trained_emulator_is_read(group, name):
    emulator = load_emulator(name)
    assert emulator.provenance["name"] == name and emulator.citation
    assert set(emulator.bounds) == set(emulator.parameters) and emulator.provides


def test_the_heavy_ones_load_without_what_they_wrap():
    code = (
        "import sys\nfrom astroemu.runtime.plugins import SAMPLERS, SIMULATORS\n"
        "simulator = SIMULATORS.load('21cmemu')\nassert len(simulator.parameters) == 9\n"
        "SAMPLERS.load('ultranest')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'py21cmemu', 'torch', 'ultranest', 'tensorflow'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done.stderr


EXAMPLES = sorted((REPOSITORY / "docs" / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid(path):
    if "simulation" in tomllib.loads(path.read_text()):
        recipe = Recipe(path)
        task = recipe.simulation()
        assert task.n > 0 and set(task.prior.names) == {p.name for p in task.prior.free}
    else:
        configuration = load_configuration(path)
        assert configuration.sampler().name == configuration.document.sampler
        with warnings.catch_warnings(), fetched():
            warnings.simplefilter("ignore", DoubleCountingWarning)
            assert isinstance(configuration.model(), Model)
        for name in configuration.document.samplers:
            assert configuration.sampler(name).name == name


def test_every_example_is_installed_under_its_name():
    assert [path.stem for path in EXAMPLES] == sorted(PROJECT["entry-points"]["astroemu.configurations"])


def test_list_names_every_one():
    code, said, _ = command("list")
    assert code == 0
    for _, name in ENTRIES:
        assert f"  {name}" in said
    assert "doubled" not in said
