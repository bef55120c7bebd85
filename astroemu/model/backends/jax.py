"""The JAX backend: one ``jax.jit``, compiled by XLA."""

from __future__ import annotations

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from astroemu.core.array_namespace import Namespace
from astroemu.model.backends.base import MOST_PIECES, Backend, Function, host_memory


def make() -> Backend:
    """Return this backend."""
    return Jax()


class Jax(Backend):
    """JAX with XLA. Its 64-bit mode is enabled only inside the calls of this class."""

    name = "jax"

    def __init__(self) -> None:
        self.xp = namespace()
        self._device = jax.devices()[0]

    @property
    def device(self) -> str:
        return str(self._device.device_kind) if self.on_gpu else "cpu"

    @property
    def on_gpu(self) -> bool:
        return str(self._device.platform) in ("gpu", "cuda", "rocm")

    @property
    def memory(self) -> float:
        if not self.on_gpu:
            return host_memory()
        return 0.25 * float((self._device.memory_stats() or {}).get("bytes_limit", 2**32))

    def trace(self, function: Function, arguments: Any) -> None:
        with jax.enable_x64(True):
            jax.eval_shape(function, *arguments)

    def compile(self, function: Function, arguments: Any) -> Function:
        with jax.enable_x64(True):
            compiled = jax.jit(function).lower(*arguments).compile()

        def call(*values: Any) -> Any:
            with jax.enable_x64(True):
                return jax.tree.map(np.asarray, compiled(*values))

        return call

    def with_gradient(self, function: Function) -> Function:
        def both(theta: Any) -> tuple[Any, Any]:
            value, pullback = jax.vjp(function, theta)
            return value, pullback(jnp.ones_like(value))[0]

        return both


def _tanh(x: Any) -> Any:
    """Return tanh, computed in float64: XLA's float32 version is wrong by several units in the last place."""
    return jnp.tanh(x.astype("float64")).astype(x.dtype)


def _log_ndtr(x: Any) -> Any:
    """Return the logarithm of the normal distribution function.

    It is a long polynomial. Without barriers XLA writes it out again in everything that uses it. The gradient of a
    limit with a common error then takes 18 s to compile instead of 10 s.
    """
    barrier: Any = jax.lax.optimization_barrier
    return barrier(special.log_ndtr(barrier(x)))


def _where_rows(good: Any, value: Any, otherwise: Any) -> Any:
    """Return ``value`` where ``good`` is true. The other result is computed for pieces of the rows that are not good.

    A compiled function has fixed shapes. The rows are therefore sorted, and a piece of which all are good is skipped.
    """

    def piece(result: Any, rows: Any) -> Any:
        def computed() -> Any:
            found = otherwise(lambda array: array[rows])
            return result.at[rows].set(jnp.where(good[rows], value[rows], found))

        return jax.lax.cond(jnp.all(good[rows]), lambda: result, computed), None

    n = value.shape[0]
    return jax.lax.scan(piece, value, jnp.argsort(good).reshape(math.gcd(n, MOST_PIECES), -1))[0]


def _iterate(step: Any, state: Any, most: int) -> Any:
    """Return the state after ``most`` steps, or when its last array is true everywhere."""

    def goes_on(carry: Any) -> Any:
        return (carry[0] < most) & ~jnp.all(carry[1][-1])

    return jax.lax.while_loop(goes_on, lambda carry: (carry[0] + 1, step(*carry[1])), (0, tuple(state)))[1]


def namespace() -> Namespace:
    """Return the functions of :data:`astroemu.core.array_namespace.NUMPY` for JAX's arrays."""
    return SimpleNamespace(
        abs=jnp.abs,
        all=jnp.all,
        argmax=jnp.argmax,
        arcsinh=jnp.arcsinh,
        clip=lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high),
        concatenate=jnp.concatenate,
        cosh=jnp.cosh,
        cumsum=jnp.cumsum,
        diagonal=lambda x: jnp.diagonal(x, axis1=-2, axis2=-1),
        erf=special.erf,
        exp=jnp.exp,
        float64="float64",
        astype=lambda x, dtype: jnp.asarray(x).astype(dtype),
        interp=jnp.interp,
        in_columns=lambda function, a, _: function(a),  # a compiler cuts the arrays itself
        iterate=_iterate,
        log=jnp.log,
        log10=jnp.log10,
        log1p=jnp.log1p,
        log_ndtr=_log_ndtr,
        logdet=lambda x: jnp.linalg.slogdet(x)[1],
        # By default a GPU multiplies float32 with ten bits of mantissa, which is not accurate enough.
        matmul=partial(jnp.matmul, precision="highest"),
        max=jnp.max,
        maximum=jnp.maximum,
        mean=jnp.mean,
        min=jnp.min,
        minimum=jnp.minimum,
        ndtr=special.ndtr,
        ones_like=jnp.ones_like,
        prod=jnp.prod,
        reshape=jnp.reshape,
        rough_log_ndtr=_log_ndtr,
        sigmoid=jax.nn.sigmoid,
        sinh=jnp.sinh,
        solve=jnp.linalg.solve,
        sqrt=jnp.sqrt,
        stack=jnp.stack,
        sum=jnp.sum,
        take=lambda x, columns: jnp.take(x, jnp.asarray(columns), axis=1),
        tanh=_tanh,
        transpose=jnp.transpose,
        where=jnp.where,
        where_rows=_where_rows,
        stop_gradient=jax.lax.stop_gradient,
        zeros=jnp.zeros,
    )
