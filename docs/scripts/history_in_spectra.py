"""Measure the information on a reionization history in the CMB spectra beyond its optical depth.

    pip install classy
    python docs/scripts/history_in_spectra.py

CAMB describes the history by a hyperbolic tangent. Here, CLASS (reio_inter) uses the histories of park19 directly. They
are compared with a tangent of the same tau_e. The script prints the chi-square of EE at l <= 30 for cosmic variance
alone, over the full sky.
"""

from __future__ import annotations

import numpy as np
from classy import Class

from astroemu_plugins.simulators.park19 import Park19

COSMOLOGY = {"h": 0.6766, "omega_m": 0.3111, "omega_b": 0.0490, "sigma_8": 0.8102, "n_s": 0.9665}
GALAXIES = {
    "log10_f_star10": -1.25, "alpha_star": 0.5, "alpha_esc": -0.3, "log10_m_turn": 8.7, "t_star": 0.5, "clumping": 3.8
}  # fmt: skip
COMMON = {
    "output": "tCl,pCl,lCl", "lensing": "yes", "l_max_scalars": 200, "omega_b": 0.02242, "omega_cdm": 0.11933,
    "h": 0.6766, "n_s": 0.9665, "N_ur": 2.0328, "N_ncdm": 1, "m_ncdm": 0.06,
}  # fmt: skip
AMPLITUDE = 1.88  # 10^9 A_s exp(-2 tau)


def ee(tau, **reionization):
    engine = Class()
    engine.set({**COMMON, "A_s": 1e-9 * AMPLITUDE * np.exp(2 * tau), **reionization})
    engine.compute()
    found, depth = engine.lensed_cl(30)["ee"][2:], engine.get_current_derived_parameters(["tau_reio"])["tau_reio"]
    engine.struct_cleanup()
    return found, depth


def inter(z, x_hi):
    """Return the table of CLASS for a history.

    In this table, -1 means that helium is ionised once, and -2 that it is ionised twice, both with ionised hydrogen.
    After recombination, an ionised fraction of 2e-4 remains.
    """
    rows = [(0.0, -2.0), (3.0, -1.0)]
    for at, neutral in zip(z[::3], x_hi[::3], strict=True):
        rows.append((at, -1.0 if neutral < 1e-6 else 2e-4 + 1.08 * (1 - neutral)))
    rows.append((rows[-1][0] + 1.0, 0.0))
    return {
        "reio_parametrization": "reio_inter",
        "reio_inter_num": len(rows),
        "reio_inter_z": ",".join(f"{a:.4f}" for a, _ in rows),
        "reio_inter_xe": ",".join(f"{b:.6f}" for _, b in rows),
    }


def main():
    model, ell = Park19(), np.arange(2, 31)
    z = model.provides["x_hi"].axes[0].values
    print("| log10 f_esc,10 | tau_e | tangent of width 0.5 | 1.5 |\n|---|---|---|---|")
    for escape in (-1.3, -1.0, -0.7):
        given = {**COSMOLOGY, **GALAXIES, "log10_f_esc10": escape}
        theta = np.array([[given[p.name] for p in model.parameters]])
        history = inter(z, model.simulate(theta)["x_hi"][0])
        _, tau = ee(0.06, **history)
        true, tau = ee(tau, **history)
        row = []
        for width in (0.5, 1.5):
            tangent, _ = ee(tau, reio_parametrization="reio_camb", tau_reio=tau, reionization_width=width)
            ratio = true / tangent
            row.append(np.sum((2 * ell + 1) * (ratio - np.log(ratio) - 1)))
        print(f"| {escape} | {tau:.4f} | {row[0]:.2f} | {row[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
