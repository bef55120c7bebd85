"""Provenance of a file or a run: date, machine, versions and inputs.

Every file that astroemu writes contains one such block. JSON documents have it under the key ``provenance``, HDF5
files in the attribute ``provenance``.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from astroemu.runtime.mpi import cores, launched

_PACKAGES = (
    "astroemu-inference", "numpy", "scipy", "h5py", "astropy", "emcee", "ultranest", "nautilus-sampler", "numpyro",
    "keras", "tensorflow", "jax",
)  # fmt: skip
#: Environment variable. Any value except an empty one and 0 leaves the name of this machine out of all files.
NO_HOST = "ASTROEMU_NO_HOST"
#: Environment variable with the seconds since 1970 to use as the date, so that files can be made again bit-identical.
EPOCH = "SOURCE_DATE_EPOCH"


def provenance(*, engine: str | None = None, inputs: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the provenance block of a file.

    Parameters
    ----------
    engine : str, optional
        Name of the engine that evaluated the likelihood, if there was one.
    inputs : mapping of str to str, optional
        SHA-256 of each input, by name.

    Returns
    -------
    dict
        ``date`` (UTC), ``engine``, ``host``, ``platform``, ``processes`` (of the MPI job), ``threads``, ``versions``,
        ``inputs``. There is no ``host`` if ``ASTROEMU_NO_HOST=1`` is set, and no ``engine`` if none was used.
    """
    used = {} if engine is None else {"engine": engine}
    return {
        "date": utc(),
        **used,
        **machine(),
        "versions": versions(),
        "inputs": dict(inputs or {}),
    }


def utc() -> str:
    """Return the date and the time in UTC, or those of ``SOURCE_DATE_EPOCH`` if that is set."""
    seconds = os.environ.get(EPOCH, "")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds) if seconds.isdigit() else None))


def machine() -> dict[str, Any]:
    """Return the ``host``, the ``platform``, the number of MPI ``processes`` and the ``threads`` per process."""
    return without_host(
        {"host": platform.node(), "platform": platform.platform(), "processes": launched(), "threads": cores()}
    )


def without_host(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance block, without its host if ``ASTROEMU_NO_HOST`` is set. It may come from an older file."""
    left_out = {"host"} if os.environ.get(NO_HOST, "") not in ("", "0") else set()
    return {key: value for key, value in block.items() if key not in left_out}


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of the installed packages that affect numerical results.

    Parameters
    ----------
    more : iterable of str
        Further distributions. Those that are not installed are left out.
    """
    found = {"python": platform.python_version()}
    for name in dict.fromkeys((*_PACKAGES, *more)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
