"""Trained emulators that ship with astroemu; docs/emulators.md has the commands that made them."""

from __future__ import annotations

from pathlib import Path

#: 21cmFAST's atomic-cooling galaxies, distilled from 21cmEMU.
ACG = Path(__file__).parent / "acg.h5"
