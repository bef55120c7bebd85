"""Bayes factors between runs, and their words on Jeffreys' scale.

ln B = ln Z_1 - ln Z_2 compares two models of the same data. The evidence is a probability density of the data. Between
runs of different data the difference has no meaning, and none is returned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from astroemu.errors import PluginError
from astroemu.inference.fingerprint import by_content, flatten
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime.options import plain, with_defaults
from astroemu.runtime.plugin_files import split_reference
from astroemu.runtime.plugins import PROBES

#: Smallest abs(ln B) of each word: Jeffreys' scale (1961, Theory of Probability, 3rd ed., Appendix B) as
#: calibrated by Trotta 2008, Contemp. Phys. 49, 71, Table 1, arXiv:0803.4089 (odds of 3, 12 and 150 to 1).
JEFFREYS = ((0.0, "inconclusive"), (1.0, "weak"), (2.5, "moderate"), (5.0, "strong"))


@dataclass(frozen=True)
class BayesFactor:
    """The Bayes factor of one run against another.

    Attributes
    ----------
    log_b, error : float or None
        ln Z of the run minus that of the other, and its standard error. None if there is no Bayes factor.
    why_not : str
        The reason if there is none.
    """

    log_b: float | None = None
    error: float | None = None
    why_not: str = ""

    @classmethod
    def of(cls, run: RunFolder, other: RunFolder) -> BayesFactor:
        """Return the Bayes factor of two finished runs. The errors are independent and add in quadrature."""
        ours, theirs = run.summary(), other.summary()
        missing = [(folder.path, s) for folder, s in ((run, ours), (other, theirs)) if s["log_evidence"] is None]
        if missing:
            reasons = (f"{path}: no evidence ({s['sampler']} gives none)" for path, s in missing)
            return cls(why_not="; ".join(reasons))
        here, there = data_identity(run), data_identity(other)
        different = [key for key in sorted({*here, *there}) if here.get(key, _ABSENT) != there.get(key, _ABSENT)]
        if different:
            return cls(why_not=f"evidences of different data ({', '.join(different)})")
        return cls(
            ours["log_evidence"] - theirs["log_evidence"],
            math.hypot(ours["log_evidence_err"], theirs["log_evidence_err"]),
        )

    def jeffreys(self) -> str:
        """Return the word of :data:`JEFFREYS`, or the range of words within one standard error."""
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


def _named(plugin: str) -> dict[str, str]:
    """Return a plugin by its name, or by its file and class. The file is not executed; it counts by its content."""
    parts = split_reference(plugin)
    return {"plugin": plugin} if parts is None else {"plugin": parts[0], "class": parts[1]}


def data_identity(run: RunFolder) -> dict[str, Any]:
    """Return what determines the data of a run: options of its probes and checksums of its catalogs.

    The engine cannot distinguish options that choose data from options of the modelling. All options, with their
    defaults, therefore count as data. A file counts by its content, wherever it is.

    Returns
    -------
    dict
        Values by a name for messages, such as ``probes.NAME.OPTION`` or ``catalog NAME``.
    """
    configuration = run.configuration()
    found: dict[str, Any] = {}
    for name, options in configuration.document.probes.items():
        options = dict(options)
        plugin = options.pop("plugin", name)
        with suppress(PluginError):  # the probe is no longer installed: its options as written
            options = with_defaults(PROBES.load(plugin), options)
        table = by_content(plain({**_named(plugin), **options}), configuration.path.parent, {})
        found |= flatten(table, f"probes.{name}")
    checksums = run.summary()["inputs"]
    return found | {name: digest for name, digest in checksums.items() if name.startswith("catalog ")}


def bayes_factors(runs: Mapping[str, RunFolder]) -> tuple[str, dict[str, BayesFactor]]:
    """Return the label of the first run with an evidence, and the Bayes factor of every other run against it.

    The label and the dict are empty if no run has an evidence.
    """
    first = next((label for label, run in runs.items() if run.summary()["log_evidence"] is not None), "")
    return first, {k: BayesFactor.of(run, runs[first]) for k, run in runs.items() if first and k != first}
