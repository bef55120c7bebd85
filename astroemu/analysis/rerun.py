"""A repetition of a finished run, and its bit-by-bit comparison with the original.

The run folder holds the resolved configuration, the seed, and the SHA-256 of every catalog and emulator
(:mod:`astroemu.inference.fingerprint`). If one of them has changed, it is an error that names it. The repetition is a
run in its own folder, with one more file:

    NEW/rerun.json   whether the arrays are identical, where and by how much they differ, and other differences
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.progress import ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.inference.fingerprint import RunFingerprint, differences
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.io.files import sha256, write_json
from astroemu.runtime.mpi import processes
from astroemu.runtime.provenance import provenance
from astroemu.sampling.samples import ARRAYS, Samples


def rerun(
    run: RunFolder,
    out: str | Path | None = None,
    report: ProgressCallback = silent,
    *,
    accept_changed_code: bool = False,
    opened: Callable[[RunFolder], None] | None = None,
) -> tuple[RunFolder, dict[str, Any]]:
    """Repeat a finished run and compare the samples.

    Under ``mpiexec`` all processes must call it.

    Parameters
    ----------
    run : RunFolder
    out : str or Path, optional
        New folder; by default the first free one of ``RUN-rerun``, ``RUN-rerun-2``, ...
    report : callable
        Called with the progress.
    accept_changed_code : bool
        Accept that the code of plugins or their versions have changed; see :func:`astroemu.inference.fitting.fit`.
    opened : callable, optional
        Called with the new folder before the sampling.

    Returns
    -------
    RunFolder
        The folder of the repetition.
    dict
        As written to ``rerun.json``: ``of``, ``identical``, ``arrays`` (see :func:`compare_samples`) and ``differs``.
        The last has one line for each field that differs among those that may.

    Raises
    ------
    RunFolderError
        If the folder holds no finished run, or the new folder is not empty. Also if an input has changed; the message
        names every such field.
    """
    before = RunFingerprint.load(run.identity_file)
    path = RunFolder.free(run.path.parent, f"{run.path.name}-rerun") if out is None else Path(out)
    new, _ = fit(
        run.configuration(),
        out=path,
        repeated=run,
        accept_changed_code=accept_changed_code,
        report=report,
        opened=opened,
    )
    found: dict[str, Any] = {}
    if processes().is_root:
        arrays = compare_samples(run.samples(), new.samples())
        now = RunFingerprint.load(new.identity_file)
        found = {
            "of": run.path.name,
            "identical": all(array["identical"] for array in arrays.values()),
            "arrays": arrays,
            "differs": [line.strip() for line in differences(before.may_differ, now.may_differ).values()],
            **({"accepted": list(now.accepted)} if now.accepted else {}),
            "provenance": provenance(inputs={run.samples_file.name: sha256(run.samples_file)}),
        }
        write_json(new.path / "rerun.json", found)
    return new, dict(processes().broadcast(found))


def compare_samples(before: Samples, now: Samples) -> dict[str, dict[str, Any]]:
    """Return a comparison of the arrays of two runs.

    Returns
    -------
    dict
        By array: ``identical``, true if all bits are equal. If not: both ``shape`` where these differ, otherwise the
        ``number`` of different values among all (``values``), the ``first`` row with one, and the ``largest``
        difference.
    """
    return {name: _compared(getattr(before, name), getattr(now, name)) for name in ARRAYS}


def _compared(a: FloatArray, b: FloatArray) -> dict[str, Any]:
    if a.shape != b.shape:
        return {"identical": False, "shape": [list(a.shape), list(b.shape)]}
    bits, others = (np.ascontiguousarray(array, dtype=float).view(np.uint64) for array in (a, b))
    other = bits != others
    if not np.any(other):
        return {"identical": True}
    both = other & np.isfinite(a) & np.isfinite(b)
    return {
        "identical": False,
        "number": int(np.sum(other)),
        "values": a.size,
        "first": int(np.argwhere(other)[0, 0]),
        "largest": float(np.max(np.abs(a[both] - b[both]), initial=0.0)),
    }
