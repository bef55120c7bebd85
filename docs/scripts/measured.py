"""Write docs/accuracy.md from the JSON that commands wrote into docs/measured: python docs/scripts/measured.py

    astroemu validate acg --data SIMULATIONS --model reionization --out OUT    OUT/validation.json
    astroemu calibrate ... --out OUT                     OUT/calibration.json, as calibration.json
    astroemu calibrate ... --simulations SIMULATIONS     OUT/calibration.json, as calibration_21cmfast.json
    astroemu bench --out docs/measured/bench.json                              on a quiet machine

A file that is not there has no section. A test compares the page with what this writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
_QUANTILES = ("median", "q68", "q95", "max")
_CALIBRATIONS = {
    "calibration.json": "Calibration of the default fit, on mock data drawn with the emulator",
    "calibration_21cmfast.json": "The default fit, on mock data drawn with simulations of 21cmFAST",
}
_HEAD = """# Accuracy, calibration, speed

The numbers of this page are written by `docs/scripts/measured.py` from JSON that commands wrote
(`docs/measured/`); nothing in it is typed. What they mean, and how blind the comparison was, is in
[emulators.md](emulators.md#how-accurate-it-is).
"""


def page(folder: Path = DOCS / "measured") -> str:
    """Return the page."""
    parts = [_HEAD]
    validation, bench = folder / "acg_against_21cmfast.json", folder / "bench.json"
    if validation.is_file():
        parts.append(_validation(json.loads(validation.read_text())))
    for name, title in _CALIBRATIONS.items():
        if (folder / name).is_file():
            parts.append(_calibration(title, json.loads((folder / name).read_text())))
    if bench.is_file():
        parts.append(_bench(json.loads(bench.read_text())))
    return "\n".join(parts)


def _calibration(title: str, found: Mapping[str, Any]) -> str:
    levels = list(found["coverage"])
    rows = {
        f"`{name}`": [
            f"{q['p_value']:.3f}",
            f"{q['corrected']:.3f}",
            *(f"{q['coverage'][k]['found']:.1%}" for k in levels),
        ]
        for name, q in found["quantities"].items()
    }
    rows["mean of the parameters"] = ["", "", *(f"{found['coverage'][k]:.1%}" for k in levels)]
    rows["densest region of the posterior"] = ["", "", *(f"{found['joint'][k]['found']:.1%}" for k in levels)]
    verdict = "passed" if found["passed"] else "not passed"
    return f"""## {title}

{found["fits"]} fits, {found["unconverged"]} of them unconverged; verdict: {verdict} ([calibration.md](calibration.md)).
Share of the fits whose truth lies in the central interval of a level:

{_table(("", "p", "corrected", *(f"{float(k):.0%}" for k in levels)), rows)}
"""


def _validation(found: Mapping[str, Any]) -> str:
    observables, probes = found["observables"], found["probes"]
    rows = {f"`{n}`, {kind}": [f"{o[f'{kind}_{q}']:.2g}" for q in _QUANTILES]
            for n, o in observables.items() for kind in ("absolute", "fractional")}  # fmt: skip
    shares = {f"`{n}`": [f"{o[f'within_{k}']:.1%}" for k in (1, 2, 3)] for n, o in observables.items()}
    lost = {f"`{n}`": [f"{p['delta_log_likelihood'][q]:.2g}" for q in _QUANTILES] for n, p in probes.items()}
    sigma = {f"`{n}`": [f"{p['data_sigma'][q]:.2g}" for q in _QUANTILES] for n, p in probes.items()}
    heads = ("median", "68 %", "95 %", "largest")
    return f"""## The emulator `acg` against {found["points"]} simulations of 21cmFAST

Absolute errors are in the observable's own unit, see [emulators.md](emulators.md). Fractional ones are
without meaning where an observable goes through zero.

{_table(("error", *heads), rows)}

![Quantiles of the error along the first axis](images/acg_errors.png)

### Calibration: the share of values within the stated error

A normal distribution has 68.3 %, 95.4 % and 99.7 %.

{_table(("", "within 1", "within 2", "within 3"), shares)}

![Share of errors within a multiple of the stated one](images/acg_calibration.png)

### What it means for the likelihood

|delta ln L| between the emulator's prediction and the simulation, by probe of the default fit:

{_table(("probe", *heads), lost)}

The difference of the two in units of the data's errors (for limits: of the limit):

{_table(("probe", *heads), sigma)}
"""


def _bench(rows: list[Mapping[str, Any]]) -> str:
    found = {f"{row['batch']:,}": [f"{row['microseconds']:.1f}", f"{1e6 / row['microseconds']:,.0f}"] for row in rows}
    head = ("points at once", "microseconds a point", "points a second")
    return f"## The default joint likelihood, NumPy\n\n{_table(head, found)}\n"


def _table(head: tuple[str, ...], rows: Mapping[str, list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


if __name__ == "__main__":
    (DOCS / "accuracy.md").write_text(page(), encoding="utf-8")
