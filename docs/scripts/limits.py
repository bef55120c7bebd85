"""Print 95 % limits on a flat Delta^2 for each treatment of the errors: python docs/scripts/limits.py

The model is the same Delta^2 at all k of a band, with a flat prior from zero. A modelling error of 20 % is either
independent for every datum, or common to a band. So is an emulator's error of 14 %.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import cumulative_trapezoid

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu_probes.power_spectrum_21cm import PowerSpectrum21cm

BANDS = {"band2": 7.93, "band1": 10.37}
#: Upper end of the flat prior [mK^2]. It matters for the largest error only, whose tail is long.
MOST = {"band2": 4000.0, "band1": 20000.0}
#: Modelling fraction, correlation, and the emulator's error as a fraction.
ERRORS = {
    "no modelling error": (0.0, "independent", 0.0),
    "20 %, independent": (0.2, "independent", 0.0),
    "20 %, common": (0.2, "common", 0.0),
    "20 % and an emulator's 14 %, independent": (0.2, "independent", 0.14),
    "20 % and an emulator's 14 %, common": (0.2, "common", 0.14),
}
#: Readings of the official file.
READINGS = ("as given", "clipped", "conservative")


def limit(band: str, fraction: float, correlation: Any, emulator: float = 0.0, **options: Any) -> float:
    """Return the 95 % limit [mK^2] on a flat Delta^2 in one band."""
    probe = PowerSpectrum21cm(bands=(band,), modelling_fraction=fraction, modelling_correlation=correlation, **options)
    power = np.linspace(0.0, MOST[band], 1201)
    model = power[:, None] * np.sum(np.asarray(probe.requires["delta21_sq"].weights), axis=1)
    log_l = probe.log_likelihood({"delta21_sq": Prediction(model, emulator * model if emulator else None)}, {}, NUMPY)
    cumulative = cumulative_trapezoid(np.exp(log_l - log_l.max()), power, initial=0.0)
    return float(np.interp(0.95, cumulative / cumulative[-1], power))


def main() -> None:
    """Print the tables."""
    for norm in ("as given", "renormalise", "cut"):
        print(f"\n| windows: {norm} | {' | '.join(f'z = {z}' for z in BANDS.values())} |\n|---|---|---|")
        for name, errors in ERRORS.items():
            found = [limit(band, *errors, window_norm=norm) for band in BANDS]
            print(f"| {name} | {' | '.join(f'{value:.0f}' for value in found)} |")
    official = Path(__file__).parents[3] / "shared" / "data" / "hera_h1c_idr3_official.h5"
    if official.is_file():
        print("\n| official file, no modelling error | z = 7.87 | z = 10.35 |\n|---|---|---|")
        for reading in READINGS:
            found = [limit(band, 0.0, "independent", catalog=str(official), reading=reading) for band in BANDS]
            print(f"| {reading} | {' | '.join(f'{value:.0f}' for value in found)} |")


if __name__ == "__main__":
    main()
