"""``astroemu cite``: an installed name comes before a folder of that name, as in ``astroemu fit``."""

from __future__ import annotations

from helpers import command


def test_an_installed_name_comes_before_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "galaxies").mkdir()
    code, said, _ = command("cite", "galaxies")
    assert code == 0 and "@" in said
    code, _, error = command("cite", "./galaxies")
    assert code == 2 and "does not hold a finished run" in error
