"""Paths of the trained emulators that ship with astroemu. docs/emulators.md has the commands that made them."""

from __future__ import annotations

from pathlib import Path

#: Atomic-cooling galaxies of 21cmFAST; trained on predictions of 21cmEMU.
ACG = Path(__file__).parent / "acg.h5"
#: Spectra of the CMB in flat LambdaCDM; trained on CAMB.
CMB = Path(__file__).parent / "cmb.h5"
#: Background cosmology for the same parameters as the spectra; trained on CAMB.
CMB_BACKGROUND = Path(__file__).parent / "cmb_background.h5"
#: Atomic- and molecular-cooling galaxies of 21cmFAST; trained on predictions of 21cmEMU.
MCG = Path(__file__).parent / "mcg.h5"
#: Galaxies and reionization in closed form, in any flat cosmology near Planck's; trained on the simulator park19.
PARK19_COSMOLOGY = Path(__file__).parent / "park19_cosmology.h5"
