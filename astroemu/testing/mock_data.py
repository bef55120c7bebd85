"""Checks of ``simulate`` and ``log_normalisation`` of one probe, before their statistics are examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from astroemu.core.probe import Probe
from astroemu.core.typing import FloatArray
from astroemu.testing.findings import NonConformance, Skipped, ensure
from astroemu.testing.truths import Line


def draws_its_own(probe: Probe, lines: Sequence[Line]) -> str:
    """Check that ``simulate`` draws new data from its generator and leaves the original as it was.

    Raises
    ------
    NonConformance
    """
    line, original = lines[0], [line.log_likelihood(probe) for line in lines]
    arrays, node = _arrays(probe), line.near // 2
    first = _drawn(probe, line, node, 1)
    ensure(first is not probe and type(first) is type(probe), "`simulate` must return a new probe of its own class")
    ensure(
        all(_same(before, line.log_likelihood(probe)) for before, line in zip(original, lines, strict=True))
        and all(_same(a, b) for a, b in arrays),
        "`simulate` changes the original probe: copy its arrays first",
    )
    log_l, shown = line.log_likelihood(first), _shown(first)
    ensure(_same(log_l, line.log_likelihood(_drawn(probe, line, node, 1))), "the same seed gives other data")
    other = _drawn(probe, line, node, 2)
    ensure(_same(log_l, line.log_likelihood(first)), "the data of the first mock change when a second one is drawn")
    ensure(
        any(not _same(line.log_likelihood(first), line.log_likelihood(other)) for line in lines),
        "another seed gives the same data, or ln L does not use them",
    )
    if shown is not None:
        again = _shown(other)
        ensure(again is not None and not _same(shown, again), "`panels` of two mocks show the same data")
    ensure(_same(*(line.log_likelihood(line.mock(probe, node, None)) for _ in range(2))), "data without noise differ")
    return "new data for each seed, the original unchanged"


def _drawn(probe: Probe, line: Line, node: int, seed: int) -> Probe:
    try:
        return line.mock(probe, node, np.random.default_rng(seed))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise NonConformance(f"`simulate` writes into an array that it was given ({error})") from error


def _arrays(probe: Probe) -> list[tuple[Any, Any]]:
    """Return the arrays that are attributes of a probe, each with a copy."""
    return [(value, value.copy()) for value in vars(probe).values() if isinstance(value, np.ndarray)]


def _shown(probe: Probe) -> FloatArray | None:
    panels = probe.panels()
    return np.concatenate([np.ravel(panel.y) for panel in panels]) if panels else None


def _same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


def normalises(probe: Probe, line: Line) -> str:
    """Check the shape of ``log_normalisation``, and that a batch gives the same as its points.

    Raises
    ------
    Skipped
        If the probe has none of its own.
    NonConformance
    """
    if type(probe).log_normalisation is Probe.log_normalisation:
        raise Skipped("the likelihood is declared to be normalised")
    n = line.near
    shape = np.shape(probe.log_normalisation(line.predictions(slice(n)), line.parameters(slice(n))))
    ensure(shape in ((n,), ()), f"`log_normalisation` of {n} points has the shape {shape}; ({n},) is required")
    whole = line.log_normalisation(probe)[:n]
    for node in (0, n // 2, n - 1):
        rows = slice(node, node + 1)
        single = np.ravel(probe.log_normalisation(line.predictions(rows), line.parameters(rows)))[0]
        ensure(
            bool(np.isclose(single, whole[node], rtol=1e-9, atol=1e-8)),
            f"`log_normalisation` of row {node} is {single:.10g} alone, but {whole[node]:.10g} in a batch of {n}",
        )
    return f"changes by {np.ptp(whole):.3g} over {n} truths"
