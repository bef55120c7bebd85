"""The papers to cite for a fit, as BibTeX.

Probes, catalogs, emulators, simulators and samplers name papers by their arXiv numbers. The entries come from the
installed bibliographies (entry-point group ``astroemu.references``, one ``.bib`` file each). A paper that is in none
of them gets a minimal entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from astroemu.errors import PluginError
from astroemu.inference.configuration import Configuration
from astroemu.runtime.plugins import REFERENCES
from astroemu.sampling.sampler import Sampler

_NUMBER = re.compile(r"\b(?:\d{4}\.\d{4,5}|astro-ph/\d{7})\b")
_EPRINT = re.compile(r"eprint\s*=\s*[{\"]\s*([^}\"\s]+)")
_KEY = re.compile(r"@\w+\{\s*([^,\s]+)")
#: Papers of the software that every fit uses: NumPy, SciPy, Astropy.
_SOFTWARE = ("2006.10256", "1907.10121", "2206.14220")


def bibliography() -> dict[str, str]:
    """Return all entries of the installed bibliographies, by arXiv number.

    A bibliography that fails to load is left out.
    """
    files = [Path(__file__).with_name("references.bib")]
    for name in REFERENCES.names:
        try:
            files.append(REFERENCES.load(name))
        except PluginError:
            continue
    found = {}
    for file in files:
        for entry in re.split(r"\n(?=@)", file.read_text(encoding="utf-8")):
            number = _EPRINT.search(entry)
            if number:
                found[number[1]] = entry.strip()
    return found


def bibtex(configuration: Configuration, sampler: str | None = None) -> str:
    """Return the BibTeX entries of all that a fit uses, grouped by part; a comment names each part.

    Parameters
    ----------
    configuration : Configuration
    sampler : str, optional
        Name of the sampler; by default that of the configuration.

    Returns
    -------
    str
        The content of a ``.bib`` file.
    """
    known, written = bibliography(), set[str]()
    blocks = []
    for part, text in _parts(configuration, configuration.sampler(sampler)):
        numbers = _NUMBER.findall(text)
        entries = [known.get(number) or _minimal(number, text if len(numbers) == 1 else "") for number in numbers]
        if text and not numbers:
            entries = [_without_number(text)]
        new = [entry for entry in entries if entry not in written]
        written.update(new)
        keys = ", ".join(match[1] for entry in entries if (match := _KEY.match(entry))) or "nothing to cite"
        blocks.append("\n\n".join([f"% {part}: {keys}", *new]))
    return "\n\n".join(blocks) + "\n"


def _parts(configuration: Configuration, sampler: Sampler) -> Iterable[tuple[str, str]]:
    """Yield each part of a fit: its name, and a text that holds the arXiv numbers of its papers."""
    for name, probe in configuration.probes().items():
        # A probe that names papers of its catalog has chosen them for the data in use. Otherwise all of them count.
        unnamed = [catalog for catalog in probe.catalogs if not set(catalog.arxiv) & set(probe.papers)]
        papers = [*probe.papers, *(number for catalog in unnamed for number in catalog.arxiv)]
        unnumbered = "; ".join(catalog.reference for catalog in probe.catalogs if not catalog.arxiv)
        yield f"probe {name}", " ".join(dict.fromkeys(papers)) or unnumbered
        if papers and unnumbered:
            yield f"data of probe {name}", unnumbered
    for name, provider in {**configuration.emulators(), **configuration.simulators()}.items():
        yield f"model {name}", provider.citation
    yield f"sampler {sampler.name}", sampler.citation
    yield "software", " ".join(_SOFTWARE)


def _minimal(number: str, text: str) -> str:
    """Return an entry made of an arXiv number and, if there is one, a line of text."""
    note = f"  note = {{{_escaped(text)}}},\n" if text.strip() != number and text else ""
    year = number.rpartition("/")[2][:2]  # two digits; those that begin with 9 are of the 1990s
    fields = f"eprint = {{{number}}}, archivePrefix = {{arXiv}}, year = {{{'19' if year[0] == '9' else '20'}{year}}}"
    return f"@misc{{arXiv:{number},\n{note}  {fields}\n}}"


def _without_number(text: str) -> str:
    key = re.sub(r"\W+", "", text.title())[:24]
    return f"@misc{{{key},\n  note = {{{_escaped(text)}}}\n}}"


def _escaped(text: str) -> str:
    return re.sub(r"([&%#_])", r"\\\1", text)
