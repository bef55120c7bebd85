"""Far from its data, a likelihood does not grow without bound.

This needs no simulated data. It finds a reversed sign in ln L, in one of its terms, and in a normalisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from astroemu.core.panel import MEASUREMENT
from astroemu.core.probe import Probe
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import Skipped, ensure
from astroemu.testing.synthetic import CONSTANTS, drawing, drawn, likelihood, middle

#: Distances along a ray, in units of the spread.
_DISTANCES = 10.0 ** np.arange(0.0, 13.0)
#: Number of values of every requirement that are moved alone.
_ALONE = 12
#: Distances, as powers of ten, over which a likelihood that still rises is unbounded.
_LAST = 3


def falls_away(probe: Probe, centre: Mapping[str, FloatArray], steps: Mapping[str, float]) -> str:
    """Check that ln L does not grow without bound along rays that leave the predictions ``centre``.

    The rays change all values of one requirement or of all, up and down, and some values alone. A limit may
    approach a constant.

    Parameters
    ----------
    probe : Probe
    centre : mapping of str to (size,) array
    steps : mapping of str to float
        First distance from the centre, by requirement.

    Raises
    ------
    NonConformance
        If it grows, or is plus infinity.
    """
    if not centre:
        raise Skipped("it requires no observable")
    here = _at(probe, {key: value[None] for key, value in centre.items()})[0]
    highest, n = -np.inf, 0
    for name, direction in _directions(centre):
        values = {
            key: value + steps[key] * _DISTANCES[:, None] * direction.get(key, 0.0) for key, value in centre.items()
        }
        log_l = _at(probe, values)
        sizes = ", ".join(f"{steps[key]:.3g}" for key in direction)
        at = f"{name}, {sizes} x 1 to {_DISTANCES[-1]:.0e} from the highest ln L found"
        ensure(not np.any(log_l == np.inf), f"ln L is plus infinity at {at}")
        log_l = np.where(np.isnan(log_l), -np.inf, log_l)
        last = log_l[-1 - _LAST :]
        rises = bool(np.all(np.isfinite(last)) and np.all(np.diff(last) > 1e-6 * (1.0 + 1e-3 * np.abs(last[:-1]))))
        ensure(
            not (rises and last[-1] > max(here, log_l[0]) + 1.0),
            f"ln L grows without bound at {at}: {log_l[0]:.4g}, {log_l[3]:.4g}, {log_l[6]:.4g}, ... {log_l[-1]:.4g}. "
            "Check its sign and that of its normalisation. Return minus infinity where a value is impossible",
        )
        highest, n = max(highest, float(log_l[_LAST:].max())), n + 1
    return f"{n} rays; ln L = {here:.4g} at the start, at most {highest:.4g} far away"


def _at(probe: Probe, values: Mapping[str, FloatArray]) -> FloatArray:
    return likelihood(probe, values, middle(probe, len(next(iter(values.values())))))


def _directions(centre: Mapping[str, FloatArray]) -> Iterator[tuple[str, dict[str, FloatArray]]]:
    """Yield the name of each direction, and its steps by requirement."""
    rng = np.random.default_rng(7)
    for sign, word in ((1.0, "up"), (-1.0, "down")):
        every = {key: np.full(value.shape, sign) for key, value in centre.items()}
        yield f"all predictions {word}", every
        for key in centre if len(centre) > 1 else ():
            yield f"requires[{key!r}] {word}", {key: every[key]}
    for key, value in centre.items():
        for element in rng.permutation(value.size)[: _ALONE if value.size > 1 else 0]:
            direction = np.zeros(value.shape)
            direction[element] = rng.choice([-1.0, 1.0])
            yield f"value {element} of requires[{key!r}] {'up' if direction[element] > 0 else 'down'}", {key: direction}


def prefers_its_data(probe: Probe) -> str:
    """Check that predictions of the size of the data in the panels are better than values far away.

    It fails only if every value far away is better.

    Raises
    ------
    NonConformance
    """
    typical = {key: _typical(probe, requirement.observable) for key, requirement in probe.requires.items()}
    if not typical or None in typical.values():
        raise Skipped("no panel shows measurements of each required observable")
    near = {key: np.full((1, probe.requires[key].size), value) for key, value in typical.items()}
    far = {key: np.concatenate([value * 1e3, -value * 1e3, value + 1e6, value - 1e6]) for key, value in near.items()}
    here, there = _at(probe, near)[0], _at(probe, far)
    sizes = ", ".join(f"{key} = {value:.4g}" for key, value in typical.items())
    ensure(
        not bool(np.all(np.nan_to_num(there, nan=-np.inf) > here)),
        f"ln L = {here:.4g} at predictions as large as the data ({sizes}), and {there.min():.4g} or more at a thousand "
        "times these values and at a million more or less. Check the sign of ln L",
    )
    return sizes


def _typical(probe: Probe, observable: str) -> float | None:
    """Return the constant prediction that a panel draws at the median of its data."""
    for panel in drawing(probe, observable):
        measured = np.array([kind == MEASUREMENT for kind in panel.kind])
        if measured.any():
            off = np.abs(drawn(panel) - np.median(np.asarray(panel.y)[measured]))
            return float(CONSTANTS[int(np.argmin(np.where(np.isfinite(off), off, np.inf)))])
    return None
