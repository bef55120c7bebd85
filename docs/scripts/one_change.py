"""Print what each choice does to a fit, one change at a time:

    python docs/scripts/one_change.py errors --out runs/errors

The table `errors` has the error models of the fit `reionization`. The table `data` goes from its data to those of
`reionization_2026`. Each row is the fit with one change. It has the median of each parameter, and its shift from the
first row in units of the standard deviation there. Completed fits are kept in the folder and not run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from astroemu.sampling.samples import Samples

_HERA, _UV, _X_HI = ("probes.power_spectrum_21cm", "probes.uv_luminosity_function", "probes.neutral_fraction")
_ERRORS = {
    "default": [],
    "HERA: independent errors": [f"{_HERA}.modelling_correlation=independent"],
    "HERA: no modelling error": [f"{_HERA}.modelling_fraction=0.0"],
    "HERA: windows as given": [f'{_HERA}.window_norm="as given"'],
    "HERA: windows cut": [f"{_HERA}.window_norm=cut"],
    "HERA: half-normal systematics, 1000 mK^2": [
        f"{_HERA}.systematics=half_normal",
        f"{_HERA}.systematics_width=1000.0",
    ],
    "x_HI: Davies+2026": [f'{_X_HI}.references=["Davies+2026"]'],
    "UV: bin centres": [f"{_UV}.bins=centre"],
    "UV: Gaussian non-detections": [f"{_UV}.non_detections=gaussian"],
    "UV: no cosmic variance": [f"{_UV}.cosmic_variance=0.0"],
    "no error of the emulator": ["emulator_error=false"],
}
_DATA = {
    "`reionization`": [],
    "21-cm limits of 2025 and 2026": [
        'probes.limits_21cm.references=["HERA2026", "Nunhokee2025", "Mertens2025", "Munshi2025"]',
        "probes.limits_21cm.sigma_fraction=0.25",
    ],
    "JWST at z = 9 and 10, no HST at 10": [f'{_UV}.sets={{"Bouwens+2021"=[6.0, 7.0, 8.0], "Donnan+2024"=[9.0, 10.0]}}'],
    "neutral fractions of 2024 to 2026": [f'{_X_HI}.references=["Davies+2026", "Greig+2024", "Kageura+2025"]'],
    "optical depth of ELiCA": ["probes.optical_depth.reference=Genesini+2026"],
}
#: Settings of each fit, by the name of its row, for each table.
TABLES = {
    "errors": _ERRORS,
    "data": {**_DATA, "all, `reionization_2026`": [setting for settings in _DATA.values() for setting in settings]},
}


def fit(folder: Path, settings: list[str], more: list[str]) -> None:
    """Run the fit, unless the folder exists already."""
    if (folder / "summary.json").is_file():
        return
    options = [part for setting in (*settings, *more) for part in ("--set", setting)]
    command = [sys.executable, "-m", "astroemu", "fit", "reionization", "--no-report", "--out", str(folder), *options]
    subprocess.run(command, check=True)


def main() -> None:
    """Run the fits and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("table", choices=tuple(TABLES))
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--only", nargs="*", default=[], help="numbers of rows, beside the first")
    arguments.add_argument("--set", action="append", default=[], help="a setting of all fits, such as a small budget")
    given = arguments.parse_args()
    rows: dict[str, Samples] = {}
    for number, (name, settings) in enumerate(TABLES[given.table].items()):
        if number and given.only and str(number) not in given.only:
            continue
        folder = given.out / f"{number:02d}"
        fit(folder, settings, given.set)
        rows[name] = Samples.load(folder / "samples.h5")
    first = next(iter(rows.values()))
    print(
        "| Change | " + " | ".join(f"`{name}`" for name in first.names) + " |\n" + "|---" * (len(first.names) + 1) + "|"
    )
    for name, samples in rows.items():
        median = samples.quantile(0.5)
        shifts = (median - first.quantile(0.5)) / first.std()
        cells = [f"{m:.3g} ({s:+.2f})" for m, s in zip(median, shifts, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
