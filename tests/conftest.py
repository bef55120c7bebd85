"""Fixtures that several folders of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, without a database: a test passes or fails in the same way for everyone.
settings.register_profile("astroemu", derandomize=True, deadline=None, database=None)
settings.load_profile("astroemu")

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example configurations."""
    return REPOSITORY / "docs" / "examples"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data beside the repository, which another checkout does not have."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not here")
    return folder


@pytest.fixture(scope="module")
def without_xla():
    """Train without XLA, which takes seconds to compile each of these small networks."""
    import keras

    compile_model = keras.Model.compile

    def compile_plainly(self, *arguments, **options):
        compile_model(self, *arguments, **{**options, "jit_compile": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", compile_plainly)
        yield
