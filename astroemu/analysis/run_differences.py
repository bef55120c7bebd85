"""What differs between the configurations of two runs, option by option.

The fingerprints of the runs hold all options with their defaults, all priors, and the contents of files. A run of an
earlier version has none; its configuration is then compared as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from astroemu.errors import AstroemuError
from astroemu.inference.fingerprint import FORMAT, RunFingerprint
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime.options import plain

#: Marks a key that one of the runs does not have.
ABSENT = object()
#: Key under which the checksums of the data of each probe are compared.
_DATA = "data of"
#: Fields of a fingerprint that a user chooses. The others describe the code.
_CHOSEN = ("configuration", "sampler", "seed", "engine", "sha256")


@dataclass(frozen=True)
class Difference:
    """One key with its values in two runs.

    Attributes
    ----------
    key : str
        Dotted, such as ``probes.optical_depth.reference``.
    first, other : object
        Plain values, or :data:`ABSENT`.
    """

    key: str
    first: Any
    other: Any


def run_differences(first: RunFolder, other: RunFolder) -> list[Difference]:
    """Return what differs between the configurations of two runs, in the order of the first one."""
    ours, theirs = _chosen(first), _chosen(other)
    if ours is None or theirs is None:
        ours, theirs = _written(first), _written(other)
    return list(_between(ours, theirs, ""))


def _chosen(run: RunFolder) -> dict[str, Any] | None:
    """Return the choices in the fingerprint of a run; None if it has no complete fingerprint."""
    try:
        identity = RunFingerprint.load(run.identity_file)
    except AstroemuError:
        return None
    if identity.format != FORMAT or "sampler" not in identity.must_match:
        return None
    chosen = {key: identity.must_match[key] for key in _CHOSEN if key in identity.must_match}
    tables, digests = dict(chosen.pop("configuration", {})), dict(chosen.pop("sha256", {}))
    return {**tables, **chosen, "sampler": {**chosen["sampler"], **identity.stopping}, _DATA: digests}


def _written(run: RunFolder) -> dict[str, Any]:
    raw = dict(run.resolved()["configuration"])
    return dict(plain({key: value for key, value in raw.items() if key != "title"}))


def _between(first: Any, other: Any, prefix: str) -> Iterator[Difference]:
    if isinstance(first, Mapping) and isinstance(other, Mapping) and not _is_other_prior(first, other):
        for key in dict.fromkeys([*first, *other]):
            name = f"{prefix}.{key}" if prefix else str(key)
            yield from _between(first.get(key, ABSENT), other.get(key, ABSENT), name)
    elif prefix.startswith(_DATA):
        if ABSENT not in (first, other) and first != other:
            yield Difference(prefix.replace(".", " ", 1), "that of the first run", "another file")
    elif first is ABSENT or other is ABSENT or repr(first) != repr(other):  # as text: NaN is the same as NaN
        yield Difference(prefix, first, other)


def _is_other_prior(first: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return True for two priors of different kinds, whose numbers cannot be compared one by one."""
    return first.get("distribution") != other.get("distribution")
