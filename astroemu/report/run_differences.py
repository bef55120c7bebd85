"""The differences between the configurations of several runs, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astroemu.analysis.run_differences import ABSENT, Difference, run_differences
from astroemu.inference.run_folder import RunFolder
from astroemu.io.terminal import visible_line
from astroemu.report.columns import WIDTH, wrapped
from astroemu.runtime.option_words import toml_value

#: Longest value that is printed, in characters.
_LONGEST = 60


def differences_text(runs: Mapping[str, RunFolder], width: int = WIDTH) -> str:
    """Return what differs between the first run and each other one; empty for one run.

    Parameters
    ----------
    runs : mapping of label to RunFolder
    width : int
        Largest length of a line.
    """
    first, *others = runs
    lines = []
    for label in others:
        found = run_differences(runs[first], runs[label])
        lines.append(f"Configuration of {visible_line(label)}, compared with {visible_line(first)}:")
        lines += [wrapped(f"  {line(difference)}", width, 6) for difference in found] or ["  the same"]
    return "\n".join(lines)


def line(difference: Difference) -> str:
    """Return a difference in one line, such as ``seed: 2 instead of 1``."""
    key = visible_line(difference.key)
    if difference.other is ABSENT:
        return f"{key}: left out ({_shown(difference.first)} in the first run)"
    if difference.first is ABSENT:
        return f"{key}: {_shown(difference.other)}, which the first run does not have"
    return f"{key}: {_shown(difference.other)} instead of {_shown(difference.first)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):  # without what no user writes
        value = {key: item for key, item in value.items() if key not in ("class", "computed by")}
    text = visible_line(toml_value(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
