"""Several processes as one likelihood, played by threads; tests/cli/test_mpi.py has real ones."""

from __future__ import annotations

import threading
from queue import Queue

import numpy as np
import pytest

from astroemu.core.evaluation_counts import EvaluationCounts
from astroemu.errors import DataError, ProbeError
from astroemu.runtime.mpi import Processes
from astroemu.sampling.mpi_target import MPITarget


class Comm:
    """Scatter and gather between threads, as a communicator of mpi4py has them."""

    def __init__(self, rank, down, up):
        self.rank, self.down, self.up = rank, down, up

    def scatter(self, pieces):
        if self.rank == 0:
            for queue, piece in zip(self.down, pieces, strict=True):
                queue.put(piece)
        return self.down[self.rank].get(timeout=10)

    def gather(self, value):
        self.up[self.rank].put(value)
        return [queue.get(timeout=10) for queue in self.up] if self.rank == 0 else None


class Target:
    names = ("a",)

    def __init__(self, error=None):
        self.counts = EvaluationCounts()
        self.error = error

    def prior_transform(self, u):
        return u

    def log_prior(self, theta):
        return np.zeros(len(theta))

    def log_likelihood(self, theta):
        if self.error is not None and len(theta):
            raise self.error
        self.counts.add(EvaluationCounts(len(theta), int(np.sum(theta > 0.5)), 0))
        return -(theta[:, 0] ** 2)

    def value_and_grad(self, theta):
        return self.log_likelihood(theta), -2.0 * theta


def job(size, *, error=None, faulty=1):
    """Pools by rank, and the threads that serve; what a thread ended with is in `ends`."""
    down, up, ends = [Queue() for _ in range(size)], [Queue() for _ in range(size)], {}
    pools = [
        MPITarget(Target(error if rank == faulty else None), Processes(rank, size, Comm(rank, down, up)))
        for rank in range(size)
    ]

    def serve(rank):
        try:
            pools[rank].serve()
            ends[rank] = 0
        except SystemExit as end:
            ends[rank] = end.code

    threads = [threading.Thread(target=serve, args=(rank,), daemon=True) for rank in range(1, size)]
    for thread in threads:
        thread.start()
    return pools[0], threads, ends


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_they_answer_as_one_would(size, n):
    theta = np.random.default_rng(1).uniform(size=(n, 1))
    pool, threads, ends = job(size)
    with pool.serving():
        for _ in range(2):
            np.testing.assert_array_equal(pool.log_likelihood(theta), -(theta[:, 0] ** 2))
        value, gradient = pool.value_and_grad(theta)
        np.testing.assert_array_equal(value, -(theta[:, 0] ** 2))
        np.testing.assert_array_equal(gradient, -2.0 * theta)
    for thread in threads:
        thread.join(10)
    assert pool.counts == EvaluationCounts(3 * n, 3 * int(np.sum(theta > 0.5)), 0)
    assert set(ends.values()) <= {0} and len(ends) == size - 1


def test_a_process_alone_needs_nobody():
    pool = MPITarget(Target(), Processes())
    with pool.serving():
        np.testing.assert_array_equal(pool.log_likelihood(np.array([[2.0]])), [-4.0])


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (DataError("no file"), DataError, "no file"),
        (ProbeError("probe 'p' failed"), ProbeError, "probe 'p' failed"),
        (ZeroDivisionError("by zero"), ProbeError, "process 1: ZeroDivisionError: by zero"),
    ],
)
def test_what_one_raises_the_first_raises_and_all_end(error, kind, message):
    pool, threads, ends = job(3, error=error)
    with pytest.raises(kind, match=message), pool.serving():
        pool.log_likelihood(np.zeros((6, 1)))
    for thread in threads:
        thread.join(10)
    assert ends == {1: 1, 2: 1}


def test_an_error_of_the_first_ends_the_others():
    pool, threads, ends = job(2)
    with pytest.raises(KeyboardInterrupt), pool.serving():
        raise KeyboardInterrupt
    threads[0].join(10)
    assert ends == {1: 1}
