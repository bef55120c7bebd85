"""Compare the luminosity functions of park19 with those of 21cmFAST itself, for several cosmologies.

    pip install -e '.[21cmfast]'
    python -W ignore docs/scripts/park19_against_21cmfast.py

21cmFAST computes them without a simulation box (``compute_luminosity_function``). Both use the transfer function of
Eisenstein & Hu.
"""

from __future__ import annotations

import numpy as np

from astroemu_plugins.simulators.fast21cm import _M_UV, _Z_LF, Fast21cm
from astroemu_plugins.simulators.park19 import Park19

GALAXIES = {
    "log10_f_star10": -1.25, "alpha_star": 0.5, "log10_f_esc10": -1.0, "alpha_esc": -0.3, "log10_m_turn": 8.7,
    "t_star": 0.5, "clumping": 3.8,
}  # fmt: skip
#: Values of h, Omega_m, Omega_b, sigma_8 and n_s by cosmology.
COSMOLOGIES = {
    "Planck 2018": (0.6766, 0.3111, 0.0490, 0.8102, 0.9665),
    "WMAP 9": (0.6932, 0.2865, 0.0463, 0.8200, 0.9608),
    "high sigma_8": (0.6766, 0.3111, 0.0490, 0.8600, 0.9665),
    "low sigma_8": (0.6766, 0.3111, 0.0490, 0.7600, 0.9665),
    "low h, high Omega_m": (0.6400, 0.3500, 0.0540, 0.8300, 0.9500),
    "red tilt": (0.6766, 0.3111, 0.0490, 0.8102, 0.9300),
}
THEIRS = ("hlittle", "OMm", "OMb", "SIGMA_8", "POWER_INDEX")


def main():
    theirs, mine = Fast21cm(), Park19()
    shape = mine.provides["log10_uv_lf"]
    rows = np.searchsorted(shape.axes[0].values, _Z_LF)
    columns = np.searchsorted(shape.axes[1].values, _M_UV)
    names = theirs._release.parameters
    values = {names[name]: value for name, value in GALAXIES.items() if name in names}
    turnover = np.full(len(theirs._nodes), GALAXIES["log10_m_turn"])
    print("| cosmology | median | 95 % | largest |\n|---|---|---|---|")
    for name, cosmology in COSMOLOGIES.items():
        inputs = theirs._inputs.evolve_input_structs(**values, **dict(zip(THEIRS, cosmology, strict=True)))
        true = theirs._luminosity_function(inputs, (turnover, turnover))
        given = {**GALAXIES, **dict(zip(("h", "omega_m", "omega_b", "sigma_8", "n_s"), cosmology, strict=True))}
        theta = np.array([[given[p.name] for p in mine.parameters]])
        found = mine.simulate(theta)["log10_uv_lf"][0][np.ix_(rows, columns)]
        error = np.abs(found - true)[true > -6]
        print(f"| {name} | {np.median(error):.4f} | {np.quantile(error, 0.95):.4f} | {error.max():.4f} |", flush=True)


if __name__ == "__main__":
    main()
