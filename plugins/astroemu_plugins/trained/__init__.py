"""Trained emulators that ship with astroemu; docs/emulators.md has the commands that made them."""

from __future__ import annotations

from pathlib import Path

#: 21cmFAST's atomic-cooling galaxies, distilled from 21cmEMU.
ACG = Path(__file__).parent / "acg.h5"
#: Spectra of the CMB in flat LambdaCDM, and what the background cosmology of the same parameters is; from CAMB.
CMB = Path(__file__).parent / "cmb.h5"
CMB_BACKGROUND = Path(__file__).parent / "cmb_background.h5"
