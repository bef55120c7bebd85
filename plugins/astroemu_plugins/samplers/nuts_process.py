"""Process in which NumPyro runs: ``python -m ... ASK ANSWER SETTINGS`` with two file descriptors and JSON.

It ends with the process that started it, which holds the other end of its standard input.

The messages are arrays:

* It receives starting points ``(1, n, d)``.
* It sends the points of all chains ``(1, chains, d)``, and receives potential and gradient ``(1, chains, 1 + d)``.
* After every round it sends the draws ``(chains, draws, d + 5)``, whose last columns are :data:`COLUMNS`. It then sends
  the diagnostics of all draws so far ``(1, 3, d)``, see :func:`known`. It receives one number: 1 to go on, 0 to stop.

The first rounds adapt step size and metric; their draws are not sent.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.runtime.leash import end_with_parent, give_up

#: Columns that follow the normal scores of a draw.
COLUMNS = ("potential_energy", "diverging", "num_steps", "accept_prob", "adapt_state.step_size")
#: Largest tree depth (doublings of a trajectory) during adaptation, when the step size may be far too small, and after.
DEPTH = (6, 10)
_SHAPE = struct.Struct("<3q")


class Pipe:
    """Connection to another process that sends and receives arrays of three dimensions.

    Parameters
    ----------
    read, write : int
        File descriptors.
    """

    def __init__(self, read: int, write: int) -> None:
        self._read: BinaryIO = os.fdopen(read, "rb")
        self._write: BinaryIO = os.fdopen(write, "wb")

    def tell(self, array: FloatArray) -> None:
        """Send an array of three dimensions as float64."""
        self._write.write(_SHAPE.pack(*array.shape) + np.ascontiguousarray(array, dtype=float).tobytes())
        self._write.flush()

    def told(self) -> FloatArray | None:
        """Return the next array, or None if the other process has ended."""
        head = self._read.read(_SHAPE.size)
        if len(head) < _SHAPE.size:
            return None
        shape = _SHAPE.unpack(head)
        content = self._read.read(8 * math.prod(shape))
        return np.frombuffer(content).reshape(shape) if len(content) == 8 * math.prod(shape) else None

    def close(self) -> None:
        """Close both ends. Data that the other process has not read are lost."""
        for file in (self._read, self._write):
            with suppress(BrokenPipeError):
                file.close()


def potential_from(pipe: Pipe, n_dim: int) -> Any:
    """Return the potential energy as a differentiable JAX function.

    Value and gradient of all chains come from one request.

    Parameters
    ----------
    pipe : Pipe
    n_dim : int
        Number of parameters.
    """
    jax: Any = import_module("jax")  # JAX is only partly typed

    def host(z: Any) -> tuple[FloatArray, FloatArray]:
        pipe.tell(np.asarray(z).reshape(1, -1, n_dim))
        answer = pipe.told()
        if answer is None:
            give_up()  # the other process has ended; an exception would have to pass through XLA
        return answer[0, :, 0].reshape(z.shape[:-1]), answer[0, :, 1:].reshape(z.shape)

    def both(z: Any) -> Any:
        shapes = (jax.ShapeDtypeStruct(z.shape[:-1], z.dtype), jax.ShapeDtypeStruct(z.shape, z.dtype))
        return jax.pure_callback(host, shapes, z, vmap_method="expand_dims")

    potential = jax.custom_vjp(lambda z: both(z)[0])
    potential.defvjp(both, lambda slope, of_value: (of_value * slope,))
    return potential


def known(chains: FloatArray) -> FloatArray:
    """Return the diagnostics ``(3, d)`` of draws ``(chains, draws, d)``.

    The rows are the effective sample size of the mean, that of the variance, and the split R-hat.
    """
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    spread = (chains - chains.mean(axis=(0, 1))) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array([effective_sample_size(chains), effective_sample_size(spread), split_gelman_rubin(chains)])


class Chains:
    """All chains, with one metric and, after the adapting rounds, one step size.

    NumPyro would adapt a metric for each chain from the few draws of that chain. Chains with different step sizes would
    wait for each other.

    Parameters
    ----------
    pipe : Pipe
    points : (n, d) array
        Normal scores. Their covariance is the first metric, and the first ``chains`` of them are starting points.
    settings : mapping
        ``chains``, ``draws`` (per round), ``dense_mass``, ``target_accept``, ``seed``.
    """

    def __init__(self, pipe: Pipe, points: FloatArray, settings: dict[str, Any]) -> None:
        self.jax: Any = import_module("jax")
        self.jax.config.update("jax_cpu_enable_async_dispatch", False)  # a request blocks the thread that computes
        self.settings = settings
        self.adapted: list[FloatArray] = []
        self.potential = potential_from(pipe, points.shape[1])
        keys = self.jax.random.split(self.jax.random.key(settings["seed"]), settings["chains"])
        kernel, self.state = self._begun(keys, points[: len(keys)], points, 1.0)

        def step(state: Any, _: None) -> Any:
            state = kernel.sample(state, (), {})
            return state, (state.z, *(attrgetter(name)(state) for name in COLUMNS))

        # NumPyro's own loop would be compiled again for every round.
        self._round = self.jax.jit(lambda state: self.jax.lax.scan(step, state, length=settings["draws"]))

    def _begun(self, keys: Any, z: FloatArray, points: FloatArray, step_size: float) -> tuple[Any, Any]:
        """Return a kernel with the metric of ``points``, and its state at the start of an adapting round."""
        from numpyro.infer import NUTS

        dense = self.settings["dense_mass"]
        kernel = NUTS(
            potential_fn=self.potential, step_size=step_size, inverse_mass_matrix=metric(points, dense),
            dense_mass=dense, adapt_mass_matrix=False, target_accept_prob=self.settings["target_accept"],
            max_tree_depth=DEPTH,
        )  # fmt: skip
        return kernel, kernel.init(keys, self.settings["draws"], init_params=z)

    def round(self) -> FloatArray:
        """Return the draws ``(chains, draws, d + 5)`` of a round; :data:`COLUMNS` are the last columns."""
        self.state, (z, *fields) = self._round(self.state)
        columns = [np.asarray(field, dtype=float)[..., None] for field in fields]
        return np.moveaxis(np.concatenate([z, *columns], axis=-1), 0, 1)

    def adapt(self, *, last: bool) -> None:
        """Draw a round that adapts the step size, and compute a new metric. End the adaptation if ``last``."""
        z = self.round()[..., : -len(COLUMNS)]
        self.adapted.append(z.reshape(-1, z.shape[-1]))
        points = np.concatenate(self.adapted[len(self.adapted) // 2 :])  # early draws may be far from the posterior
        step_size = float(np.median(self.state.adapt_state.step_size))
        _, state = self._begun(self.state.rng_key, z[:, -1], points, step_size)
        self.state = state._replace(i=state.i + self.settings["draws"]) if last else state


def metric(points: FloatArray, dense: bool) -> FloatArray:
    """Return the inverse mass matrix from points ``(n, d)``.

    If ``dense``, it is their covariance ``(d, d)``, which is diagonal for at most ``2 d`` points. Otherwise it contains
    the variances ``(d,)``.
    """
    n, n_dim = points.shape
    variance = points.var(axis=0) + 1e-8
    if not dense:
        return variance
    return np.cov(points.T).reshape(n_dim, n_dim) + np.diag(1e-6 * variance) if n > 2 * n_dim else np.diag(variance)


def main(pipe: Pipe, settings: dict[str, Any]) -> None:
    """Sample round after round until the other process stops the run."""
    points = pipe.told()
    if points is None:
        return
    chains, parts = Chains(pipe, points[0], settings), []
    for left in reversed(range(settings["warmup"])):
        chains.adapt(last=left == 0)
    go_on: FloatArray | None = np.ones(1)
    while go_on is not None and go_on.all():
        draws = chains.round()
        parts.append(draws[..., : -len(COLUMNS)])
        pipe.tell(draws)
        pipe.tell(known(np.concatenate(parts, axis=1))[None])
        go_on = pipe.told()


if __name__ == "__main__":
    end_with_parent(sys.stdin.fileno(), Path.cwd())
    main(Pipe(int(sys.argv[2]), int(sys.argv[1])), json.loads(sys.argv[3]))
