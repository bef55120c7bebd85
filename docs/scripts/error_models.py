"""Print what each error model does to the default fit: python docs/scripts/error_models.py --out runs/error_models

Each row of the table is the fit `reionization` with one change. It has the median of each parameter, and its shift from
the default in units of the default's standard deviation. Completed fits are kept in the folder and not run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from astroemu.sampling.samples import Samples

_HERA, _UV, _X_HI = ("probes.power_spectrum_21cm", "probes.uv_luminosity_function", "probes.neutral_fraction")
#: Settings of each fit, by the name of its row.
CHANGES = {
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
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--only", nargs="*", default=[], help="numbers of rows, beside the default")
    arguments.add_argument("--set", action="append", default=[], help="a setting of all fits, such as a small budget")
    given = arguments.parse_args()
    chosen = [name for i, name in enumerate(CHANGES) if i == 0 or not given.only or str(i) in given.only]
    rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    names: tuple[str, ...] = ()
    for name in chosen:
        folder = given.out / f"{list(CHANGES).index(name):02d}"
        fit(folder, CHANGES[name], given.set)
        samples = Samples.load(folder / "samples.h5")
        names = samples.names
        rows[name] = samples.quantile(0.5), samples.std()
    default, width = rows["default"]
    print("| Change | " + " | ".join(f"`{name}`" for name in names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for name, (median, _) in rows.items():
        shifts = (median - default) / width
        cells = [f"{m:.3g} ({s:+.2f})" for m, s in zip(median, shifts, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
