"""Settings of a training: the tables ``[training]`` and ``[training.networks.NAME]`` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Named sets of settings. A setting that a network states itself overrides its preset.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    # The network and the callbacks of Qin 2023, "AI for Astronomy".
    "talk": {
        "hidden": [64, 128, 64],
        "activation": "relu",
        "batch_norm": True,
        "initialiser": "glorot",
        "loss": "mse",
        "batch_size": 64,
        "epochs": 300,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "schedule": "plateau",
        "plateau_patience": 20,
        "stop_patience": 50,
    },
}


class DataError(BaseModel):
    """1-sigma error of the data to which an output is compared, for the loss ``chi2``.

    The two parts are added in quadrature.

    Attributes
    ----------
    absolute : float
        In the unit of the observable.
    fractional : float
        As a fraction of the value.
    """

    model_config = ConfigDict(extra="forbid")

    absolute: float = Field(default=0.0, ge=0)
    fractional: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _positive(self) -> DataError:
        if self.absolute == 0 and self.fractional == 0:
            raise ValueError("absolute or fractional must be above 0")
        return self


class NetworkSettings(BaseModel):
    """The table ``[training.networks.NAME]`` of a recipe. docs/workshop.md describes the options."""

    model_config = ConfigDict(extra="forbid")

    outputs: list[str] = Field(min_length=1)
    preset: Literal["default", "talk"] = "default"
    inputs: list[str] = []
    features: list[str] = []

    architecture: Literal["dense", "conv1d", "gru", "lstm"] = "dense"
    hidden: list[int] = [256, 256, 256, 256]
    activation: Literal["alsing", "elu", "leaky_relu", "maxout", "relu", "sigmoid", "silu", "tanh"] = "silu"
    batch_norm: bool = False
    residual: bool = False
    initialiser: Literal["he", "glorot"] = "he"
    first_layer_scale: float = Field(default=2.0, gt=0)

    scaling: Literal["each", "common"] = "each"
    loss: Literal["mse", "mae", "msle", "chi2"] = "mse"
    data_errors: dict[str, DataError] = {}
    optimiser: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam"
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    learning_rate: float = Field(default=2e-3, gt=0)
    plateau_patience: int = Field(default=20, ge=1)
    stop_patience: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=512, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        preset = given.get("preset", "default") if isinstance(given, Mapping) else None
        return {**PRESETS[preset], **given} if isinstance(preset, str) and preset in PRESETS else given

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSettings:
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden = {self.hidden}: every width must be at least 1")
        if self.loss == "chi2" and set(self.data_errors) != set(self.outputs):
            raise ValueError(f"the loss chi2 needs data_errors for {', '.join(self.outputs)} and no other observable")
        if self.loss != "chi2" and self.data_errors:
            raise ValueError(f"data_errors are for the loss chi2 only; the loss is {self.loss}")
        if self.residual and self.batch_norm:
            raise ValueError("batch_norm cannot be folded into a residual network; set batch_norm or residual to false")
        return self


class ErrorSettings(BaseModel):
    """The table ``[training.errors]`` of a recipe: the network that predicts the errors of the others.

    With fewer than ``least_points`` validation and test points, the file states one error per output.
    """

    model_config = ConfigDict(extra="forbid")

    hidden: list[int] = Field(default=[64, 64, 16], min_length=1)
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    least_points: int = Field(default=2000, ge=100)


class Settings(BaseModel):
    """The table ``[training]`` of a recipe: everything except the data and the seed."""

    model_config = ConfigDict(extra="forbid")

    name: str = "emulator"
    log10_inputs: list[str] = []
    transforms: dict[str, dict[str, Any]] = {}
    train_points: int | None = Field(default=None, ge=1)
    validation_points: int = Field(default=8192, ge=1)
    test_points: int = Field(default=8192, ge=1)
    networks: dict[str, NetworkSettings] = Field(min_length=1)
    errors: ErrorSettings | None = ErrorSettings()
