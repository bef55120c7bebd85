"""What went into a file or a run, and what made it: inputs, versions, machine, date, papers.

Everything that astroemu writes carries one block of this: JSON documents under ``provenance``, HDF5 files as the
attribute ``provenance``.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from astroemu.runtime.mpi import cores, launched

_PACKAGES = (
    "astroemu-inference", "numpy", "scipy", "h5py", "astropy", "emcee", "ultranest", "nautilus-sampler", "numpyro",
    "keras", "tensorflow", "jax",
)  # fmt: skip
#: Set to anything but nothing or 0, it keeps the name of this machine out of everything that is written.
NO_HOST = "ASTROEMU_NO_HOST"
#: Seconds since 1970 that take the place of the clock, so that files made twice can be the same to the byte.
EPOCH = "SOURCE_DATE_EPOCH"


def provenance(*, engine: str | None = None, inputs: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the block that is written into a file.

    Parameters
    ----------
    engine : str, optional
        What evaluated the likelihood, where there was one.
    inputs : mapping of str to str, optional
        SHA-256 of what went in, by name.

    Returns
    -------
    dict
        ``date`` (UTC), ``engine``, ``host``, ``platform``, ``processes`` (of the MPI job), ``threads``, ``versions``,
        ``inputs``. There is no ``host`` with ``ASTROEMU_NO_HOST=1``, and no ``engine`` where none was used.
    """
    seconds = os.environ.get(EPOCH, "")
    now = time.gmtime(int(seconds) if seconds.isdigit() else None)
    used = {} if engine is None else {"engine": engine}
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
        **used,
        **machine(),
        "versions": versions(),
        "inputs": dict(inputs or {}),
    }


def machine() -> dict[str, Any]:
    """Where this runs: ``host``, ``platform``, number of MPI ``processes`` and of ``threads`` of each."""
    return without_host(
        {"host": platform.node(), "platform": platform.platform(), "processes": launched(), "threads": cores()}
    )


def without_host(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block that may have been written earlier, without its host if that is to be left out."""
    left_out = {"host"} if os.environ.get(NO_HOST, "") not in ("", "0") else set()
    return {key: value for key, value in block.items() if key not in left_out}


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python, of the packages that move the numbers, and of some more that are installed."""
    found = {"python": platform.python_version()}
    for name in dict.fromkeys((*_PACKAGES, *more)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def distributions(objects: Iterable[Any]) -> dict[str, str]:
    """Versions of the distributions that the classes of some objects come from, by name."""
    by_package = packages_distributions()
    roots = {type(item).__module__.partition(".")[0] for item in objects}
    return {name: version(name) for root in sorted(roots) for name in by_package.get(root, [])}
