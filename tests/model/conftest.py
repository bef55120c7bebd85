"""Fixtures of the tests of models."""

from __future__ import annotations

import pytest

import astroemu


@pytest.fixture(scope="session")
def reionization():
    """The default model with the numpy engine."""
    return astroemu.load_model("reionization", ['engine="numpy"'])
