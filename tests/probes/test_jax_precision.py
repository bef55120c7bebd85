"""JAX's precision inside and after a block."""

from __future__ import annotations

import sys

import pytest

from astroemu_probes.jax_precision import double_precision


def test_jax_is_double_inside_and_as_before_afterwards():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    with double_precision():
        assert jax.numpy.ones(1).dtype == "float64"
        jax.config.update("jax_enable_x64", True)  # as candl does
    assert jax.config.jax_enable_x64 is before
    assert jax.numpy.ones(1).dtype == ("float64" if before else "float32")


@pytest.mark.parametrize(("text", "double"), [("", False), ("0", False), ("True", True), ("1", True)])
def test_the_setting_of_a_jax_that_was_not_loaded_is_its_own(text, double, monkeypatch):
    class Config:
        value = None

        def update(self, name, value):
            self.value = value

    class Jax:
        config = Config()

    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setenv("JAX_ENABLE_X64", text)
    with double_precision():
        monkeypatch.setitem(sys.modules, "jax", Jax)
    assert Jax.config.value is double
