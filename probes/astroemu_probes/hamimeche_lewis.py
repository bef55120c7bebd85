"""The transformation of Hamimeche & Lewis (2008, arXiv:0801.0554), in the form for cross-spectra.

    X = C_f^1/2 U g(D) U^T C_f^1/2,      C^-1/2 C^ C^-1/2 = U D U^T
    g(x) = sign(x) sign(|x| - 1) sqrt[2 (|x| - ln |x| - 1)]            (Mangilli et al. 2015, arXiv:1503.01347)

``C^`` are measured spectra of several maps at one multipole, ``C`` those of the model with noise, and ``C_f`` fiducial
ones. Matrices are lists of rows, whose elements are arrays of one shape. The eigenvalues are found by Jacobi's method,
in elementary operations that a compiled engine can trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astroemu.core.array_namespace import Namespace

Array = Any
Matrix = list[list[Any]]
#: Sweeps of Jacobi's method: enough for the last digit of three by three matrices.
_SWEEPS = 4
#: Added under the root of a rotation, so that equal eigenvalues are not rotated at random.
_TINY = 1e-36
#: Relative distance of two eigenvalues below which their divided difference is the derivative.
_EQUAL = 1e-6
#: Largest distance of |x| from one at which g is computed from its series, and number of terms.
_NEAR, _TERMS = 0.03, 10


def transformed(
    measured: Matrix,
    noise: Matrix,
    fiducial_root: Matrix,
    power: Array,
    pairs: Sequence[tuple[int, int]],
    xp: Namespace,
) -> list[Array]:
    """Return elements of the transformed spectra ``X``, for maps that all see the same sky: ``C = power + noise``.

    The derivative with respect to ``power`` is computed in closed form. To differentiate the rotations instead would
    make compiled code ten times slower.

    Parameters
    ----------
    measured : matrix
        ``C^``.
    noise : matrix
        With ``power``, it must be positive definite.
    fiducial_root : matrix
        ``C_f^1/2``.
    power : array
        Spectrum of the sky, the same for every pair of maps.
    pairs : sequence of (int, int)
        Rows and columns of the elements.
    xp : namespace

    Returns
    -------
    list of array
        In the unit of the spectra.
    """
    fixed = xp.stop_gradient(power)
    variances, axes = diagonalised([[fixed + each for each in row] for row in noise], xp)
    roots = [xp.sqrt(each) for each in variances]
    scaled = _product(_product(_transpose(axes), measured), axes)
    scaled = [[each / (roots[i] * roots[j]) for j, each in enumerate(row)] for i, row in enumerate(scaled)]
    # The eigenvectors in the basis of `axes`, and C_f^1/2 before them.
    ratios, vectors = diagonalised(scaled, xp)
    outer = _product(_product(fiducial_root, axes), vectors)
    distances, slopes = zip(*(distance(each, xp) for each in ratios), strict=True)
    found = [sum(outer[i][k] * outer[j][k] * each for k, each in enumerate(distances)) for i, j in pairs]
    if fixed is power:  # NumPy, which has no gradients
        return found
    divided = _divided_differences(ratios, distances, slopes, xp)
    change = [
        [divided[j][k] * each for k, each in enumerate(row)]
        for j, row in enumerate(_change_of_ratios(roots, axes, ratios, vectors))
    ]
    along = _product(_product(outer, change), _transpose(outer))
    return [each + along[i][j] * (power - fixed) for each, (i, j) in zip(found, pairs, strict=True)]


def _change_of_ratios(roots: list[Array], axes: Matrix, ratios: Sequence[Array], vectors: Matrix) -> Matrix:
    """Return the derivative of ``C^-1/2 C^ C^-1/2`` in the basis of its eigenvectors.

    ``dC^1/2`` follows from ``C^1/2 dC^1/2 + dC^1/2 C^1/2 = dC``, which is ``q q^T`` in the basis of ``axes``.
    """
    size = range(len(roots))
    q = [sum(axes[i][k] for i in size) for k in size]
    relative = [[q[i] * q[j] / (roots[i] * (roots[i] + roots[j])) for j in size] for i in size]
    p = _product(_product(_transpose(vectors), relative), vectors)
    return [[-(p[i][j] * ratios[j] + p[j][i] * ratios[i]) for j in size] for i in size]


def _divided_differences(
    ratios: Sequence[Array], distances: Sequence[Array], slopes: Sequence[Array], xp: Namespace
) -> Matrix:
    """Return ``(g_i - g_j) / (x_i - x_j)``, and the slope of g where two arguments are equal."""
    size = range(len(ratios))

    def one(i: int, j: int) -> Array:
        step = ratios[i] - ratios[j]
        equal = xp.abs(step) < _EQUAL * (xp.abs(ratios[i]) + xp.abs(ratios[j]))
        divided = (distances[i] - distances[j]) / xp.where(equal, 1.0, step)
        return xp.where(equal, 0.5 * (slopes[i] + slopes[j]), divided)

    return [[slopes[i] if i == j else one(i, j) for j in size] for i in size]


def distance(x: Array, xp: Namespace) -> tuple[Array, Array]:
    """Return ``g(x)``, which is ``x - 1`` near one, and its derivative."""
    size = xp.abs(x)
    y = size - 1.0
    near = xp.abs(y) < _NEAR
    inside, outside = xp.where(near, y, 0.0), xp.where(near, 2.0, size)
    # 2 (y - ln(1 + y)) = y^2 (1 - 2 y / 3 + 2 y^2 / 4 - ...), without the digits that the difference loses.
    series = 0.0 * y
    for k in range(_TERMS, -1, -1):
        series = 2.0 / (k + 2) - inside * series
    series = xp.sqrt(series)
    far = xp.sqrt(2.0 * (outside - 1.0 - xp.log(outside)))
    far = xp.where(y < 0, -far, far)
    found = xp.where(near, inside * series, far)
    slope = xp.where(near, 1.0 / ((1.0 + inside) * series), (1.0 - 1.0 / outside) / far)
    return xp.where(x < 0, -found, found), slope


def diagonalised(matrix: Matrix, xp: Namespace) -> tuple[list[Array], Matrix]:
    """Return eigenvalues of symmetric matrices, and the matrix whose columns are the eigenvectors.

    Cyclic Jacobi rotations (Golub & Van Loan 2013, section 8.5), the same number for every matrix.
    """
    a, v = [list(row) for row in matrix], _identity(matrix, xp)
    size = len(a)
    for _ in range(_SWEEPS):
        for p in range(size - 1):
            for q in range(p + 1, size):
                _rotate(a, v, p, q, xp)
    return [a[i][i] for i in range(size)], v


def _rotate(a: Matrix, v: Matrix, p: int, q: int, xp: Namespace) -> None:
    """Make ``a[p][q]`` zero by a rotation of ``a``, and rotate the columns of ``v``. Both lists change."""
    mixed, gap = a[p][q], a[q][q] - a[p][p]
    tangent = 2.0 * mixed / (xp.abs(gap) + xp.sqrt(gap * gap + 4.0 * mixed * mixed + _TINY))
    tangent = xp.where(gap < 0, -tangent, tangent)
    cosine = 1.0 / xp.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    a[p][p], a[q][q] = a[p][p] - tangent * mixed, a[q][q] + tangent * mixed
    a[p][q] = a[q][p] = 0.0 * mixed
    for r in range(len(a)):
        if r not in (p, q):
            one, other = a[r][p], a[r][q]
            a[r][p] = a[p][r] = cosine * one - sine * other
            a[r][q] = a[q][r] = sine * one + cosine * other
    for row in v:
        row[p], row[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]


def _identity(matrix: Matrix, xp: Namespace) -> Matrix:
    one = xp.ones_like(matrix[0][0])
    return [[one if i == j else 0.0 * one for j in range(len(matrix))] for i in range(len(matrix))]


def _transpose(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _product(a: Matrix, b: Matrix) -> Matrix:
    columns = _transpose(b)
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a]
