"""The BibTeX of a fit names what that fit used, and nothing else."""

from __future__ import annotations

import re

import pytest
from helpers import command

from astroemu.core.catalog import Catalog
from astroemu.inference import bibliography as module
from astroemu.inference.bibliography import bibliography, bibtex
from astroemu.inference.configuration import load_configuration

KEYS = re.compile(r"^@\w+\{([^,]+),", re.MULTILINE)


@pytest.fixture
def default():
    return load_configuration("reionization")


def test_the_default_fit(default):
    text = bibtex(default)
    assert KEYS.findall(text) == [
        *("HERA2023", "HERA2022", "Bouwens2021", "Oesch2018", "McGreer2015", "Planck2018VI"),
        *("Breitman2024", "ForemanMackey2013", "Harris2020", "Virtanen2020", "Astropy2022"),
    ]
    assert text.count("{") == text.count("}")
    assert "% probe uv_luminosity_function: Bouwens2021, Oesch2018" in text


def test_other_choices_are_other_papers():
    chosen = ["probes.optical_depth.reference=Pagano+2020", 'probes.uv_luminosity_function.sets={"Donnan+2024"=[9.0]}']
    keys = KEYS.findall(bibtex(load_configuration("reionization", chosen), "ultranest"))
    assert {"Pagano2020", "Donnan2024", "Buchner2021"} <= set(keys)
    assert not {"Planck2018VI", "Bouwens2021", "ForemanMackey2013"} & set(keys)
    keys = KEYS.findall(bibtex(load_configuration("reionization"), "multinest"))
    assert {"Feroz2009", "Feroz2019", "Buchner2014"} <= set(keys)


def test_a_paper_of_no_bibliography_has_an_entry_with_what_is_known(default, monkeypatch):
    monkeypatch.setattr(module, "bibliography", dict)
    text = bibtex(default)
    assert "@misc{arXiv:2210.04912," in text and "eprint = {1202.3665}" in text
    assert "note = {Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665}" in text


def test_numbers_of_the_last_century_are_known():
    assert module._NUMBER.findall("arXiv:astro-ph/9911177; arXiv:1201.3654") == ["astro-ph/9911177", "1201.3654"]
    assert "year = {1999}" in module._minimal("astro-ph/9911177", "")
    assert "year = {2006}" in module._minimal("astro-ph/0608032", "")


def test_a_text_without_a_number_is_a_note():
    assert module._without_number("Me & you 2026") == "@misc{MeYou2026,\n  note = {Me \\& you 2026}\n}"


def test_every_entry_is_whole():
    for number, entry in bibliography().items():
        published = entry.startswith("@article{")
        assert (published or entry.startswith("@misc{")) and entry.endswith("}"), number
        needed = ("author", "title", "year", *(("journal", "volume", "pages") if published else ()))
        assert all(f"{field} = " in entry for field in needed), number
        assert entry.count("{") == entry.count("}")


def test_the_command(tmp_path):
    code, said, _ = command("cite", "galaxies")
    assert code == 0 and "Park2019" in said and "Breitman2024" not in said
    code, _, error = command("cite", str(tmp_path))
    assert code == 2 and "does not hold a finished run" in error


@pytest.mark.attack("plugins", "`papers` of a plugin that name the method only: the data were not cited")
def test_papers_of_a_probe_do_not_replace_those_of_its_data(default, monkeypatch):
    probe = default.probes()["optical_depth"]
    probe.papers = ("2305.05679",)  # the paper of a method
    monkeypatch.setattr(type(default), "probes", lambda _: {"optical_depth": probe})
    assert {"Planck2018VI", "Pagano2020"} <= set(KEYS.findall(bibtex(default)))
    probe.catalogs = (Catalog("mine", probe.catalogs[0].path, reference="Nobody 2026, in preparation"),)
    text = bibtex(default)
    assert "% data of probe optical_depth: Nobody2026InPreparation" in text and "arXiv:2305.05679" in text


def test_a_choice_among_the_papers_of_a_catalog_is_kept():
    chosen = ['probes.neutral_fraction.references=["Greig+2017"]', "probes.neutral_fraction.z_min=0.0"]
    text = bibtex(load_configuration("reionization", chosen))
    assert "% probe neutral_fraction: arXiv:1606.00441\n" in text
