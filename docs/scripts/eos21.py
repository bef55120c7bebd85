"""Run 21cmFAST with minihalos at EOS21 (Munoz et al. 2022), to see what moves its reionization.

    python docs/scripts/eos21.py
    python docs/scripts/eos21.py --z-step 1.05
    python docs/scripts/eos21.py --box 75 --refinement 4

Each run takes three to six CPU minutes. In an environment with 21cmFAST 3.4.0 (Python 3.10), which astroemu does not
support, the script runs that release with the same settings. It then needs neither astroemu nor its other packages.
There, ``--exact`` integrates the mass functions without the approximation that both releases use otherwise.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from importlib.metadata import version

import numpy as np

EOS21 = {
    "log10_f_star10": -1.25,
    "alpha_star": 0.5,
    "t_star": 0.5,
    "log10_f_esc10": -1.35,
    "alpha_esc": -0.3,
    "log10_f_star7": -2.5,
    "log10_f_esc7": -1.35,
    "log10_l_x": 40.5,
    "log10_l_x_mini": 40.5,
    "e_0_keV": 0.5,
    "sigma_8": 0.8118,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", type=float, default=150.0, help="side in Mpc")
    parser.add_argument("--cells", type=int, default=48)
    parser.add_argument("--refinement", type=int, default=2)
    parser.add_argument("--z-step", type=float, default=1.1)
    parser.add_argument("--exact", action="store_true", help="with version 3 only")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    begin, release = time.process_time(), version("21cmFAST")
    settings = (given.box, given.cells, given.refinement, given.z_step)
    is_old = release.startswith("3.")
    z, x_hi, tau = of_version_3(*settings, given.exact) if is_old else of_version_4(*settings)
    at = ", ".join(f"z({level}) = {np.interp(level, x_hi, z):.2f}" for level in (0.1, 0.5, 0.9))
    words = f"{given.box:g} Mpc, {given.cells} cells, refinement {given.refinement}, z_step {given.z_step:g}"
    words += ", exact integration" if given.exact else ""
    print(f"21cmFAST {release}, {words}: tau_e = {tau:.4f}, {at}; {time.process_time() - begin:.0f} CPU seconds")


def of_version_4(box: float, cells: int, refinement: int, z_step: float) -> tuple[np.ndarray, np.ndarray, float]:
    from astroemu_plugins.simulators.fast21cm import Fast21cm

    simulator = Fast21cm(
        box=box, cells=cells, refinement=refinement, z_step=z_step, seed=1, vary_seed=False, minihalos=True
    )
    found = simulator.simulate(np.array([[EOS21[p.name] for p in simulator.parameters]]))
    return simulator.provides["x_hi"].axes[0].values, found["x_hi"][0], float(found["tau_e"][0])


def of_version_3(
    box: float, cells: int, refinement: int, z_step: float, exact: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    import py21cmfast

    names = {
        "log10_f_star10": "F_STAR10",
        "alpha_star": "ALPHA_STAR",
        "t_star": "t_STAR",
        "log10_f_esc10": "F_ESC10",
        "alpha_esc": "ALPHA_ESC",
        "log10_f_star7": "F_STAR7_MINI",
        "log10_f_esc7": "F_ESC7_MINI",
        "log10_l_x": "L_X",
        "log10_l_x_mini": "L_X_MINI",
    }
    given = {
        "user_params": py21cmfast.UserParams(
            HII_DIM=cells,
            DIM=refinement * cells,
            BOX_LEN=box,
            POWER_SPECTRUM=5,  # CLASS
            USE_RELATIVE_VELOCITIES=True,
            USE_INTERPOLATION_TABLES=True,
            FAST_FCOLL_TABLES=not exact,  # GAMMA-APPROX of version 4
        ),
        "cosmo_params": py21cmfast.CosmoParams(
            SIGMA_8=EOS21["sigma_8"], hlittle=0.6688, OMm=0.321, OMb=0.04952, POWER_INDEX=0.9626
        ),
        "astro_params": py21cmfast.AstroParams(
            **{theirs: EOS21[ours] for ours, theirs in names.items()},
            ALPHA_STAR_MINI=0.5,
            NU_X_THRESH=1000.0 * EOS21["e_0_keV"],
            M_TURN=5.0,
            R_BUBBLE_MAX=min(50.0, 0.333 * box),
        ),
        "flag_options": py21cmfast.FlagOptions(
            USE_MASS_DEPENDENT_ZETA=True,
            USE_MINI_HALOS=True,
            INHOMO_RECO=True,
            USE_TS_FLUCT=True,
            PHOTON_CONS=False,
            USE_CMB_HEATING=False,
            USE_LYA_HEATING=False,
        ),
    }
    with tempfile.TemporaryDirectory() as folder, py21cmfast.global_params.use(ZPRIME_STEP_FACTOR=z_step):
        lightcone = py21cmfast.run_lightcone(
            redshift=5.1, max_redshift=35.0, random_seed=1, direc=folder, write=False, **given
        )
    z, x_hi = (np.array(values)[::-1] for values in (lightcone.node_redshifts, lightcone.global_xH))
    cosmology = {name: given[name] for name in ("user_params", "cosmo_params")}
    return z, x_hi, float(py21cmfast.compute_tau(redshifts=z, global_xHI=x_hi, **cosmology))


if __name__ == "__main__":
    main()
