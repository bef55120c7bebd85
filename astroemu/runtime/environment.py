"""Installation check: the environment in which astroemu runs, and its problems.

Libraries that may be broken are not imported into this process. Versions are read from metadata. TensorFlow's devices
and the MPI run-time show only after loading, so a subprocess loads them. It may crash or hang without harm. A process
of an MPI job is the exception: it must load MPI itself.
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
#: Requirements without which a fit, its report and its export work, and what each of them is for (docs/start.md).
_LEFT_OUT = {
    "keras": "the training of networks",
    "tensorflow": "the training of networks, compiled likelihoods and gradients",
    "mpi4py": "jobs of several processes",
    "pymultinest": "the sampler that it wraps",
}
_LEAST_FREE_GIB = 1.0
_TENSORFLOW_CODE = """
import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
devices = [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices()]
print(f"{tf.__version__}, devices {', '.join(devices)}")
"""
_JAX_CODE = "import jax; print(f\"{jax.__version__}, devices {', '.join(map(str, jax.devices()))}\")"
_MPI_CODE = """
from mpi4py import MPI
import mpi4py
print(f"mpi4py {mpi4py.__version__}, {MPI.Get_library_version().split(chr(10))[0].strip(chr(0))}")
"""
_PAIR_CODE = """
print("begun", flush=True)
from mpi4py import MPI
print("sees", MPI.COMM_WORLD.Get_size(), flush=True)
"""
_OTHER_MPI_REMEDY = "Use the mpiexec of the MPI that mpi4py finds, or set MPI4PY_LIBMPI to the library of this one"


@dataclass(frozen=True)
class EnvironmentFinding:
    """One line of the installation check.

    Attributes
    ----------
    part : str
        Heading under which the line is printed, such as "Libraries".
    name : str
    state : str
        "ok", "absent" (not installed, and not required) or "failed".
    detail : str
        Version, or the reason of the problem.
    """

    part: str
    name: str
    state: State
    detail: str


def examine() -> Iterator[EnvironmentFinding]:
    """Yield the findings, part by part. Each is yielded as soon as it is known."""
    yield EnvironmentFinding("Python", "interpreter", "ok", f"{platform.python_version()}, {sys.executable}")
    yield EnvironmentFinding("Python", "system", "ok", f"{platform.system()} {platform.machine()}")
    yield from _packages()
    yield _run_in_subprocess("Libraries", "tensorflow", _TENSORFLOW_CODE)
    yield _run_in_subprocess("Libraries", "jax", _JAX_CODE)
    if launched() > 1:
        yield _check_mpi_job()
    else:
        yield (mpi := _check_mpi4py())
        if mpi.state == "ok":
            yield _check_mpiexec()
    yield from _system_libraries()
    yield _threads()
    yield from _folders()
    yield from _plugins()


def _packages() -> Iterator[EnvironmentFinding]:
    """Yield a finding for every requirement of the distribution and of its extras."""
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
            optional = bool(extra) or name in _LEFT_OUT
            yield EnvironmentFinding(
                "Packages", name, "absent" if optional else "failed", _install(name, extra, wanted.strip())
            )


def _install(name: str, extra: str, wanted: str) -> str:
    if extra:
        return f"optional: pip install '{_DISTRIBUTION}[{extra}]'"
    use = f"left out; for {_LEFT_OUT[name]}" if name in _LEFT_OUT else "required"
    return f"{use}: pip install '{wanted}'"


def _run_in_subprocess(part: str, name: str, code: str) -> EnvironmentFinding:
    """Return what code prints in a subprocess: absent if the module is not installed, failed if it does not load."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return EnvironmentFinding(part, name, "failed", f"its import took more than {_TIMEOUT_S} s")
    if done.returncode == 0:
        return EnvironmentFinding(part, name, "ok", done.stdout.strip().splitlines()[-1])
    output = (done.stderr or done.stdout).strip().splitlines() or [f"ended with signal or exit code {done.returncode}"]
    absent = output[-1].startswith("ModuleNotFoundError") and f"'{name}'" in output[-1]
    return EnvironmentFinding(part, name, "absent" if absent else "failed", output[-1])


def _check_mpi4py() -> EnvironmentFinding:
    """Return the finding on mpi4py. It brings no MPI run-time, so that a missing one counts as absent, not failed."""
    found = _run_in_subprocess("Libraries", "mpi4py", _MPI_CODE)
    if found.state == "failed" and ("libmpi" in found.detail or "MPI library" in found.detail):
        remedy = "no MPI run-time; load the one of your cluster, or pip install mpich"
        return EnvironmentFinding("Libraries", "mpi4py", "absent", f"{remedy} ({found.detail})")
    return found


def _check_mpiexec() -> EnvironmentFinding:
    """Return the finding on the launcher of MPI jobs. Two processes started by it must see each other."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if found is None:
        absent = "the command that starts MPI jobs; load the one of your cluster, or pip install mpich"
        return EnvironmentFinding("Libraries", "mpiexec", "absent", absent)
    try:
        done = subprocess.run(  # noqa: S603 - the launcher on the path, our own interpreter and code
            [found, "-n", "2", sys.executable, "-c", _PAIR_CODE],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
        out, lines = done.stdout, (done.stderr or done.stdout).splitlines()
        reason = next((line.strip() for line in reversed(lines) if line.strip("- ")), f"exit code {done.returncode}")
    except subprocess.TimeoutExpired:
        out, reason = "", f"it took more than {_TIMEOUT_S} s"
    if "sees 2" in out:
        return EnvironmentFinding("Libraries", "mpiexec", "ok", f"{found}, of the MPI that mpi4py finds")
    if "begun" not in out:  # for example on the login node of a cluster, or as root
        return EnvironmentFinding(
            "Libraries", "mpiexec", "absent", f"{found} cannot start two processes here ({reason})"
        )
    wrong = "each process sees only itself" if "sees 1" in out else reason
    return EnvironmentFinding(
        "Libraries",
        "mpiexec",
        "failed",
        f"{found} belongs to another MPI than mpi4py finds ({wrong}). {_OTHER_MPI_REMEDY}",
    )


def _check_mpi_job() -> EnvironmentFinding:
    """Return the finding on the MPI job of this process. A subprocess could not take part in the job."""
    try:
        everyone = processes()
    except PluginError as error:
        return EnvironmentFinding("Libraries", "mpi4py", "failed", str(error))
    from mpi4py import MPI

    library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
    return EnvironmentFinding("Libraries", "mpi4py", "ok", f"{everyone.size} processes that see each other, {library}")


def _system_libraries() -> Iterator[EnvironmentFinding]:
    """Yield a finding for each system library that a sampler needs. It is not loaded into this process."""
    for name in SAMPLERS.entries:
        try:
            component = SAMPLERS.load(name).component()
        except PluginError:  # reported below, among the plugins
            continue
        if component is not None:
            state: State = "absent" if component.found is None else "failed" if component.fault else "ok"
            detail = {
                "ok": ", ".join(filter(None, [component.found, component.about])),
                "absent": f"required by the sampler {name!r}: {component.remedy}",
                "failed": f"{component.found}: {component.fault}; {component.remedy}",
            }[state]
            yield EnvironmentFinding("Libraries", component.name, state, detail)


def _threads() -> EnvironmentFinding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    stated = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    return EnvironmentFinding("Machine", "threads", "ok", f"{usable} cores; {stated or 'no limit in the environment'}")


def _folders() -> Iterator[EnvironmentFinding]:
    """Yield a finding for each folder that astroemu writes to. Each is tried by writing a file."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield _folder("runs", Path.cwd())
    wanted = os.environ.get("TMPDIR")
    if wanted and not Path(wanted).is_dir():
        yield EnvironmentFinding("Machine", "temporary", "failed", f"TMPDIR is {wanted}, which is no folder; create it")
    else:
        yield _folder("temporary", Path(wanted or tempfile.gettempdir()))
    yield _folder("cache", cache)


def _folder(name: str, folder: Path) -> EnvironmentFinding:
    """Return the finding on one folder, or on the first folder above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"tried")
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return EnvironmentFinding("Machine", name, "failed", f"{folder} cannot be written to: {error.strerror}")
    if free < _LEAST_FREE_GIB:
        return EnvironmentFinding("Machine", name, "failed", f"{folder}: only {free:.2f} GiB are free")
    return EnvironmentFinding("Machine", name, "ok", f"{folder}, {free:.0f} GiB free")


def _plugins() -> Iterator[EnvironmentFinding]:
    """Load every plugin and yield a finding for each. A failure has the message that its use would have."""
    for group in GROUPS:
        for name, same in group.entries.items():
            owners = ", ".join(f"{e.dist.name} {e.dist.version}" if e.dist else "?" for e in same)
            load: Callable[[str], object] = group.load
            try:
                load(name)
                yield EnvironmentFinding(group.plural, name, "ok", owners)
            except PluginError as error:
                yield EnvironmentFinding(group.plural, name, "failed", str(error))
