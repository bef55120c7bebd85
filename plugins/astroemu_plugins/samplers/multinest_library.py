"""The library of MultiNest: where it is, what it is, and whether it can be used.

It is searched for in three places: at the path in ``ASTROEMU_MULTINEST`` if that is set, in the folder of the Python
environment into which ``astroemu install multinest`` puts it, and last by the dynamic loader of the system.

A library can crash the process that loads it. It is therefore tried in a process of its own, and what it says about
itself is read from its bytes.
"""

from __future__ import annotations

import ctypes.util
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from astroemu.sampling.sampler import SystemLibrary

#: The distribution that carries the source, its version, and the version that MultiNest states there.
DISTRIBUTION, RELEASE, VERSION = "cosmosis", "3.26", "3.10"
#: What a library that astroemu built says about itself. The number counts changes of the wrapper and of the options.
SOURCE = f"MultiNest {VERSION} of {DISTRIBUTION} {RELEASE}, build 1"
#: The first version whose ``run`` has today's arguments.
_OLDEST = (3, 0)
_NAME = "libmultinest"
_INSTALL = "run `astroemu install multinest`, which builds it from its source"
_REMEDY = (
    f"{_INSTALL}. Or use conda-forge's multinest, and set ASTROEMU_MULTINEST to libmultinest.so unless the dynamic "
    "loader finds it"
)
_TIMEOUT_S = 60
#: Loads a library, and prints where it is.
_TRY = """
import ctypes, sys
path = sys.argv[1]
try:
    getattr(ctypes.CDLL(path), "run")
except AttributeError:
    sys.exit("it has no function `run`: it is another library, or a MultiNest before 3.0")
except OSError as error:
    sys.exit(f"it cannot be loaded ({error})")
try:
    loaded = [line.split(maxsplit=5)[-1].strip() for line in open("/proc/self/maps")]
except OSError:
    loaded = []
print(next((file for file in loaded if path in file), path))
"""
#: Machines by the number in the header of an ELF file.
_MACHINES = {0x03: "x86", 0x15: "ppc64", 0x16: "s390x", 0x28: "arm", 0x3E: "x86-64", 0xB7: "aarch64", 0xF3: "riscv"}


def located() -> SystemLibrary:
    """Return the library that the sampler uses."""
    stated = os.environ.get("ASTROEMU_MULTINEST")
    if stated is not None:
        path = Path(stated) / f"{_NAME}.so" if Path(stated).is_dir() else Path(stated)
        if not path.is_file():
            return SystemLibrary(_NAME, None, f"ASTROEMU_MULTINEST = {stated}, but there is no such library; {_REMEDY}")
        remedy = f"set ASTROEMU_MULTINEST to another library; or unset it, and {_INSTALL}"
        return _described(str(path), "named by ASTROEMU_MULTINEST", remedy)
    if installed_path().is_file():
        return installed()
    found = ctypes.util.find_library("multinest")
    if found is None:
        return SystemLibrary(_NAME, None, _REMEDY)
    return _described(found, "found by the dynamic loader", f"{_INSTALL} and is found first")


def installed_path() -> Path:
    """Return the path at which ``astroemu install multinest`` puts the library."""
    return Path(sys.prefix) / "lib" / "astroemu" / f"{_NAME}.so"


def installed() -> SystemLibrary:
    """Return the library that ``astroemu install multinest`` has put into this Python environment."""
    path, remedy = installed_path(), "run `astroemu install multinest` again"
    if not path.is_file():
        return SystemLibrary(_NAME, None, _REMEDY)
    library = _described(str(path), "installed by `astroemu install multinest`", remedy)
    built = built_from(path)
    if not library.fault and built != SOURCE:
        fault = f"it was built from another source ({built or 'unknown'}) than this version of astroemu uses ({SOURCE})"
        return SystemLibrary(_NAME, library.found, remedy, library.about, fault)
    return library


def _described(found: str, origin: str, remedy: str) -> SystemLibrary:
    path, fault = tried(found)
    about = ", ".join(filter(None, [_version_words(path), origin]))
    return SystemLibrary(_NAME, path, remedy, about, fault)


def tried(library: str) -> tuple[str, str]:
    """Return the path of a library, and why it cannot be used: empty if it can.

    Parameters
    ----------
    library : str
        Path, or name for the dynamic loader.
    """
    try:
        known = Path(library).stat()
    except OSError:
        return _tried(library, None)
    return _tried(library, (known.st_ino, known.st_size, known.st_mtime_ns))


@lru_cache(maxsize=8)
def _tried(library: str, _identity: tuple[int, ...] | None) -> tuple[str, str]:
    other = _other_machine(library)
    if other:
        return library, other
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-I", "-S", "-c", _TRY, library],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return library, f"loading it took more than {_TIMEOUT_S} s"
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return library, said[-1] if done.returncode > 0 and said else f"loading it ended with {done.returncode}"
    path = done.stdout.strip()
    version = _version(path)
    if version is not None and version < _OLDEST:
        return path, f"it is MultiNest {version[0]}.{version[1]}, and 3.0 or later is needed"
    return path, ""


def _other_machine(library: str) -> str:
    """Return that a library is for another machine than this Python; empty if it is not, or if that is not known.

    The dynamic loader says of such a file that it does not exist.
    """
    ours, theirs = _elf(sys.executable), _elf(library)
    if ours is None or theirs is None or ours == theirs:
        return ""
    return f"it is of another architecture ({_machine(theirs)}) than this Python ({_machine(ours)})"


def _elf(path: str) -> tuple[int, bytes] | None:
    """Return the width and the machine in the header of an ELF file; None if it is no such file."""
    head = _bytes(path, 20)
    return (head[4], head[18:20]) if len(head) == 20 and head.startswith(b"\x7fELF") else None


def _machine(elf: tuple[int, bytes]) -> str:
    width, machine = elf
    number = int.from_bytes(machine, sys.byteorder)
    return f"{_MACHINES.get(number, f'machine {number}')}, {32 * width} bit"


def _version_words(path: str) -> str:
    version = _version(path)
    return f"MultiNest {version[0]}.{version[1]}" if version else "of unknown version"


def _version(path: str) -> tuple[int, int] | None:
    """Return the version that MultiNest prints when it starts, from the bytes of the library."""
    found = re.search(rb"MultiNest v(\d{1,3})\.(\d{1,3})", _bytes(path))
    return (int(found[1]), int(found[2])) if found else None


def built_from(path: str | Path) -> str | None:
    """Return the source that the bytes of a library name; None if astroemu did not build it."""
    found = re.search(rb"astroemu: ([ -~]{1,200})\0", _bytes(path))
    return found[1].decode() if found else None


def _bytes(path: str | Path, most: int = 64 << 20) -> bytes:
    """Return the first bytes of a file; none if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(most)
    except OSError:
        return b""
