"""The array namespace ``xp``: the functions that likelihoods may use.

A probe writes its likelihood once, against ``xp``. NumPy is one namespace; a compiled engine
supplies another with the same functions, so that the joint likelihood can be traced into one
graph. The special functions that array libraries lack are added here.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

#: Type of ``xp``. Its functions are those of :data:`NUMPY`.
Namespace = Any
#: The NumPy namespace.
NUMPY: Namespace = SimpleNamespace(
    abs=np.abs,
    all=lambda x, axis=None: np.logical_and.reduce(x, axis=axis),
    arcsinh=np.arcsinh,
    concatenate=np.concatenate,
    cosh=np.cosh,
    diagonal=lambda x: np.diagonal(x, axis1=-2, axis2=-1),
    erf=special.erf,
    exp=np.exp,
    float64="float64",
    astype=lambda x, dtype: np.asarray(x).astype(dtype, copy=False),
    log=np.log,
    log10=np.log10,
    log1p=np.log1p,
    log_ndtr=special.log_ndtr,
    logdet=lambda x: np.linalg.slogdet(x)[1],
    matmul=np.matmul,
    maximum=np.maximum,
    minimum=np.minimum,
    ones_like=np.ones_like,
    reshape=np.reshape,
    sigmoid=special.expit,
    sinh=np.sinh,
    solve=np.linalg.solve,
    sqrt=np.sqrt,
    stack=np.stack,
    sum=lambda x, axis=None: np.add.reduce(x, axis=axis),  # np.sum without its wrapper
    take=lambda x, columns: x.take(columns, axis=1),
    tanh=np.tanh,
    transpose=np.transpose,
    where=np.where,
    zeros=np.zeros,
)
