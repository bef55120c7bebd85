"""The choice of a backend. The backends themselves are tested in tests/model/test_compiled_engine.py."""

from __future__ import annotations

import sys

import pytest

from astroemu.errors import ConfigurationError
from astroemu.model.backends import base
from astroemu.model.backends.base import backend_installed, backend_name, gpu_visible, host_memory, load_backend


def installed(monkeypatch, *modules):
    """Only these array libraries are installed, and Keras was not imported."""
    monkeypatch.setattr(base, "find_spec", lambda module: module if module in modules else None)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


def test_a_backend_that_does_not_compile_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(ConfigurationError, match="KERAS_BACKEND is 'torch'"):
        load_backend()


def test_the_variable_comes_before_what_is_installed(monkeypatch):
    installed(monkeypatch, "tensorflow", "jax")
    assert backend_name() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backend_name() == "jax"


def test_an_imported_keras_decides_without_the_variable(monkeypatch):
    installed(monkeypatch, "tensorflow", "jax")
    keras = type("Keras", (), {"backend": type("Backend", (), {"backend": staticmethod(lambda: "jax")})})
    monkeypatch.setitem(sys.modules, "keras", keras)
    assert backend_name() == "jax"


def test_a_backend_that_is_not_installed_is_refused(monkeypatch):
    installed(monkeypatch, "jax")
    assert backend_name() == "jax" and backend_installed()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(ConfigurationError, match="tensorflow is not installed"):
        backend_name()
    installed(monkeypatch)
    assert not backend_installed()
    with pytest.raises(ConfigurationError, match=r"needs one of 'jax', 'tensorflow'; install one"):
        backend_name()


@pytest.mark.parametrize("value", ["", "-1"])
def test_a_hidden_gpu_is_not_visible(monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert not gpu_visible()


def test_the_memory_of_a_call_is_bounded():
    assert 0 < host_memory() <= 2**31
