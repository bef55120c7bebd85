"""Files of other packages as catalogs, and the papers that texts name."""

from __future__ import annotations

import pytest

from astroemu.errors import DataError
from astroemu_probes.foreign_data import ForeignData, arxiv_numbers, files_below, papers_in


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "windows").mkdir()
    (tmp_path / "__pycache__").mkdir()
    for name in ("b.txt", "windows/a.txt", ".hidden", "__pycache__/c.pyc"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_caches_and_hidden_files_are_left_out(folder):
    assert files_below(folder) == (folder / "b.txt", folder / "windows" / "a.txt")


def test_the_checksum_is_that_of_all_files(folder):
    def checksum():
        return ForeignData("some", folder / "b.txt", files=files_below(folder)).sha256

    first = checksum()
    assert checksum() == first
    (folder / "windows" / "a.txt").write_text("changed")
    assert checksum() != first


def test_a_file_that_is_gone_is_named(folder):
    catalog = ForeignData("some", folder / "b.txt", files=files_below(folder))
    (folder / "b.txt").unlink()
    with pytest.raises(DataError, match=r"there is no file .*b\.txt"):
        _ = catalog.sha256


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("see https://arxiv.org/abs/2503.14452 and arXiv:2001.00001", ("2503.14452", "2001.00001")),
        ("  eprint = {2603.22454},\n  eprint = \"astro-ph/9911177\"", ("2603.22454", "astro-ph/9911177")),
        ("[arXiv:2603.22454](https://arxiv.org/abs/2603.22454)", ("2603.22454",)),
        ("version 2024.12345 of 1234.5678", ()),
    ],
)  # fmt: skip
def test_arxiv_numbers_are_found(text, numbers):
    assert arxiv_numbers(text) == numbers


def test_papers_of_files_are_found(folder):
    (folder / "b.txt").write_text("# https://arxiv.org/abs/2212.05642\n")
    assert papers_in([folder / "b.txt"]) == ("2212.05642",)
    with pytest.raises(DataError, match="cannot read"):
        papers_in([folder / "nothing"])
