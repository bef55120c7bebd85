"""The environment of another user: an empty folder and a virtual environment, in which pip installs plugins offline."""

from __future__ import annotations

import hashlib
import site
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


class Stranger:
    """An empty folder and a virtual environment that sees the packages of this one."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.folder.mkdir()
        venv.create(folder / "env", with_pip=False, symlinks=True)
        self.python = folder / "env" / "bin" / "python"
        (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
        lines = "; ".join(f"site.addsitedir({path!r})" for path in site.getsitepackages())
        (packages / "here.pth").write_text(f"import site; {lines}\n")

    def run(self, *command, good=True, given=None):
        """Return what Python prints, after checking its exit code; ``given`` is its standard input."""
        done = subprocess.run(
            [str(self.python), *command],
            cwd=self.folder, input=given, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) is good, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def astroemu(self, *arguments, **options):
        """Run a command of astroemu in a process of its own."""
        return self.run("-m", "astroemu", *arguments, **options)

    def install(self, *folders):
        """Install plugins from their folders, with one call of pip."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check", "install"]
        offline = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        offline += [word for folder in folders for word in ("-e", str(folder))]
        subprocess.run([*pip, *offline], cwd=self.folder, check=True, timeout=120, capture_output=True)


def engine():
    """Return a digest of all code of the engine and of the built-in plugins."""
    digest = hashlib.sha256()
    for root in ("astroemu", "probes", "plugins/astroemu_plugins", "catalogs"):
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def installable():
    """Skip where an editable install would need the network."""
    if find_spec("hatchling") is None or find_spec("editables") is None:
        pytest.skip("hatchling and editables are not here: pip install -e '.[test]'")
