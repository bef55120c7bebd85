"""The TensorFlow backend: one ``tf.function(jit_compile=True)``, compiled by XLA."""

from __future__ import annotations

import math
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from astroemu.core.array_namespace import Namespace
from astroemu.model.backends.base import MOST_PIECES, Backend, Function, host_memory

_LOG_2PI = float(np.log(2.0 * np.pi))


def make() -> Backend:
    """Return this backend."""
    # TF32 multiplies float32 with ten bits of mantissa, which is not accurate enough for the likelihood.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return TensorFlow()


class TensorFlow(Backend):
    """TensorFlow with XLA."""

    name = "tensorflow"

    def __init__(self) -> None:
        self.xp = namespace()
        gpus = tf.config.list_physical_devices("GPU")
        self._gpu = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else ""

    @property
    def device(self) -> str:
        return self._gpu or "cpu"

    @property
    def on_gpu(self) -> bool:
        return bool(self._gpu)

    @property
    def memory(self) -> float:
        if not self._gpu:
            return host_memory()
        from tensorflow.python.client import device_lib

        return 0.25 * max(float(d.memory_limit) for d in device_lib.list_local_devices() if d.device_type == "GPU")

    def trace(self, function: Function, arguments: Any) -> None:
        tf.function(function, autograph=False).get_concrete_function(*tf.nest.map_structure(_spec, arguments))

    def compile(self, function: Function, arguments: Any) -> Function:
        compiled = tf.function(function, autograph=False, jit_compile=True)
        concrete = compiled.get_concrete_function(*tf.nest.map_structure(_spec, arguments))

        def call(*values: Any) -> Any:
            return tf.nest.map_structure(_to_numpy, concrete(*tf.nest.map_structure(_to_tensor, values)))

        return call

    def with_gradient(self, function: Function) -> Function:
        def both(theta: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(theta)
                value = function(theta)
            return value, tape.gradient(value, theta)

        return both


def _spec(value: Any) -> Any:
    return None if value is None else tf.TensorSpec(value.shape, value.dtype)


def _to_tensor(value: Any) -> Any:
    return None if value is None else tf.constant(value)


def _to_numpy(value: Any) -> Any:
    return None if value is None else value.numpy()


def _dtype(value: Any) -> Any:
    return value.dtype.as_numpy_dtype if tf.is_tensor(value) else np.asarray(value).dtype


def _same_dtype(*values: Any) -> list[Any]:
    """Return the values as tensors of a common dtype, by NumPy's rules: Python numbers take that of the others."""
    strong = [_dtype(value) for value in values if not isinstance(value, bool | int | float) or not np.isscalar(value)]
    target = np.result_type(*strong) if strong else np.dtype(float)
    return [tf.cast(value, target) if tf.is_tensor(value) else tf.constant(value, target) for value in values]


def _tensor(value: Any) -> Any:
    return tf.convert_to_tensor(value)


def _matmul(a: Any, b: Any) -> Any:
    a, b = _same_dtype(a, b)
    return tf.linalg.matvec(a, b) if len(b.shape) == 1 else tf.matmul(a, b)


def _log_ndtr(x: Any) -> Any:
    """Return the logarithm of the normal distribution function in float64, as accurate as SciPy's in both tails.

    Below -20 the asymptotic series is used (Abramowitz and Stegun 1964, eq. 26.2.12). There it is exact to rounding.
    """
    x = tf.cast(x, tf.float64)
    low, high = x < -20.0, x > 0.0
    middle = tf.math.log(0.5 * tf.math.erfc(-tf.where(low | high, tf.zeros_like(x), x) * np.sqrt(0.5)))
    upper = tf.math.log1p(-0.5 * tf.math.erfc(tf.where(high, x, tf.ones_like(x)) * np.sqrt(0.5)))
    t = tf.where(low, x, -20.0 * tf.ones_like(x))
    inverse = 1.0 / (t * t)
    series = tf.ones_like(x)
    for n in range(9, -1, -1):
        series = 1.0 - (2 * n + 1) * inverse * series
    lower = -0.5 * t * t - 0.5 * _LOG_2PI - tf.math.log(-t) + tf.math.log(series)
    return tf.where(low, lower, tf.where(high, upper, middle))


def _log10(x: Any) -> Any:
    x = _tensor(x)
    return tf.math.log(x) / tf.constant(np.log(10.0), x.dtype)


def _tanh(x: Any) -> Any:
    """Return tanh, computed in float64: XLA's float32 version is wrong by several units in the last place."""
    x = _tensor(x)
    return tf.cast(tf.math.tanh(tf.cast(x, tf.float64)), x.dtype)


def _argmax(x: Any, axis: int | None = None) -> Any:
    return tf.argmax(tf.reshape(x, [-1]) if axis is None else x, axis=0 if axis is None else axis)


def _clip(x: Any, low: Any, high: Any) -> Any:
    x, low, high = _same_dtype(x, low, high)
    return tf.minimum(tf.maximum(x, low), high)


def _interp(x: Any, nodes: Any, values: Any) -> Any:
    """Return NumPy's linear interpolation: ``nodes`` and ``values`` have one axis, and the ends are held."""
    x, nodes, values = _same_dtype(x, nodes, values)
    above = tf.reduce_sum(tf.cast(x[..., None] >= nodes, tf.int32), axis=-1)
    left = tf.clip_by_value(above - 1, 0, nodes.shape[0] - 2)
    x0, x1 = tf.gather(nodes, left), tf.gather(nodes, left + 1)
    y0, y1 = tf.gather(values, left), tf.gather(values, left + 1)
    return y0 + (y1 - y0) * (_clip(x, nodes[0], nodes[-1]) - x0) / (x1 - x0)


def _qr(x: Any) -> tuple[Any, Any]:
    return tf.linalg.qr(_tensor(x))


def _solve(a: Any, b: Any) -> Any:
    """Return the solution of ``a x = b`` by QR factors: XLA has no general solver, and ``a`` need not be definite."""
    q, r = _qr(a)
    return tf.linalg.triangular_solve(r, tf.matmul(q, _tensor(b), transpose_a=True), lower=False)


def _logdet(x: Any) -> Any:
    _, r = _qr(x)
    return tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(r))), axis=-1)


#: Whether a piece of :func:`_where_rows` is being traced.
_IN_PIECE: ContextVar[bool] = ContextVar("in_piece", default=False)


def _where_rows(good: Any, value: Any, otherwise: Any) -> Any:
    """Return ``value`` where ``good`` is true. The other result is computed for pieces of the rows that are not good.

    A compiled function has fixed shapes. The rows are therefore sorted, and a piece of which all are good is skipped.
    Inside a piece nothing is skipped: XLA has no gradient of a loop in a condition.
    """
    if _IN_PIECE.get():
        return tf.where(good, value, otherwise(lambda array: array))
    n = value.shape[0]
    pieces = math.gcd(n, MOST_PIECES)
    order = tf.reshape(tf.argsort(tf.cast(good, tf.int32), stable=True), (pieces, -1))

    def piece(i: Any, result: Any) -> Any:
        rows = order[i]
        is_good = tf.gather(good, rows)

        def computed() -> Any:
            outside = _IN_PIECE.set(True)
            try:
                found = otherwise(lambda array: tf.gather(array, rows))
            finally:
                _IN_PIECE.reset(outside)
            return tf.tensor_scatter_nd_update(result, rows[:, None], tf.where(is_good, tf.gather(value, rows), found))

        return i + 1, tf.cond(tf.reduce_all(is_good), lambda: result, computed)

    return tf.while_loop(lambda i, _: i < pieces, piece, (0, value), maximum_iterations=pieces)[1]


def _iterate(step: Any, state: Any, most: int) -> Any:
    """Return the state after ``most`` steps, or when its last array is true everywhere."""

    def goes_on(*arrays: Any) -> Any:
        return ~tf.reduce_all(arrays[-1])

    found = tf.while_loop(goes_on, step, tuple(state), maximum_iterations=most)
    return tuple(map(tf.stop_gradient, found))  # otherwise the gradient of the loop is built, for nothing


def namespace() -> Namespace:
    """Return the functions of :data:`astroemu.core.array_namespace.NUMPY` for TensorFlow's tensors."""
    return SimpleNamespace(
        abs=tf.abs,
        all=lambda x, axis=None: tf.reduce_all(x, axis=axis),
        argmax=_argmax,
        arcsinh=tf.math.asinh,
        clip=_clip,
        concatenate=lambda values, axis=0: tf.concat(_same_dtype(*values), axis=axis),
        cosh=tf.math.cosh,
        cumsum=lambda x, axis: tf.cumsum(_tensor(x), axis=axis),
        diagonal=tf.linalg.diag_part,
        erf=tf.math.erf,
        exp=tf.math.exp,
        float64="float64",
        astype=lambda x, dtype: tf.cast(_tensor(x), dtype),
        interp=_interp,
        in_columns=lambda function, a, _: function(a),  # a compiler cuts the arrays itself
        iterate=_iterate,
        log=tf.math.log,
        log10=_log10,
        log1p=tf.math.log1p,
        log_ndtr=_log_ndtr,
        logdet=_logdet,
        matmul=_matmul,
        max=lambda x, axis=None: tf.reduce_max(x, axis=axis),
        maximum=lambda a, b: tf.maximum(*_same_dtype(a, b)),
        mean=lambda x, axis=None: tf.reduce_mean(x, axis=axis),
        min=lambda x, axis=None: tf.reduce_min(x, axis=axis),
        minimum=lambda a, b: tf.minimum(*_same_dtype(a, b)),
        ndtr=lambda x: 0.5 * tf.math.erfc(-np.sqrt(0.5) * tf.cast(x, tf.float64)),
        ones_like=tf.ones_like,
        prod=lambda x, axis=None: tf.reduce_prod(x, axis=axis),
        reshape=tf.reshape,
        rough_log_ndtr=_log_ndtr,
        sigmoid=tf.math.sigmoid,
        sinh=tf.math.sinh,
        solve=_solve,
        sqrt=tf.math.sqrt,
        stack=lambda values, axis=0: tf.stack(_same_dtype(*values), axis=axis),
        sum=lambda x, axis=None: tf.reduce_sum(x, axis=axis),
        take=lambda x, columns: tf.gather(x, columns, axis=1),
        tanh=_tanh,
        transpose=lambda x, axes=None: tf.transpose(x, perm=axes),
        where=lambda condition, a, b: tf.where(condition, *_same_dtype(a, b)),
        where_rows=_where_rows,
        stop_gradient=tf.stop_gradient,
        zeros=lambda shape: tf.zeros(shape, tf.float64),
    )
