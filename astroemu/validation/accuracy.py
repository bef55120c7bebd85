"""The accuracy of an emulator, measured with simulations that were not used for its training.

The error is measured in three ways. The first is that of the observable: absolute, fractional, and in units of the
error that the emulator states, whose coverage is tested too (:mod:`astroemu.validation.coverage`). The second is the
difference of the predictions in units of the data's errors. The third is the difference in the log-likelihood of each
probe. The last two need a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.core.panel import Panel
from astroemu.core.typing import FloatArray
from astroemu.emulation.emulator import Emulator
from astroemu.emulation.recipe import Gate
from astroemu.emulation.reference import ReferenceSimulations, TabulatedProvider
from astroemu.errors import ConfigurationError, DataError, closest, listing
from astroemu.model.model import Model
from astroemu.model.panel_curves import panel_curves
from astroemu.model.replacement import replace_provider
from astroemu.validation.coverage import error_coverage

ERROR_QUANTILES = {"median": 0.5, "q68": 0.6827, "q95": 0.95, "max": 1.0}
_WORST = 10


def validate(emulator: Emulator, simulations: ReferenceSimulations, model: Model | None = None) -> dict[str, Any]:
    """Return the errors of an emulator, measured with simulations.

    Parameters
    ----------
    emulator : Emulator
    simulations : ReferenceSimulations
    model : Model, optional
        Its probes show the effect of the error on a fit. The emulators of the same observables are replaced.

    Returns
    -------
    dict
        ``points``: their number. ``observables``: by name, the figures of :func:`error_quantiles`, and the ``worst``
        points, each with its row, error and parameters. If the emulator states an error: the figures of
        :func:`astroemu.validation.coverage.error_coverage`. ``probes``: by name, the figures of :func:`probe_errors`.
        ``used``: by observable, the coverage of the outputs that the model uses.

    Raises
    ------
    DataError
        If a simulation lies outside the training range.
    """
    observables: dict[str, Any] = dict(error_quantiles(emulator, simulations))
    for name, rows in _worst(emulator, simulations).items():
        observables[name]["worst"] = rows
    for name, figures in error_coverage(emulator, simulations).items():
        observables[name] |= figures
    found: dict[str, Any] = {"points": len(simulations.theta), "observables": observables}
    if model is not None:
        used = {name: where for name, where in model.pipeline.rows.items() if name in emulator.provides}
        found["used"] = error_coverage(emulator, simulations, used)
        found["probes"] = probe_errors(emulator, simulations, model)
    return found


def error_quantiles(emulator: Emulator, simulations: ReferenceSimulations) -> dict[str, dict[str, float]]:
    """Return the error quantiles of each observable, over all points and outputs.

    Undefined values (NaN) are left out.

    Returns
    -------
    dict
        By observable: quantiles of the ``absolute`` error in the unit of the observable, and of the ``fractional``
        error. If the emulator states an error: quantiles of the error in units of it (``stated``).
    """
    found = {}
    for name, (truth, value, stated) in emulator_residuals(emulator, simulations).items():
        residual = np.abs(value - truth)
        found[name] = _quantiles("absolute", residual)
        found[name] |= _quantiles("fractional", _ratio(residual, np.abs(truth)))
        if stated is not None:
            found[name] |= _quantiles("stated", in_stated_errors(residual, stated))
    return found


def in_stated_errors(residual: FloatArray, stated: FloatArray) -> FloatArray:
    """Return the absolute error in units of the stated error, ``(n, size)``.

    The value is infinite if only the stated error is zero, and NaN where the simulation is undefined.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(residual == 0, 0.0, residual / stated)


def emulator_residuals(
    emulator: Emulator, simulations: ReferenceSimulations
) -> dict[str, tuple[FloatArray, FloatArray, FloatArray | None]]:
    """Return truth, prediction and stated error, each ``(n, size)``, of every observable that both have.

    The stated error is None if the emulator states none.

    Raises
    ------
    DataError
        If they have no observable in common, or a simulation lies outside the training range.
    """
    both = [name for name in emulator.provides if name in simulations.values]
    if not both:
        raise DataError(
            f"the simulations hold {listing(simulations.values)}, but the emulator gives {listing(emulator.provides)}"
        )
    emulator.predict(simulations.theta[:0])  # raises if the shape of theta is wrong
    outside = np.flatnonzero(~emulator.inside(simulations.theta))
    if outside.size:
        emulator.predict(simulations.theta)  # raises with the row and the parameter
    rows = {name: np.arange(emulator.provides[name].size) for name in both}
    found = emulator.evaluator(rows)(simulations.theta, {}, NUMPY)
    n = len(simulations.theta)
    return {
        name: (
            np.asarray(simulations.values[name], dtype=float).reshape(n, -1),
            np.asarray(found[name].value, dtype=float),
            None if found[name].error is None else np.asarray(found[name].error, dtype=float),
        )
        for name in both
    }


def _worst(emulator: Emulator, simulations: ReferenceSimulations) -> dict[str, list[dict[str, Any]]]:
    """Return the points of the largest root-mean-square error, in units of the median error of each output."""
    found = {}
    for name, (truth, value, _) in emulator_residuals(emulator, simulations).items():
        residual = np.abs(value - truth)
        with np.errstate(invalid="ignore"):
            scale = np.nanmedian(residual, axis=0)
        typical = np.nanmedian(residual[residual > 0]) if np.any(residual > 0) else 1.0
        score = np.sqrt(np.nanmean((residual / np.maximum(scale, 0.1 * typical)) ** 2, axis=1))
        order = np.argsort(-score)[:_WORST]
        found[name] = [
            {
                "row": int(row),
                "error": float(np.nanmax(residual[row])),
                "theta": dict(zip(emulator.parameters, simulations.theta[row].tolist(), strict=True)),
            }
            for row in order
        ]
    return found


def probe_errors(emulator: Emulator, simulations: ReferenceSimulations, model: Model) -> dict[str, Any]:
    """Return the effect of the emulator's error on each probe of a model.

    Returns
    -------
    dict
        By probe, quantiles and counts. ``delta_log_likelihood``: the difference between the log-likelihoods of the
        emulator's prediction and of the simulation, both without emulator error. ``not_finite``: the number of points
        without a finite log-likelihood, for each of both. ``data_sigma``: the difference of both predictions at the
        data points of the probe's figures, in units of the data's errors (for a limit: of the limit).
    """
    ours, true = (
        replace_provider(model, new, emulator.provides, emulator_error=False)
        for new in (emulator, TabulatedProvider(emulator, simulations))
    )
    theta = _columns(model, emulator, simulations)
    with_emulator, with_truth = (m.log_likelihood_by_probe(theta) for m in (ours, true))
    found: dict[str, Any] = {}
    for name in model.probes:
        both = np.isfinite(with_emulator[name]) & np.isfinite(with_truth[name])
        difference = np.full(len(theta), np.nan)
        difference[both] = np.abs(with_emulator[name][both] - with_truth[name][both])
        found[name] = {
            "delta_log_likelihood": _quantiles("", difference),
            "not_finite": {"emulator": _count(with_emulator[name]), "truth": _count(with_truth[name])},
        }
        panels = model.probes[name].panels()
        if panels:
            curves = (panel_curves(m, name, panels, theta) for m in (ours, true))
            parts = [_in_data_errors(panel, a, b).ravel() for panel, a, b in zip(panels, *curves, strict=True)]
            found[name]["data_sigma"] = _quantiles("", np.concatenate(parts))
    return found


def _count(log_likelihood: FloatArray) -> int:
    return int(np.sum(~np.isfinite(log_likelihood)))


def _columns(model: Model, emulator: Emulator, simulations: ReferenceSimulations) -> FloatArray:
    """Return the simulations' points in the order of the model; other parameters have their prior medians."""
    middle = model.prior_transform(np.full((1, len(model.names)), 0.5))
    theta = np.repeat(middle, len(simulations.theta), axis=0)
    for j, name in enumerate(emulator.parameters):
        if name not in model.names:
            raise ConfigurationError(f"the simulations vary {name!r}, which is not a free parameter of {model.name!r}")
        theta[:, model.names.index(name)] = simulations.theta[:, j]
    return theta


def _in_data_errors(panel: Panel, ours: FloatArray, true: FloatArray) -> FloatArray:
    limit = np.array(panel.kind) != "measurement"
    sigma = np.where(limit, np.abs(panel.y), (panel.error_low + panel.error_high) / 2)
    ours, true = panel.transform(ours), panel.transform(true)
    if panel.curve_x is None:
        return np.asarray(np.abs(ours - true) / sigma)
    x = panel.curve_x
    difference = [np.interp(panel.x, x, row) for row in np.abs(ours - true)]
    return np.asarray(difference) / sigma


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = a / b
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _quantiles(kind: str, values: FloatArray) -> dict[str, float]:
    prefix = f"{kind}_" if kind else ""
    if not np.any(np.isfinite(values)):
        return {f"{prefix}{level}": float("nan") for level in ERROR_QUANTILES}
    return {f"{prefix}{level}": float(np.nanquantile(values, q)) for level, q in ERROR_QUANTILES.items()}


def exceeded_limits(found: Mapping[str, Any], gate: Gate) -> list[str]:
    """Return one sentence for every limit of a gate that a validation exceeds.

    Parameters
    ----------
    found : mapping
        From :func:`astroemu.validation.accuracy.validate`.
    gate : mapping
        Limits by observable or probe, and by figure.

    Raises
    ------
    ConfigurationError
        If the gate names something that the validation did not measure.
    """
    figures = _figures(found)
    exceeded = []
    for name, limits in gate.items():
        if name not in figures:
            raise ConfigurationError(
                f"[gate.{name}] names what was not measured.{closest(name, figures)} Measured: {listing(figures)}; "
                "a probe is measured when validate is given --model"
            )
        for figure, limit in limits.items():
            if figure not in figures[name]:
                hint = closest(figure, figures[name])
                raise ConfigurationError(f"[gate.{name}] {figure} was not measured.{hint} {listing(figures[name])}")
            value = figures[name][figure]
            if not value <= limit:
                exceeded.append(f"{name} {figure} = {value:.4g} exceeds {limit:.4g}")
    return exceeded


def _figures(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return all figures by name; names of nested ones are joined with an underscore."""
    figures = {
        name: {k: v for k, v in row.items() if not isinstance(v, list)} for name, row in found["observables"].items()
    }
    for name, row in found.get("used", {}).items():
        figures[name] |= {f"used_{figure}": value for figure, value in row.items()}
    for name, row in found.get("probes", {}).items():
        figures[name] = {f"{kind}_{level}": value for kind, values in row.items() for level, value in values.items()}
    return figures
