"""``astroemu catalogs``: the list of catalogs, and what cannot be fetched."""

from __future__ import annotations

from helpers import command


def test_the_catalogs_are_listed():
    code, out, _ = command("catalogs", "list")
    assert code == 0 and "planck2018_plik_lite" in out and "act_dr6_lite\n" in out


def test_a_catalog_that_comes_with_its_package_is_not_fetched():
    code, _, err = command("catalogs", "fetch", "act_dr6_lite")
    assert code == 2 and "comes with its package" in err


def test_an_unknown_catalog_is_refused_with_the_known_ones():
    code, _, err = command("catalogs", "fetch", "planck")
    assert code == 2 and "planck2018" in err
