"""The process in which MultiNest runs: ``python -m ... ASK ANSWER SETTINGS`` with two file descriptors and JSON."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from typing import Any


def load(library: str) -> Any:
    """Import pymultinest with the library at a path, and without MPI, which it would load of its own accord."""
    opened = ctypes.CDLL(library)
    setattr(ctypes.cdll, "LoadLibrary", lambda _: opened)  # noqa: B010 - it asks by name
    sys.modules["mpi4py"] = None  # type: ignore[assignment]
    import pymultinest

    return pymultinest


def main(ask: int, answer: int, settings: dict[str, Any]) -> None:
    """Sample, asking for every likelihood, and write the files into the current folder."""
    n_dims = settings["n_dims"]
    pymultinest = load(settings.pop("library"))

    def log_likelihood(cube: Any, *_: Any) -> float:
        try:
            os.write(ask, ctypes.string_at(cube, 8 * n_dims))
            return float(struct.unpack("d", os.read(answer, 8))[0])
        except BaseException:  # ctypes would swallow it, and MultiNest go on: the other side is gone
            os._exit(1)

    pymultinest.run(
        log_likelihood, None, **settings,
        outputfiles_basename="", importance_nested_sampling=True, multimodal=False, resume=False,
        n_iter_before_update=1000, init_MPI=False, use_MPI=False, verbose=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
