"""The choice of an engine by its name in a configuration."""

from __future__ import annotations

import warnings
from typing import Literal, cast

from astroemu.errors import ConfigurationError, listing
from astroemu.model.backends.base import BACKENDS, backend_installed, gpu_visible, load_backend
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.engine import Engine
from astroemu.model.numpy_engine import NumpyEngine
from astroemu.model.pipeline import Pipeline

#: ``auto`` is keras if its backend sees a GPU, and numpy otherwise.
EngineName = Literal["auto", "numpy", "keras"]
ENGINES = ("auto", "numpy", "keras")


def engine_name(text: str) -> EngineName:
    """Return the text, checked to be the name of an engine.

    Raises
    ------
    ConfigurationError
        If no engine has this name.
    """
    if text not in ENGINES:
        raise ConfigurationError(f"engine = {text!r} is not one of {listing(ENGINES)}")
    return cast(EngineName, text)


def make_engine(name: EngineName, pipeline: Pipeline) -> Engine:
    """Return a new engine for a pipeline, by its name in a configuration.

    Raises
    ------
    ConfigurationError
        If the engine is ``keras`` and no backend that compiles is installed.
    """
    if name == "numpy" or (name == "auto" and not gpu_visible()):
        return NumpyEngine(pipeline)
    if name == "auto" and not backend_installed():
        warnings.warn(
            f"this machine has a GPU, but none of {listing(BACKENDS)} is installed: NumPy evaluates the likelihood. "
            'Install one of them, or set engine = "numpy"',
            stacklevel=2,
        )
        return NumpyEngine(pipeline)
    backend = load_backend()
    if name == "auto" and not backend.on_gpu:
        return NumpyEngine(pipeline)
    return CompiledEngine(pipeline, backend)


def gradient_engine(pipeline: Pipeline, engine: Engine) -> CompiledEngine:
    """Return an engine that has gradients: the given one if it compiles, or a new one.

    Raises
    ------
    ConfigurationError
        If no backend that compiles is installed.
    """
    if not isinstance(engine, CompiledEngine) and not backend_installed():
        raise ConfigurationError(
            f"gradients are compiled by one of {listing(BACKENDS)}, and none is installed: pip install "
            "'astroemu-inference[jax]', or pip install tensorflow"
        )
    return engine if isinstance(engine, CompiledEngine) else CompiledEngine(pipeline, load_backend())
