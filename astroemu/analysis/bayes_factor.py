"""Bayes factors of runs, and what one may call them.

ln B = ln Z_1 - ln Z_2 compares two models of the same data. The evidence is a density in the data, so between
runs of different data the difference says nothing, and none is given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from astroemu.errors import PluginError
from astroemu.inference.fingerprint import flat
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime.options import with_defaults
from astroemu.runtime.plugins import PROBES

#: Least abs(ln B) and the word for it: Jeffreys' scale (1961, Theory of Probability, 3rd ed., Appendix B) as
#: calibrated by Trotta 2008, Contemp. Phys. 49, 71, Table 1, arXiv:0803.4089 (odds of 3, 12 and 150 to 1).
JEFFREYS = ((0.0, "inconclusive"), (1.0, "weak"), (2.5, "moderate"), (5.0, "strong"))


@dataclass(frozen=True)
class BayesFactor:
    """A run against another.

    Attributes
    ----------
    log_b, error : float or None
        ln Z of the run less that of the other, and its standard error; None where there is no Bayes factor.
    why_not : str
        Why there is none.
    """

    log_b: float | None = None
    error: float | None = None
    why_not: str = ""

    @classmethod
    def of(cls, run: RunFolder, other: RunFolder) -> BayesFactor:
        """Compare the evidence of two finished runs; independent errors are added in squares."""
        ours, theirs = run.summary(), other.summary()
        missing = [folder.path for folder, s in ((run, ours), (other, theirs)) if s["log_evidence"] is None]
        if missing:
            return cls(why_not=f"{' and '.join(map(str, missing))}: no evidence (its sampler gives none)")
        here, there = data_identity(run), data_identity(other)
        different = [key for key in sorted({*here, *there}) if here.get(key, _ABSENT) != there.get(key, _ABSENT)]
        if different:
            return cls(why_not=f"evidences of different data ({', '.join(different)})")
        return cls(
            ours["log_evidence"] - theirs["log_evidence"],
            math.hypot(ours["log_evidence_err"], theirs["log_evidence_err"]),
        )

    def jeffreys(self) -> str:
        """The word of :data:`JEFFREYS` for it, or the range of words that one standard error spans."""
        assert self.log_b is not None and self.error is not None
        size = abs(self.log_b)
        low, high = (
            next(word for edge, word in reversed(JEFFREYS) if max(value, 0.0) >= edge)
            for value in (size - self.error, size + self.error)
        )
        return low if low == high else f"{low} to {high}"

    def __str__(self) -> str:
        if self.log_b is None:
            return f"no Bayes factor: {self.why_not}"
        return f"ln B = {self.log_b:+.2f} +- {self.error:.2f}"


_ABSENT = object()


def data_identity(run: RunFolder) -> dict[str, Any]:
    """What the likelihood of a run was made of, by a name for messages.

    The options of its probes with their defaults, which choose the data, and the checksums of its catalogs. Which
    option of a probe is modelling, only its author knows: every one counts as data.
    """
    configuration = run.configuration()
    found: dict[str, Any] = {}
    for name, options in configuration.document.probes.items():
        options = dict(options)
        plugin = options.pop("plugin", name)
        with suppress(PluginError):  # no longer installed: as written
            options = with_defaults(PROBES.load(plugin), options)
        plain = json.loads(json.dumps({"plugin": plugin, **options}, default=str))
        found |= flat(plain, f"probes.{name}")
    checksums = run.summary()["inputs"]
    return found | {name: digest for name, digest in checksums.items() if name.startswith("catalog ")}


def bayes_factors(runs: Mapping[str, RunFolder]) -> tuple[str, dict[str, BayesFactor]]:
    """Return the label of the first run that has an evidence, and every other run against it; empty if none has."""
    first = next((label for label, run in runs.items() if run.summary()["log_evidence"] is not None), "")
    return first, {k: BayesFactor.of(run, runs[first]) for k, run in runs.items() if first and k != first}
