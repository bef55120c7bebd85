"""Optional dependencies: imported if they are installed; otherwise an error with the command that installs them."""

from __future__ import annotations

import json

import pytest

from astroemu.errors import PluginError
from astroemu.runtime.optional import import_optional


def test_an_installed_module_is_returned():
    assert import_optional("json", "some") is json
    assert import_optional("json.decoder", "some") is json.decoder


def test_a_missing_module_names_the_command_that_installs_it():
    with pytest.raises(PluginError) as caught:
        import_optional("nobody_has_this", "some")
    message = str(caught.value)
    assert "this needs nobody_has_this (No module named 'nobody_has_this')" in message
    assert "pip install 'astroemu-inference[some]'" in message


def test_a_module_that_lacks_one_of_its_own_says_which(tmp_path, monkeypatch):
    (tmp_path / "astroemu_test_lacking.py").write_text("import nobody_has_this")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"astroemu_test_lacking \(No module named 'nobody_has_this'\)"):
        import_optional("astroemu_test_lacking", "some")
