"""Print what each likelihood of low-l EE says on tau_e alone, at a fixed A_s exp(-2 tau_e).

    pip install --no-deps elica==0.1.0 relike==0.0.4
    python docs/scripts/low_ell_ee.py

`planck_low_ell` and `elica` get spectra of the emulator `cmb`. `relike` gets x_HI(z): a hyperbolic tangent, as in its
package. The prior of tau_e is flat. The interval is the densest 68.3 % of the posterior.
"""

from __future__ import annotations

import numpy as np

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Fixed, Uniform
from astroemu.core.provider import Prediction
from astroemu_plugins.thomson import optical_depth
from astroemu_probes.elica import Elica
from astroemu_probes.planck_low_ell import PlanckLowEll
from astroemu_probes.relike import Relike

#: LambdaCDM of Planck 2018, and 10^9 A_s exp(-2 tau_e).
COSMOLOGY = {"omega_b_h2": 0.02237, "omega_c_h2": 0.1200, "theta_mc_100": 1.04092, "n_s": 0.9649}
AMPLITUDE = 1.88
#: Cosmology of RELIKE: h, omega_m, omega_b and the helium mass fraction.
BACKGROUND = (0.6729736, 0.3148281, 0.02224278 / 0.6729736**2, 0.2453368)
TAU = np.linspace(0.0105, 0.1495, 1391)
REFERENCE = {
    "planck_low_ell": "",
    "elica": "0.0575 +0.0048 -0.0058 (Genesini et al. 2026)",
    "relike": "0.0589 ± 0.0062 (code of the package relike 0.0.4, same prior)",
}


def of_spectra(probe):
    """Return ln L at each of TAU, with spectra of the emulator."""
    emulator = astroemu.load_emulator("cmb")
    fixed = tuple(astroemu.Parameter(name, Fixed(value)) for name, value in COSMOLOGY.items())
    free = (astroemu.Parameter("ln_10_10_a_s", Uniform(2.75, 3.40)), astroemu.Parameter("tau_e", Uniform(0.01, 0.15)))
    model = astroemu.Model(astroemu.Prior((*fixed, *free)), {"cmb": emulator}, {"probe": probe}, engine="numpy")
    columns = {"tau_e": TAU, "ln_10_10_a_s": np.log(10 * AMPLITUDE) + 2.0 * TAU}
    return model.log_likelihood(np.stack([columns[name] for name in model.names], axis=1))


def tangent(z, z_re):
    """Return x_HI of tangents with the width 0.015 (1 + z_re) in redshift, as in the package relike."""
    width = 1.5 * 0.015 * (1.0 + z_re) ** 1.5
    return 0.5 * (1.0 - np.tanh(((1.0 + z_re) ** 1.5 - (1.0 + z) ** 1.5) / width))


def of_tangents(probe):
    """Return ln L at each of TAU, with tangents of this tau_e. RELIKE has no histories with z_re below 6."""
    z, z_re = np.linspace(3.0, 30.0, 2701), np.linspace(6.0, 20.0, 800)[:, None]
    h, omega_m, omega_b, y_he = (np.full(len(z_re), value) for value in BACKGROUND)
    tau = optical_depth(h, omega_m, omega_b, z, 1.0 - tangent(z, z_re), NUMPY, float(y_he[0]))
    needed = probe.requires["x_hi"]
    value = tangent(needed.at["z"], np.interp(TAU, tau, z_re[:, 0])[:, None]) @ needed.weights.T
    log_l = probe.log_likelihood({"x_hi": Prediction(value)}, {}, NUMPY)
    return np.where(tau[0] <= TAU, log_l, -np.inf)


def summary(log_l):
    """Return mean, standard deviation, and distances from the mean to the ends of the densest 68.3 %."""
    density = np.exp(log_l - log_l.max())
    density /= density.sum()
    mean = float(density @ TAU)
    order = np.argsort(-density)
    densest = TAU[order[: np.searchsorted(np.cumsum(density[order]), 0.683) + 1]]
    return mean, float(np.sqrt(density @ (TAU - mean) ** 2)), densest.max() - mean, mean - densest.min()


def main():
    found = {
        "planck_low_ell": of_spectra(PlanckLowEll(spectra=("EE",))),
        "elica": of_spectra(Elica()),
        "relike": of_tangents(Relike()),
    }
    print("| likelihood | tau_e | standard deviation | reference |\n|---|---|---|---|")
    for name, log_l in found.items():
        mean, sd, up, down = summary(log_l)
        print(f"| `{name}` | {mean:.4f} +{up:.4f} -{down:.4f} | {sd:.4f} | {REFERENCE[name]} |")


if __name__ == "__main__":
    main()
