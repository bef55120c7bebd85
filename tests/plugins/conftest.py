"""Fixtures of the tests of the built-in plugins."""

from __future__ import annotations

import pytest


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
