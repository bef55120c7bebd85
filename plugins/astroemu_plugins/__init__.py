"""Emulators, samplers, simulators and derived quantities that ship with astroemu."""

from __future__ import annotations

from pathlib import Path

#: BibTeX entries of the papers of these samplers and simulators.
REFERENCES = Path(__file__).parent / "references.bib"
