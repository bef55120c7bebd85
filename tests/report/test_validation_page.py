"""The page of a validation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import command
from matplotlib import image

from astroemu.errors import DataError
from astroemu.report.validation_page import is_validation, write_validation_page

MEASURED = Path(__file__).parents[2] / "docs" / "measured" / "acg_against_21cmfast.json"


def test_a_validation_has_a_page_too(tmp_path):
    shutil.copy(MEASURED, tmp_path / "validation.json")
    image.imsave(tmp_path / "errors.png", np.zeros((4, 4)))
    code, said, _ = command("report", str(tmp_path), "--html")
    text = (tmp_path / "report.html").read_text()
    assert code == 0 and "report.html" in said
    assert "Validation against 50 simulations" in text and "power_spectrum_21cm" in text
    assert text.count('src="data:image/png;base64,') == 1 and "<script" not in text
    (tmp_path / "validation.json").write_text("{}")
    code, _, error = command("report", str(tmp_path), "--out", str(tmp_path / "again.html"))
    assert code == 2 and "no complete validation" in error


@pytest.mark.attack("report", "a picture of a validation that is a link to a private file, or a folder")
def test_a_link_is_not_put_into_the_page(tmp_path):
    folder = tmp_path / "validation"
    folder.mkdir()
    shutil.copy(MEASURED, folder / "validation.json")
    (tmp_path / "private").write_text("secret")
    (folder / "errors.png").symlink_to(tmp_path / "private")
    (folder / "folder.png").mkdir()
    assert "data:image/png" not in write_validation_page(folder, tmp_path / "page.html").read_text()


def test_a_folder_without_a_validation_has_no_page(tmp_path):
    assert not is_validation(tmp_path)
    with pytest.raises(DataError, match="holds no complete validation"):
        write_validation_page(tmp_path, tmp_path / "page.html")
    shutil.copy(MEASURED, tmp_path / "validation.json")
    assert is_validation(tmp_path)
    assert write_validation_page(tmp_path, tmp_path / "page.html").stat().st_size > 1000
    with pytest.raises(DataError, match="not overwritten"):
        write_validation_page(tmp_path, tmp_path / "page.html")
