"""The choice of an engine by its name."""

from __future__ import annotations

import pytest
from helpers import line_model

import astroemu
from astroemu.errors import ConfigurationError
from astroemu.model import engines
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.engines import engine_name, gradient_engine, make_engine
from astroemu.model.numpy_engine import NumpyEngine


class FakeBackend:
    """A backend that compiles nothing."""

    name = "fake"

    def __init__(self, on_gpu):
        self.on_gpu = on_gpu


@pytest.fixture
def pipeline():
    return line_model().pipeline


def test_an_engine_of_another_name_is_refused():
    with pytest.raises(ConfigurationError, match="engine"):
        astroemu.load_model("galaxies", ['engine="fortran"'])
    with pytest.raises(ConfigurationError, match=r"engine = 'fortran' is not one of 'auto', 'keras', 'numpy'"):
        engine_name("fortran")
    assert engine_name("keras") == "keras"


def test_auto_is_numpy_without_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert astroemu.load_model("galaxies").engine.name == "numpy"


@pytest.mark.parametrize(("on_gpu", "kind"), [(True, CompiledEngine), (False, NumpyEngine)])
def test_auto_is_keras_where_its_backend_sees_the_gpu(monkeypatch, pipeline, on_gpu, kind):
    monkeypatch.setattr(engines, "gpu_visible", lambda: True)
    monkeypatch.setattr(engines, "backend_installed", lambda: True)
    monkeypatch.setattr(engines, "load_backend", lambda: FakeBackend(on_gpu))
    assert isinstance(make_engine("auto", pipeline), kind)
    assert isinstance(make_engine("keras", pipeline), CompiledEngine)
    assert isinstance(make_engine("numpy", pipeline), NumpyEngine)


def test_auto_is_numpy_with_a_warning_where_nothing_that_compiles_is_installed(monkeypatch, pipeline):
    monkeypatch.setattr(engines, "gpu_visible", lambda: True)
    monkeypatch.setattr(engines, "backend_installed", lambda: False)
    with pytest.warns(UserWarning, match="has a GPU, but none of 'jax', 'tensorflow' is installed: NumPy evaluates"):
        assert isinstance(make_engine("auto", pipeline), NumpyEngine)


def test_a_compiled_engine_gives_its_own_gradients_and_numpy_needs_another(monkeypatch, pipeline):
    monkeypatch.setattr(engines, "load_backend", lambda: FakeBackend(on_gpu=False))
    compiled = make_engine("keras", pipeline)
    assert gradient_engine(pipeline, compiled) is compiled
    other = gradient_engine(pipeline, NumpyEngine(pipeline))
    assert isinstance(other, CompiledEngine) and other.backend.name == "fake"
