"""Training loop of one network: batches, learning rate, best weights and checkpoints.

The losses so far determine the learning rate on a plateau, the end of the training and the best weights. The seed and
the number of an epoch determine the order of its points. A checkpoint therefore holds only the weights, the state of
the optimiser and the losses. A killed training that resumes gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astroemu.errors import DataError
from astroemu.io.files import make_folder
from astroemu.io.hdf5 import write_hdf5
from astroemu.io.untrusted import open_hdf5
from astroemu_plugins.training.settings import NetworkSettings

Weights = NDArray[np.float32]
#: Smallest improvement that resets the patience of a plateau, and factor of the learning rate; Keras's values.
PLATEAU_MIN_DELTA, PLATEAU_FACTOR = 1e-4, 0.1
SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass
class History:
    """Losses of every epoch.

    Attributes
    ----------
    loss, validation : list of float
        Training and validation loss.
    learning_rate : list of float
    seconds : list of float
        Training time up to the end of the epoch [s].
    """

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def best(self) -> int:
        """Index of the epoch with the lowest validation loss; the first epoch has index 0."""
        return int(np.argmin(self.validation))

    def to_json(self) -> dict[str, Any]:
        """Return the lists by name, as JSON."""
        return {name: list(getattr(self, name)) for name in ("loss", "validation", "learning_rate", "seconds")}


def plateau_rate(initial: float, patience: int, validation: Sequence[float]) -> float:
    """Return the learning rate after these validation losses, by the rule of Keras's ReduceLROnPlateau.

    Parameters
    ----------
    initial : float
        Learning rate at the start.
    patience : int
        Number of epochs without an improvement after which the rate is reduced.
    validation : sequence of float
        Validation losses so far.
    """
    rate, best, wait = initial, np.inf, 0
    for loss in validation:
        if loss < best - PLATEAU_MIN_DELTA:
            best, wait = loss, 0
            continue
        wait += 1
        if wait >= patience:
            rate, wait = rate * PLATEAU_FACTOR, 0
    return rate


def is_finished(settings: NetworkSettings, validation: Sequence[float]) -> bool:
    """Return True if all epochs are done, or ``stop_patience`` epochs have passed since the best one."""
    if len(validation) >= settings.epochs:
        return True
    if settings.stop_patience is None or not validation:
        return False
    return len(validation) - 1 - int(np.argmin(validation)) >= settings.stop_patience


@dataclass(frozen=True, eq=False)
class Points:
    """Points for training or for validation.

    Attributes
    ----------
    x : (n, d) float32 array
        Inputs.
    y : (n, m) float32 array
        Targets.
    """

    x: Weights
    y: Weights


class Loop:
    """Training of one Keras model.

    Parameters
    ----------
    model : keras.Model
    loss : callable
        See :func:`astroemu_plugins.training.losses.loss_function`.
    settings : NetworkSettings
    seed : int
        Seed of the order of the points.
    checkpoint : Path, optional
        File that stores an unfinished training.
    identity : str
        Hash of the settings, data and seed. A checkpoint with another hash is not used.
    tensorboard : Path, optional
        Folder for the logs of TensorBoard.
    log : callable
        Takes one line of text.
    """

    def __init__(
        self,
        model: Any,
        loss: Any,
        settings: NetworkSettings,
        *,
        seed: int,
        checkpoint: Path | None = None,
        identity: str = "",
        tensorboard: Path | None = None,
        log: Callable[[str], Any] = print,
    ) -> None:
        self.model, self.loss, self.settings, self.seed = model, loss, settings, seed
        self.checkpoint, self.identity, self.tensorboard, self.log = checkpoint, identity, tensorboard, log
        self.history = History()
        self.best_weights: list[Weights] = []

    def run(self, train: Points, validation: Points) -> History:
        """Train to the end and return the losses. The model then has its best weights.

        Raises
        ------
        DataError
            If the training diverges, or the checkpoint belongs to another training.
        """
        import keras

        self._compile(keras, len(train.x))
        if self.checkpoint is not None and self.checkpoint.exists():
            self._resume(self.checkpoint)
        started = self._saved = time.monotonic()
        before = self.history.seconds[-1] if len(self.history) else 0.0

        def ended(epoch: int, logs: Mapping[str, float]) -> None:
            self._note(logs, before + time.monotonic() - started)
            if (epoch + 1) % max(self.settings.epochs // 20, 1) == 0:
                self.log(
                    f"epoch {epoch + 1} of {self.settings.epochs}, loss {logs['loss']:.3e}, "
                    f"validation {logs['val_loss']:.3e}, {self.history.seconds[-1] / 60:.1f} min"
                )

        if not is_finished(self.settings, self.history.validation):
            batches = _batches(keras, train, self.settings.batch_size, self.seed)
            callbacks = [
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=lambda epoch, logs: batches.shuffle(epoch),  # noqa: ARG005
                    on_epoch_end=ended,
                )
            ]
            if self.tensorboard is not None:
                callbacks.append(keras.callbacks.TensorBoard(str(self.tensorboard)))
            self.model.fit(
                batches,
                shuffle=False,
                validation_data=(validation.x, validation.y),
                validation_batch_size=max(self.settings.batch_size, 1024),
                initial_epoch=len(self.history),
                epochs=self.settings.epochs,
                callbacks=callbacks,
                verbose=0,
            )
        self.model.set_weights(self.best_weights)
        return self.history

    def _compile(self, keras: Any, n: int) -> None:
        rate: Any = self.settings.learning_rate
        if self.settings.schedule == "cosine":
            steps = self.settings.epochs * -(-n // self.settings.batch_size)
            rate = keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=rate / 100,
                decay_steps=steps,
                warmup_target=rate,
                warmup_steps=min(500, steps // 10 + 1),
            )
        optimiser = keras.optimizers.get({"class_name": self.settings.optimiser, "config": {"learning_rate": rate}})
        # XLA unrolls recurrences, and PyTorch's compiler treats each step as a new function: both take minutes.
        compiled = self.settings.architecture in ("dense", "conv1d") and keras.backend.backend() != "torch"
        self.model.compile(optimizer=optimiser, loss=self.loss, jit_compile=compiled)
        optimiser.build(self.model.trainable_variables)

    def _note(self, logs: Mapping[str, float], seconds: float) -> None:
        if not np.isfinite(logs["val_loss"]):
            raise DataError(
                f"the training diverged in epoch {len(self.history) + 1} (validation loss {logs['val_loss']}); "
                "lower learning_rate"
            )
        history, optimiser = self.history, self.model.optimizer
        history.loss.append(float(logs["loss"]))
        history.validation.append(float(logs["val_loss"]))
        history.learning_rate.append(float(optimiser.learning_rate))
        history.seconds.append(seconds)
        if history.best == len(history) - 1:
            self.best_weights = self.model.get_weights()
        if self.settings.schedule == "plateau":
            optimiser.learning_rate = plateau_rate(
                self.settings.learning_rate, self.settings.plateau_patience, history.validation
            )
        finished = is_finished(self.settings, history.validation)
        self.model.stop_training = finished
        if self.checkpoint is not None and (finished or time.monotonic() - self._saved > SECONDS_BETWEEN_CHECKPOINTS):
            self._save(self.checkpoint)
            self._saved = time.monotonic()

    def _save(self, path: Path) -> None:
        def write(file: h5py.File) -> None:
            file.attrs["identity"] = self.identity
            file["history"] = json.dumps(self.history.to_json())
            for group, arrays in (
                ("weights", self.model.get_weights()),
                ("best", self.best_weights),
                ("optimiser", [np.asarray(variable) for variable in self.model.optimizer.variables]),
            ):
                for i, array in enumerate(arrays):
                    file[f"{group}/{i}"] = array

        make_folder(path.parent)
        write_hdf5(path, write)

    def _resume(self, path: Path) -> None:
        with open_hdf5(path, "the checkpoint of a training") as file:
            if file.attrs["identity"] != self.identity:
                raise DataError(
                    f"{path} is the checkpoint of a training with other settings, data or seed; "
                    "remove its folder or use another name for the emulator"
                )
            self.history = History(**json.loads(file["history"].asstr()[()]))
            self.model.set_weights(_read(file["weights"]))
            self.best_weights = _read(file["best"])
            for variable, value in zip(self.model.optimizer.variables, _read(file["optimiser"]), strict=True):
                variable.assign(value)
        self.log(f"resumes after epoch {len(self.history)}")


def _read(group: h5py.Group) -> list[Any]:
    return [group[str(i)][()] for i in range(len(group))]


def _batches(keras: Any, points: Points, size: int, seed: int) -> Any:
    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        """Points in batches, in a new order in every epoch."""

        order = np.arange(len(points.x))

        def shuffle(self, epoch: int) -> None:
            # Not in on_epoch_end: Keras also calls that before the first epoch.
            self.order = np.random.default_rng((seed, epoch)).permutation(len(points.x))

        def __len__(self) -> int:
            return -(-len(points.x) // size)

        def __getitem__(self, number: int) -> tuple[Weights, Weights]:
            rows = self.order[number * size : (number + 1) * size]
            return points.x[rows], points.y[rows]

    return Batches()
