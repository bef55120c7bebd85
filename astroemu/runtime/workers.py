"""Parallel jobs in worker processes on one machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any


def run_jobs(work: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield the result of ``work(job)`` for each job, in the order in which they finish.

    Parameters
    ----------
    work : callable
        A function defined at module level, because the processes are spawned and never forked.
    jobs : sequence
        Arguments of ``work``.
    workers : int
        Number of processes. With one, the work is done in this process, in order.
    """
    if workers == 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    # One thread per worker: several multithreaded processes that compete for cores are slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs]):
            yield future.result()
