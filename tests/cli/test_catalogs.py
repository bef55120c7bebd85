"""``astroemu catalogs``: the list of catalogs, and what cannot be fetched."""

from __future__ import annotations

from helpers import command


def test_the_catalogs_are_listed():
    code, out, _ = command("catalogs", "list")
    assert code == 0 and "planck2018_plik_lite" in out and "act_dr6_lite\n" in out


def test_a_catalog_that_comes_with_its_package_is_not_fetched():
    code, _, err = command("catalogs", "fetch", "act_dr6_lite")
    assert code == 2 and "comes with its package" in err


def test_a_catalog_in_the_wheel_of_another_package_is_installed_by_pip():
    code, _, err = command("catalogs", "fetch", "elica")
    assert code == 2 and "pip install 'astroemu-inference[elica]'" in err


def test_an_unknown_catalog_is_refused_with_the_known_ones():
    code, _, err = command("catalogs", "fetch", "planck")
    assert code == 2 and "planck2018" in err


def test_a_catalog_is_shown_and_drawn(tmp_path):
    picture = tmp_path / "tau.png"
    code, out, _ = command("catalogs", "show", "optical-depth", "--out", str(picture))
    assert code == 0 and "Genesini+2026" in out and "Overlaps: all rows share Planck HFI data" in out
    assert picture.read_bytes()[:4] == b"\x89PNG" and f"Written: {picture}" in out
    code, _, err = command("catalogs", "show", "optical_depth", "--out", str(picture))
    assert code == 2 and "is not overwritten" in err


def test_the_rows_of_one_paper_are_shown():
    code, out, _ = command("catalogs", "show", "optical_depth", "--reference", "Li+2025")
    assert code == 0 and "Li+2025    0.053   0.018   0.019" in out
    code, _, err = command("catalogs", "show", "optical_depth", "--reference", "Li+2026")
    assert code == 2 and "Did you mean 'Li+2025'" in err


def test_an_unknown_catalog_cannot_be_shown():
    code, _, err = command("catalogs", "show", "optical_dept")
    assert code == 2 and "Did you mean 'optical_depth'" in err
