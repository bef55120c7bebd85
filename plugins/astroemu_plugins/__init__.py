"""The emulators, samplers and simulators that ship with astroemu, one file each."""

from __future__ import annotations

from pathlib import Path

#: The papers of these samplers and simulators as BibTeX.
REFERENCES = Path(__file__).parent / "references.bib"
