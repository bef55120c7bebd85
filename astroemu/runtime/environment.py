"""What is here, and what is wrong with it: the environment in which astroemu runs.

Nothing that may be broken is imported into this process. Versions are read from metadata; what only
shows when a library is loaded (TensorFlow's devices, the MPI run-time) is asked of a process of its
own, which may crash or hang without harm. (A process of an MPI job has to ask for MPI itself.)
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from astroemu.errors import PluginError
from astroemu.runtime.mpi import launched, processes
from astroemu.runtime.plugins import GROUPS, SAMPLERS

State = Literal["ok", "absent", "failed"]
_DISTRIBUTION = "astroemu-inference"
_TIMEOUT_S = 60
_LEAST_FREE_GIB = 1.0
_TENSORFLOW = """
import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
devices = [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices()]
print(f"{tf.__version__}, devices {', '.join(devices)}")
"""
_JAX = "import jax; print(f\"{jax.__version__}, devices {', '.join(map(str, jax.devices()))}\")"
_MPI = """
from mpi4py import MPI
import mpi4py
print(f"mpi4py {mpi4py.__version__}, {MPI.Get_library_version().split(chr(10))[0].strip(chr(0))}")
"""
_PAIR = """
print("begun", flush=True)
from mpi4py import MPI
print("sees", MPI.COMM_WORLD.Get_size(), flush=True)
"""
_OTHER = "Use the mpiexec of the MPI that mpi4py finds, or have it find another one by MPI4PY_LIBMPI"


@dataclass(frozen=True)
class EnvironmentFinding:
    """One line: the part, what it is, its state, and the version or the reason."""

    part: str
    name: str
    state: State
    detail: str


def examine() -> Iterator[EnvironmentFinding]:
    """Yield what is found, part by part; the slow ones come as they are ready."""
    yield EnvironmentFinding("Python", "interpreter", "ok", f"{platform.python_version()}, {sys.executable}")
    yield EnvironmentFinding("Python", "system", "ok", f"{platform.system()} {platform.machine()}")
    yield from _packages()
    yield _asked("Libraries", "tensorflow", _TENSORFLOW)
    yield _asked("Libraries", "jax", _JAX)
    if launched() > 1:
        yield _job()
    else:
        yield (mpi := _mpi())
        if mpi.state == "ok":
            yield _mpiexec()
    yield from _components()
    yield _threads()
    yield from _places()
    yield from _plugins()


def _packages() -> Iterator[EnvironmentFinding]:
    """Every requirement of the distribution and of its extras."""
    seen = set()
    for line in sorted(requires(_DISTRIBUTION) or [], key=str.lower):
        wanted, _, marker = line.partition(";")
        name = wanted.strip()
        for sign in "[<>=!~ ":
            name = name.partition(sign)[0]
        if name in seen:
            continue
        seen.add(name)
        try:
            yield EnvironmentFinding("Packages", name, "ok", f"{version(name)} ({wanted.strip()})")
        except PackageNotFoundError:
            extra = marker.partition("extra ==")[2].strip(" '\"")
            yield EnvironmentFinding("Packages", name, "absent" if extra else "failed", _install(extra, wanted.strip()))


def _install(extra: str, wanted: str) -> str:
    return f"optional: pip install '{_DISTRIBUTION}[{extra}]'" if extra else f"needed: pip install '{wanted}'"


def _asked(part: str, name: str, code: str) -> EnvironmentFinding:
    """Ask a process of its own; absent where the module is, failed where it is there and does not load."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return EnvironmentFinding(part, name, "failed", f"importing it took more than {_TIMEOUT_S} s")
    if done.returncode == 0:
        return EnvironmentFinding(part, name, "ok", done.stdout.strip().splitlines()[-1])
    said = (done.stderr or done.stdout).strip().splitlines() or [f"ended by signal or exit code {done.returncode}"]
    absent = said[-1].startswith("ModuleNotFoundError") and f"'{name}'" in said[-1]
    return EnvironmentFinding(part, name, "absent" if absent else "failed", said[-1])


def _mpi() -> EnvironmentFinding:
    """mpi4py comes without a run-time: a machine that has none is not ill."""
    found = _asked("Libraries", "mpi4py", _MPI)
    if found.state == "failed" and ("libmpi" in found.detail or "MPI library" in found.detail):
        remedy = "no MPI run-time; load that of your cluster, or pip install mpich"
        return EnvironmentFinding("Libraries", "mpi4py", "absent", f"{remedy} ({found.detail})")
    return found


def _mpiexec() -> EnvironmentFinding:
    """The launcher that a job would have: whether two processes that it starts see each other."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if found is None:
        absent = "the command to start MPI jobs: of your cluster, or pip install mpich"
        return EnvironmentFinding("Libraries", "mpiexec", "absent", absent)
    try:
        done = subprocess.run(  # noqa: S603 - the launcher on the path, our own interpreter and our own text
            [found, "-n", "2", sys.executable, "-c", _PAIR],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
        out, lines = done.stdout, (done.stderr or done.stdout).splitlines()
        said = next((line.strip() for line in reversed(lines) if line.strip("- ")), f"exit code {done.returncode}")
    except subprocess.TimeoutExpired:
        out, said = "", f"it took more than {_TIMEOUT_S} s"
    if "sees 2" in out:
        return EnvironmentFinding("Libraries", "mpiexec", "ok", f"{found}, of the MPI that mpi4py finds")
    if "begun" not in out:  # as on the login node of a cluster, or for root
        return EnvironmentFinding("Libraries", "mpiexec", "absent", f"{found} cannot start two processes here ({said})")
    wrong = "its processes each see one" if "sees 1" in out else said
    return EnvironmentFinding(
        "Libraries", "mpiexec", "failed", f"{found} is of another MPI than mpi4py finds ({wrong}). {_OTHER}"
    )


def _job() -> EnvironmentFinding:
    """The MPI job that this process belongs to; a process of its own could not take part in it."""
    try:
        everyone = processes()
    except PluginError as error:
        return EnvironmentFinding("Libraries", "mpi4py", "failed", str(error))
    from mpi4py import MPI

    library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
    return EnvironmentFinding("Libraries", "mpi4py", "ok", f"{everyone.size} processes that see each other, {library}")


def _components() -> Iterator[EnvironmentFinding]:
    """Libraries that samplers need and no package brings; they are looked for, not loaded."""
    for name in SAMPLERS.entries:
        try:
            component = SAMPLERS.load(name).component()
        except PluginError:  # said below, among the plugins
            continue
        if component is not None:
            state: State = "ok" if component.found else "absent"
            detail = component.found or f"the sampler {name!r} needs it: {component.remedy}"
            yield EnvironmentFinding("Libraries", component.name, state, detail)


def _threads() -> EnvironmentFinding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    stated = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    return EnvironmentFinding("Machine", "threads", "ok", f"{usable} cores; {stated or 'no limit in the environment'}")


def _places() -> Iterator[EnvironmentFinding]:
    """The folders that are written to."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name, folder in (("runs", Path.cwd()), ("temporary", Path(tempfile.gettempdir())), ("cache", cache)):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 2**30
        if not os.access(folder, os.W_OK):
            yield EnvironmentFinding("Machine", name, "failed", f"{folder} cannot be written to")
        elif free < _LEAST_FREE_GIB:
            yield EnvironmentFinding("Machine", name, "failed", f"{folder}: only {free:.2f} GiB are free")
        else:
            yield EnvironmentFinding("Machine", name, "ok", f"{folder}, {free:.0f} GiB free")


def _plugins() -> Iterator[EnvironmentFinding]:
    """Load every plugin; each failure has the message that its use would have."""
    for group in GROUPS:
        for name, same in group.entries.items():
            owners = ", ".join(f"{e.dist.name} {e.dist.version}" if e.dist else "?" for e in same)
            load: Callable[[str], object] = group.load
            try:
                load(name)
                yield EnvironmentFinding(group.plural, name, "ok", owners)
            except PluginError as error:
                yield EnvironmentFinding(group.plural, name, "failed", str(error))
