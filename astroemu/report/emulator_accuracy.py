"""Figures of a validation: errors of an emulator, its stated errors, and its training history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.observable import Observable
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.reference import ReferenceSimulations
from astroemu.report.style import ACCENT, COLOUR, picture, symbol
from astroemu.validation.accuracy import emulator_residuals, in_stated_errors

_LEVELS = ((0.5, "-"), (0.6827, "--"), (0.95, ":"))


def draw_validation(emulator: Emulator, simulations: ReferenceSimulations, folder: Path) -> None:
    """Write the figures of a validation into a folder.

    They show the errors along each axis and against each parameter, prediction against truth, the calibration of the
    stated error, and the training history.
    """
    found = emulator_residuals(emulator, simulations)
    residuals = {name: _residual(truth, value) for name, (truth, value, _) in found.items()}
    _draw_errors(emulator, residuals, folder / "errors.png")
    for name, (residual, kind) in residuals.items():
        _draw_by_parameter(emulator, simulations.theta, name, residual, kind, folder / f"{name}.png")
    _draw_agreement(emulator, found, folder / "agreement.png")
    stated = {
        name: in_stated_errors(np.abs(value - truth), error)
        for name, (truth, value, error) in found.items()
        if error is not None
    }
    if stated:
        _draw_calibration(stated, folder / "calibration.png")
    if emulator.provenance.get("history"):
        _draw_history(emulator.provenance["history"], folder / "history.png")


def _residual(truth: FloatArray, value: FloatArray) -> tuple[FloatArray, str]:
    """Return the error ``(n, size)`` and its kind: fractional if all values are positive and span over two decades."""
    residual = np.abs(value - truth)
    lowest, highest = np.nanmin(truth), np.nanmax(truth)
    if lowest > 0 and highest > 100 * lowest:
        return residual / truth, "fractional error"
    return residual, "absolute error"


def _draw_errors(emulator: Emulator, residuals: dict[str, tuple[FloatArray, str]], path: Path) -> None:
    """Draw error quantiles along the first axis of each observable, over all points and other axes."""
    names = [name for name in residuals if emulator.provides[name].axes]
    if not names:
        return
    with picture(path, **_size(len(names))) as figure:
        axes = _grid(figure, len(names))
        for axis, name in zip(axes, names, strict=False):
            observable = emulator.provides[name]
            residual, kind = residuals[name]
            x, rows = _along_first_axis(observable, residual)
            for level, line in _LEVELS:
                axis.plot(x, np.nanquantile(rows, level, axis=1), line, color=COLOUR, lw=1.2, label=f"{level:.0%}")
            axis.set(title=name, xlabel=observable.axes[0].name, yscale="log")
            axis.set_ylabel(kind if kind.startswith("f") or not observable.unit else f"{kind} [{observable.unit}]")
        axes[0].legend(fontsize=8)


def _along_first_axis(observable: Observable, residual: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the coordinate ``(m,)`` and the errors ``(m, all others)``."""
    m = len(observable.axes[0].values)
    return observable.axes[0].values, np.moveaxis(residual.reshape(len(residual), m, -1), 1, 0).reshape(m, -1)


def _draw_by_parameter(
    emulator: Emulator, theta: FloatArray, name: str, residual: FloatArray, kind: str, path: Path
) -> None:
    """Draw the median and the largest error of each point against every parameter."""
    with picture(path, **_size(len(emulator.parameters))) as figure:
        axes = _grid(figure, len(emulator.parameters))
        for j, (axis, parameter) in enumerate(zip(axes, emulator.parameters, strict=False)):
            axis.plot(theta[:, j], np.nanmax(residual, axis=1), ".", ms=3, color=ACCENT, label="largest")
            axis.plot(theta[:, j], np.nanmedian(residual, axis=1), ".", ms=3, color=COLOUR, label="median")
            axis.set(xlabel=parameter, ylabel=kind, yscale="log")
        axes[0].legend(fontsize=8)
        figure.suptitle(f"{name}: error of each point", fontsize=10)


def _draw_agreement(emulator: Emulator, found: Any, path: Path) -> None:
    """Draw prediction against truth, for observables that are one number."""
    names = [name for name in found if not emulator.provides[name].axes]
    if not names:
        return
    with picture(path, **_size(len(names))) as figure:
        axes = _grid(figure, len(names))
        for axis, name in zip(axes, names, strict=False):
            truth, value, stated = found[name]
            truth, value, error = truth[:, 0], value[:, 0], None if stated is None else stated[:, 0]
            axis.errorbar(truth, value, error, fmt="o", ms=2, lw=0.4, alpha=0.5, color=COLOUR)
            axis.axline((float(np.nanmean(truth)),) * 2, slope=1.0, color=ACCENT, lw=1)
            label = symbol(name, emulator.provides[name].latex)
            axis.set(xlabel=f"{label}, truth", ylabel=f"{label}, emulator")


def _draw_calibration(stated: dict[str, FloatArray], path: Path) -> None:
    """Draw the fraction of errors within a multiple of the stated error, and that of a normal distribution."""
    from scipy.special import erf

    multiples = np.linspace(0, 4, 81)
    with picture(path, figsize=(5.2, 4.0), layout="tight") as figure:
        axis = figure.subplots()
        axis.plot(multiples, erf(multiples / np.sqrt(2)), "k--", lw=1, label="normal distribution")
        for name, units in stated.items():
            defined = np.sort(units[~np.isnan(units)])
            axis.plot(multiples, np.searchsorted(defined, multiples, side="right") / len(defined), lw=1.2, label=name)
        axis.set(xlabel="|error| / stated error", ylabel="fraction of values within", ylim=(0, 1.02))
        axis.legend(fontsize=8)


def _draw_history(history: dict[str, Any], path: Path) -> None:
    """Draw the losses of every network by epoch."""
    with picture(path, **_size(len(history))) as figure:
        axes = _grid(figure, len(history))
        for axis, (name, columns) in zip(axes, history.items(), strict=False):
            epochs = np.arange(1, len(columns["loss"]) + 1)
            axis.plot(epochs, columns["loss"], color=COLOUR, lw=1, label="training")
            axis.plot(epochs, columns["validation"], color=ACCENT, lw=1, label="validation")
            axis.set(title=name, xlabel="epoch", ylabel="loss", yscale="log")
        axes[0].legend(fontsize=8)


def _shape(n: int) -> tuple[int, int]:
    """Return the rows and columns of ``n`` panels."""
    columns = min(n, 3)
    return -(-n // columns), columns


def _size(n: int) -> dict[str, Any]:
    """Return the options of a figure of ``n`` panels."""
    rows, columns = _shape(n)
    return {"figsize": (4.2 * columns, 3.2 * rows), "layout": "tight"}


def _grid(figure: Any, n: int) -> Any:
    """Return the axes of ``n`` panels."""
    axes = figure.subplots(*_shape(n), squeeze=False)
    for axis in axes.flat[n:]:
        axis.set_visible(False)
    return axes.ravel()
