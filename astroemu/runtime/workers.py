"""Work that is shared by processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any


def run_jobs(work: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield what ``work`` returns for each job, as they finish.

    Parameters
    ----------
    work : callable
        A function of a module: the processes are spawned, never forked.
    jobs : sequence
    workers : int
        Processes; with one the work is done here.
    """
    if workers == 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    # One thread a worker: two numerical libraries that fight over cores are slower than one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs]):
            yield future.result()
