"""Functions of upper layers, found by name."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from astroemu.runtime import upper as module
from astroemu.runtime.upper import register, upper


def test_a_function_is_found_by_name(monkeypatch):
    monkeypatch.setattr(module, "_HOME", {})
    register({"sqrt": "math"})
    assert upper("sqrt")(4.0) == 2.0
    with pytest.raises(KeyError, match="another"):
        upper("another")


@pytest.mark.parametrize("name", module._HOME)
def test_every_registered_function_exists_and_is_documented(name):
    assert getattr(import_module(module._HOME[name]), name).__doc__


def test_nothing_is_imported_before_it_is_used():
    command = "import sys, astroemu.sampling.samples; sys.exit(any('astroemu.report' in m for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
