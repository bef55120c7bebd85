"""Make the mock sky again: python make_mock.py OUT.ecsv

Signal: the emulator acg at stated parameters. Foreground: 180 K (nu / 180 MHz)^-2.6, the quiet sky of
Furlanetto, Oh & Briggs (2006, astro-ph/0608032), with a little curvature, so that the linear polynomial
of the probe has something to do. Noise: the radiometer equation for one antenna,

    sigma = T_sky / sqrt(channel x time).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astroemu_global_21cm import NU_21
from astropy.table import Table

from astroemu import Requirement, load_emulator

TRUTH = {
    "log10_f_star10": -1.3, "alpha_star": 0.5, "log10_f_esc10": -1.1, "alpha_esc": -0.3, "log10_m_turn": 8.7,
    "t_star": 0.5, "log10_l_x": 40.0, "e_0_keV": 0.5, "alpha_x": 1.0,
}  # fmt: skip
CHANNEL_MHZ = 1.0
HOURS = 100.0
SEED = 21


def main(out: str) -> None:
    nu = np.arange(58.0, 168.0 + 0.5 * CHANNEL_MHZ, CHANNEL_MHZ)
    emulator = load_emulator("acg")
    t_b = emulator.predict({name: np.array([value]) for name, value in TRUTH.items()})["t_b"][0]
    at = Requirement("t_b", {"z": NU_21 / nu - 1.0}, "mK", rule={"z": "cubic"})  # as the probe reads it
    signal = at.matrix(emulator.provides["t_b"]) @ t_b
    x = np.log(nu / 180.0)
    foreground = 180e3 * np.exp(-2.6 * x - 0.02 * x**2)  # mK
    error = (foreground + signal) / np.sqrt(CHANNEL_MHZ * 1e6 * HOURS * 3600.0)
    sky = foreground + signal + error * np.random.default_rng(SEED).standard_normal(len(nu))
    table = Table({"nu": nu, "t_sky": np.round(sky, 4), "error": np.round(error, 5)}, units=["MHz", "mK", "mK"])
    table["nu"].description = "centre of the channel"
    table["t_sky"].description = "sky temperature: a mock, not a measurement"
    table["error"].description = "noise of the radiometer equation"
    table.meta = {"mock": True, "truth": TRUTH, "hours": HOURS, "channel_MHz": CHANNEL_MHZ, "seed": SEED}
    table.write(Path(out), format="ascii.ecsv")


if __name__ == "__main__":
    main(*sys.argv[1:])
