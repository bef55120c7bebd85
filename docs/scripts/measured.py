"""Write docs/accuracy.md, and the table of memory in docs/speed.md: python docs/scripts/measured.py

These commands produced the JSON files in docs/measured, on a quiet machine:

    astroemu validate acg --data SIMULATIONS --model reionization --out OUT    OUT/validation.json
    astroemu bench --out docs/measured/bench.json
    KERAS_BACKEND=jax astroemu bench --engine keras --out docs/measured/bench_jax.json
    astroemu bench cmb_act_planck --batch 1 --batch 1000 --batch 10000 --out docs/measured/bench_cmb.json
    python benchmarks/peers.py --out docs/measured/peers.json
    python benchmarks/posteriors.py --out docs/measured/posteriors.json
    python benchmarks/memory.py --out docs/measured/memory.json
    astroemu calibrate ... --out OUT                     OUT/calibration.json, as calibration.json
    astroemu calibrate ... --simulations SIMULATIONS     OUT/calibration.json, as calibration_21cmfast.json

A missing file has no section. A test compares the pages with the output of this script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
_QUANTILES = ("median", "q68", "q95", "max")
_HEAD = """# Accuracy, calibration and speed: measured values

The script `docs/scripts/measured.py` writes this page from the JSON output of commands (`docs/measured/`).
No number is typed by hand. The meaning of the values is explained in
[emulators.md](emulators.md#how-accurate-it-is). That page also states to what extent the comparison was blind.
"""


def page(folder: Path = DOCS / "measured") -> str:
    """Return the page."""
    parts = [_HEAD]
    for name, section in _SECTIONS.items():
        if (folder / f"{name}.json").is_file():
            parts.append(section(json.loads((folder / f"{name}.json").read_text())))
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
    verdict, reason = "passed" if found["passed"] else "not passed", ""
    if found.get("truths_from_prior", 1.0) <= 0.01:
        share = found["weighted_joint"]["0.95"]
        reason = (
            "The verdict is based on the densest 95 % of the posteriors. "
            f"This region contains {share['found']:.1%} of the truths, weighted.\n"
        )
    return f"""## {title}

{found["fits"]} fits, {found["unconverged"]} of them unconverged; verdict: {verdict} ([calibration.md](calibration.md)).
{reason}
The table gives the share of the fits whose truth lies in the central interval of each level:

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

Absolute errors are in the unit of the observable ([emulators.md](emulators.md)). Fractional errors have no
meaning where an observable passes through zero.

{_table(("error", *heads), rows)}

![Quantiles of the error along the first axis](images/acg_errors.png)

### Calibration of the stated error

The table gives the share of values within 1, 2 and 3 stated errors. A normal distribution has 68.3 %, 95.4 %
and 99.7 %.

{_table(("", "within 1", "within 2", "within 3"), shares)}

![Share of errors within a multiple of the stated one](images/acg_calibration.png)

### Effect on the likelihood

The table gives |delta ln L| between the emulator's prediction and the simulation, for each probe of the default fit:

{_table(("probe", *heads), lost)}

The next table gives the difference of the two predictions in units of the data's errors. For limits, the unit is
the limit:

{_table(("probe", *heads), sigma)}
"""


def _bench(title: str, found: Mapping[str, Any]) -> str:
    rows = {
        f"{row['engine']}, {row['batch']:,}": [
            f"{row['microseconds']:.1f}",
            f"{1e6 / row['microseconds']:,.0f}",
            f"{row['of_sgemm']:.0%}",
            f"{row['of_peak']:.0%}",
        ]
        for row in found["timings"]
    }
    head = ("engine, batch size", "microseconds per point", "points per second", "of sgemm peak", "of both peaks")
    peaks = f"{found['sgemm'] / 1e9:.0f} GFLOP/s (sgemm) and {found['dgemm'] / 1e9:.0f} GFLOP/s (dgemm)"
    where = (
        "Measured on two cores without a GPU. In the same run, matrix products reached\n"
        f"{peaks}. The columns are explained in [speed.md](speed.md#measuring-the-speed)."
    )
    return f"## {title}\n\n{where}\n\n{_table(head, rows)}\n"


def _peers(found: Mapping[str, Any]) -> str:
    rows = {
        f"{work}: {name}": [f"{time:,.1f}", f"{time / next(iter(times.values())):.2f}"]
        for work, times in found["peers"].items()
        for name, time in times.items()
    }
    head = ("calculation, batch size: program", "microseconds per point", "relative to first row")
    text = (
        "The last column is the time relative to the first program of the same calculation and batch size.\n"
        "These times are of commit 7492599, before errors were common to data."
    )
    return f"## Comparison with 21cmEMU, 21CMMC and CosmoPower\n\n{text}\n\n{_table(head, rows)}\n"


def _posteriors(found: Mapping[str, Any]) -> str:
    rows = {
        f"`{row['configuration']}`, `{row['sampler']}`": [
            f"{row['seconds']:,.1f}",
            f"{row['likelihoods']:,}",
            f"{row['effective_samples']:,.0f}",
            f"{row['effective_samples_per_second']:.1f}",
            "yes" if row["converged"] else "no",
            "none" if row["log_evidence"] is None else f"{row['log_evidence']:.2f} +- {row['log_evidence_err']:.2f}",
        ]
        for row in found["fits"]
    }
    head = ("fit, sampler", "seconds", "likelihoods", "effective samples", "per second", "converged", "ln Z")
    left_out = "".join(f"* Left out: {name} ({why}).\n" for name, why in found["left_out"].items())
    text = "The columns are explained in [speed.md](speed.md#time-of-a-posterior)."
    peer = "" if found["peer"] is None else f"\n{_same_posterior(found['peer'])}"
    return f"## Speed of whole posteriors\n\n{text}\n\n{_table(head, rows)}\n{left_out and chr(10)}{left_out}{peer}"


def _same_posterior(peer: Mapping[str, Any]) -> str:
    ours, run, stretch, same = (peer[key] for key in ("ours", "run", "stretch", "agreement"))
    best = min(peer["microseconds"], key=peer["microseconds"].get)
    measured = ""
    if run is not None:
        measured = f"""\
* 21cmEMU with the same sampler: {run["seconds"]:,.0f} s for {run["likelihoods"]:,} likelihoods{_state(run)}, measured.
  **The same posterior takes {run["seconds"] / ours["seconds"]:.0f} times less time.**
"""
    return f"""### The same posterior by 21CMMC's definitions with 21cmEMU

The configuration `like_21cmmc` has the data, priors and definitions of 21CMMC. All times are of one run.

* astroemu: {ours["seconds"]:,.1f} s for {ours["likelihoods"]:,} likelihoods{_state(ours)}, measured.
{measured}* 21CMMC's own sampler: {stretch["likelihoods"]:,} likelihoods of stretch moves{_state(stretch)}, measured on
  astroemu's likelihood. 21cmEMU takes {peer["microseconds"][best]:,.0f} microseconds for each, in batches of {best}.
  The product of the two is {peer["product"]:,.0f} s, {peer["product"] / ours["seconds"]:,.0f} times as long. It was
  not run.
* {same["draws"]} samples of astroemu's posterior were weighted with the likelihood of 21cmEMU. They count as
  {same["share"]:.0%} of their number. The means move by at most {same["shift"]:.2f} standard deviations.
"""


def _state(row: Mapping[str, Any]) -> str:
    return "" if row["converged"] else " (not converged)"


def with_memory(text: str, folder: Path = DOCS / "measured") -> str:
    """Return the page of the speed with its table of memory, between two comments."""
    file = folder / "memory.json"
    before, _, rest = text.partition(_MEMORY)
    _, _, after = rest.partition(_END)
    table = _memory(json.loads(file.read_text())) if file.is_file() else ""
    return f"{before}{_MEMORY}\n{table}{_END}{after}"


def _memory(found: Mapping[str, Any]) -> str:
    lines = [
        f"| {row['title']} | {row['points']:,} | {row['peak']:,.0f} | {row['more']:,.0f} | {row['microseconds']:.1f} |"
        for row in found["rows"]
    ]
    size = next((row for row in found["rows"] if "file" in row), None)
    record = f"The file of {size['points']:,} likelihoods has {size['file']:,.0f} MB.\n" if size else ""
    return "\n".join([
        f"A process that only imports the libraries has a peak of {found['imports']:.0f} MB. {record}",
        "| what | points | peak [MB] | more than imports [MB] | microseconds per point |",
        "|---|---|---|---|---|",
        *lines,
        "",
    ])  # fmt: skip


def _table(head: tuple[str, ...], rows: Mapping[str, list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


#: Files of the folder, and the functions that write their sections.
_SECTIONS: dict[str, Callable[[Any], str]] = {
    "acg_against_21cmfast": _validation,
    "calibration": partial(_calibration, "Calibration of the default fit on mock data from the emulator"),
    "calibration_21cmfast": partial(_calibration, "Calibration of the default fit on mock data from 21cmFAST"),
    "bench": partial(_bench, "Speed of the default joint likelihood"),
    "bench_jax": partial(_bench, "Speed of the default joint likelihood, compiled by JAX"),
    "bench_cmb": partial(_bench, "Speed of plik-lite, ACT DR6 and the low multipoles"),
    "posteriors": _posteriors,
    "peers": _peers,
}
#: Comments around the table of memory in docs/speed.md.
_MEMORY, _END = "<!-- memory: written by docs/scripts/measured.py -->", "<!-- end of memory -->"


if __name__ == "__main__":
    (DOCS / "accuracy.md").write_text(page(), encoding="utf-8")
    speed = DOCS / "speed.md"
    speed.write_text(with_memory(speed.read_text(encoding="utf-8")), encoding="utf-8")
