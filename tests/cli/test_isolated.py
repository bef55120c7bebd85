"""An installation that nobody may write into, and a machine without a network.

One process runs the commands. A hook of the interpreter refuses it every connection and every change below the
installation, whoever runs the tests (permissions do not hold a superuser back).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import FIT_OF_TAU

REPOSITORY = Path(__file__).parents[2]
FIT = (
    FIT_OF_TAU
    + """
[samplers.emcee]
walkers = 8
max_steps = 30
starting_draws = 100
"""
)
COMMANDS = {
    "list": ["list"],
    "catalogs": ["catalogs", "list"],
    "cite": ["cite", "reionization"],
    "fit": ["fit", "fit.toml", "--out", "run"],
    "report": ["report", "run"],
    "page": ["report", "run", "--html"],
    "export": ["export", "run", "--to", "csv"],
    "rerun": ["rerun", "run"],
    "compare": ["compare", "run", "run-rerun"],
    "mock": ["mock", "fit.toml", "--out", "mock", "--draw"],
    "check-posterior": ["check-posterior", "run", "--n", "3", "--points", "points.h5"],
    "bench": ["bench", "fit.toml", "--engine", "numpy", "--batch", "1"],
    "new": ["new", "probe", "mine"],
    "fetch": ["catalogs", "fetch", "planck2018_plik_lite"],
    "into": ["fit", "fit.toml", "--out", str(REPOSITORY / "docs" / "run")],
}
SCRIPT = """
import contextlib, io, json, os, sys, traceback
from pathlib import Path

installation, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
refused = []

def under(path):
    named = isinstance(path, (str, bytes, os.PathLike))
    return named and Path(os.fsdecode(path)).absolute().is_relative_to(installation)

def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise OSError(101, "Network is unreachable")
    writes = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.truncate": 1, "os.symlink": 2}
    touched = arguments[: writes.get(event, 0)]
    if event == "open" and (set("wax+") & set(arguments[1] or "") or arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        touched = arguments[:1]
    for path in touched:
        if under(path):
            if "__pycache__" not in os.fsdecode(path):  # Python itself tries, and goes on
                refused.append(f"{event} {path}")
            raise PermissionError(13, "Permission denied", os.fsdecode(path))

from astroemu.cli import main
import astroemu.model.benchmark
astroemu.model.benchmark._SECONDS = 0.01
sys.addaudithook(hook)
done = {}
for name, words in commands.items():
    out, err, sys.argv, code = io.StringIO(), io.StringIO(), ["astroemu", *words], 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code = traceback.format_exc()
    done[name] = {"code": code, "out": out.getvalue(), "err": err.getvalue(), "refused": list(refused)}
    refused.clear()
loaded = sorted({"tensorflow", "keras", "jax", "torch"} & set(sys.modules))
done["loaded"] = loaded
Path("done.json").write_text(json.dumps(done))
"""


def installed():
    """Every file of the installation with its size and the time of its last change."""
    roots = ("astroemu", "probes", "plugins", "catalogs", "docs")
    files = (path for root in roots for path in (REPOSITORY / root).rglob("*"))
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What became of every command."""
    folder = tmp_path_factory.mktemp("isolated")
    (folder / "fit.toml").write_text(FIT)
    before = installed()
    job = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(REPOSITORY), json.dumps(COMMANDS)],
        cwd=folder, env={**os.environ, "ASTROEMU_CACHE": str(folder / "cache")}, timeout=500, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert job.returncode == 0, job.stderr
    assert installed() == before
    return json.loads((folder / "done.json").read_text())


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("fetch", "into")])
def test_it_works_without_a_network_on_an_installation_that_is_read_only(done, command):
    assert done[command]["code"] == 0, (done[command]["code"], done[command]["err"])
    assert done[command]["refused"] == []


def test_none_of_these_commands_loads_a_library_of_training_or_compiling(done):
    assert done["loaded"] == []


def test_a_run_into_the_installation_is_refused(done):
    found = done["into"]
    assert found["refused"] == [f"os.mkdir {REPOSITORY / 'docs' / 'run'}"]  # so the hook does what it should
    assert found["code"] == 2 and "Permission denied" in found["err"] and "Traceback" not in found["err"]


def test_a_fetch_says_what_failed_and_what_to_do(done):
    found = done["fetch"]
    assert found["code"] == 2 and "cannot download" in found["err"] and "Network is unreachable" in found["err"]
    assert "`astroemu catalogs fetch planck2018_plik_lite --from FOLDER`" in found["err"]
    assert "Traceback" not in found["err"] and found["refused"] == []
