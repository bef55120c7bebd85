"""The array namespace ``xp``: the functions that likelihoods may use.

The likelihood of a probe is written once, with the functions of ``xp``. One namespace is that of NumPy. A compiled
engine supplies another one with the same functions, so that it can trace the joint likelihood into one graph. Special
functions that array libraries lack are added here.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

from astroemu.core.rough_log_ndtr import rough_log_ndtr

#: Type of ``xp``, an object with the same functions as :data:`NUMPY`.
Namespace = Any
#: Number of elements of an array that stays in the cache of a core, with some others beside it.
_CACHED = 65536


def _where_rows(good: Any, value: Any, otherwise: Any) -> Any:
    """Return ``value (n,)`` where ``good (n,)`` is true, and elsewhere the result of ``otherwise(choose)``.

    ``choose(array)`` returns the rows of an array ``(n, ...)`` that are not good. Nothing else is computed for them.
    """
    bad = np.flatnonzero(~np.asarray(good))
    if not len(bad):
        return value
    found = np.array(value)
    found[bad] = otherwise(lambda array: array[bad])
    return found


def _iterate(step: Any, state: Any, most: int) -> Any:
    """Return the state, a tuple of arrays, after ``most`` steps, or when its last array is true everywhere.

    ``step(*state)`` returns the next state, of the same shapes. No gradient goes through the steps: the arrays that
    they use must come from ``stop_gradient``.
    """
    for _ in range(most):
        state = step(*state)
        if np.all(state[-1]):
            break
    return state


def _in_columns(function: Any, a: Any, column: Any) -> Any:
    """Return ``function(a)`` for ``a (..., q)``, whose columns it treats alike and independently.

    Some columns are computed at a time, so that arrays with the size of ``column`` for each of them stay in the cache.
    """
    step = max(1, _CACHED // max(column.size, 1))
    if a.shape[-1] <= step:
        return function(a)
    return np.concatenate([function(a[..., i : i + step]) for i in range(0, a.shape[-1], step)], axis=-1)


#: The NumPy namespace.
NUMPY: Namespace = SimpleNamespace(
    abs=np.abs,
    all=lambda x, axis=None: np.logical_and.reduce(x, axis=axis),
    argmax=lambda x, axis=None: np.argmax(x, axis=axis),
    arcsinh=np.arcsinh,
    clip=lambda x, low, high: np.minimum(np.maximum(x, low), high),  # an edge may be an array
    concatenate=np.concatenate,
    cosh=np.cosh,
    cumsum=lambda x, axis=None: np.cumsum(x, axis=axis),
    diagonal=lambda x: np.diagonal(x, axis1=-2, axis2=-1),
    erf=special.erf,
    exp=np.exp,
    float64="float64",
    in_columns=_in_columns,
    astype=lambda x, dtype: np.asarray(x).astype(dtype, copy=False),
    interp=np.interp,
    iterate=_iterate,
    log=np.log,
    log10=np.log10,
    log1p=np.log1p,
    log_ndtr=special.log_ndtr,
    logdet=lambda x: np.linalg.slogdet(x)[1],
    matmul=np.matmul,
    max=lambda x, axis=None: np.maximum.reduce(x, axis=axis),
    maximum=np.maximum,
    mean=lambda x, axis=None: np.mean(x, axis=axis),
    min=lambda x, axis=None: np.minimum.reduce(x, axis=axis),
    minimum=np.minimum,
    ndtr=special.ndtr,
    ones_like=np.ones_like,
    prod=lambda x, axis=None: np.multiply.reduce(x, axis=axis),
    reshape=np.reshape,
    rough_log_ndtr=rough_log_ndtr,
    sigmoid=special.expit,
    sinh=np.sinh,
    solve=np.linalg.solve,
    sqrt=np.sqrt,
    stack=np.stack,
    stop_gradient=lambda x: x,
    sum=lambda x, axis=None: np.add.reduce(x, axis=axis),  # faster than np.sum, which calls this through a wrapper
    take=lambda x, columns: x.take(columns, axis=1),
    tanh=np.tanh,
    transpose=np.transpose,
    where=np.where,
    where_rows=_where_rows,
    zeros=np.zeros,
)
