"""The likelihood of 21CMMC with 21cmEMU, as a target for samplers. The other scripts of this folder use it.

The definitions are those of 21CMMC 1.0.0 (Greig and Mesinger 2015), in its own way: one call of the emulator per batch
(py21cmemu, Breitman et al. 2024), then interpolation and error functions point by point. Data and priors are those of a
model of astroemu. For the configuration ``like_21cmmc`` the two likelihoods are the same, apart from their emulators.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.interpolate import InterpolatedUnivariateSpline, RectBivariateSpline
from scipy.special import erf

import astroemu
from astroemu.core.typing import FloatArray
from astroemu.runtime.mpi import cores
from astroemu.sampling.target import TargetWrapper

#: 21CMMC's lowest probability of a limit, its largest dark fraction without a penalty, and the error of that.
_FLOOR, _DARK, _DARK_ERROR = 1e-50, 0.06, 0.05
MISSING = "py21cmemu is not installed: 21CMMC is left out (pip install 'astroemu-inference[21cmemu]')"


def installed() -> bool:
    """Return True if 21cmEMU is installed."""
    return find_spec("py21cmemu") is not None


class Peer21cmmc(TargetWrapper):
    """21CMMC's likelihood of the four probes of a model.

    Parameters
    ----------
    model : Model
        Has the data, the parameters and their priors.
    simulator : Simulator, optional
        Predicts the observables; by default 21cmEMU on all cores.
    """

    def __init__(self, model: astroemu.Model, simulator: Any = None) -> None:
        super().__init__(model)
        if simulator is None:
            from astroemu_plugins.simulators.emu21cm import Emu21cm

            simulator = Emu21cm(threads=cores())
        self.simulator = simulator
        self._columns = [model.names.index(p.name) for p in simulator.parameters]
        self._grid = {name: [axis.values for axis in o.axes] for name, o in simulator.provides.items()}
        self._hera, self._galaxies = model.probes["power_spectrum_21cm"], model.probes["uv_luminosity_function"]
        self._dark, self._depth = model.probes["neutral_fraction"], model.probes["optical_depth"]
        requirement = self._hera.requires["delta21_sq"]
        self._at, self._windows = requirement.at, requirement.weights

    def evaluate(self, theta: FloatArray, *, gradient: bool) -> FloatArray:
        """Evaluate a batch; see :meth:`astroemu.sampling.target.TargetWrapper.evaluate`. There is no gradient."""
        if gradient:
            raise NotImplementedError("21CMMC has no gradients")
        found = self.simulator.simulate(np.asarray(theta)[:, self._columns])
        return np.array([[self.of_one({name: v[i] for name, v in found.items()})] for i in range(len(theta))])

    def of_one(self, values: Mapping[str, FloatArray]) -> float:
        """Return the log-likelihood of the observables of one point, on the grids of the emulator."""
        parts = (self._power_spectrum, self._luminosity_functions, self._dark_fraction, self._optical_depth)
        return float(sum(part(values) for part in parts))

    def _power_spectrum(self, values: Mapping[str, FloatArray]) -> float:
        z, k = self._grid["delta21_sq"]
        power = RectBivariateSpline(z, k, values["delta21_sq"])(self._at["z"], self._at["k"], grid=False)
        model = self._windows @ power
        sigma = np.sqrt(self._hera.sigma**2 + (0.2 * model) ** 2)
        probability = 0.5 + 0.5 * erf((self._hera.data - model) / (np.sqrt(2) * sigma))
        return float(np.sum(np.log(np.maximum(probability, _FLOOR))))

    def _luminosity_functions(self, values: Mapping[str, FloatArray]) -> float:
        data, (z, m_uv), total = self._galaxies, self._grid["log10_uv_lf"], 0.0
        for redshift in np.unique(data.z):
            here = data.z == redshift
            spline = InterpolatedUnivariateSpline(m_uv, values["log10_uv_lf"][np.argmin(np.abs(z - redshift))])
            error = 0.5 * (data.error_low[here] + data.error_high[here])
            total -= 0.5 * float(np.sum(((10 ** spline(data.m_uv[here]) - data.phi[here]) / error) ** 2))
        return total

    def _dark_fraction(self, values: Mapping[str, FloatArray]) -> float:
        (z,), x_hi, total = self._grid["x_hi"], values["x_hi"], 0.0
        for at in self._dark.z:
            i = int(np.clip(np.searchsorted(z, at), 1, len(z) - 1))  # the lowest node is just above the lowest datum
            x = x_hi[i - 1] + (at - z[i - 1]) * (x_hi[i] - x_hi[i - 1]) / (z[i] - z[i - 1])
            total -= 0.5 * (max(float(x) - _DARK, 0.0) / _DARK_ERROR) ** 2
        return total

    def _optical_depth(self, values: Mapping[str, FloatArray]) -> float:
        data, difference = self._depth, float(values["tau_e"]) - self._depth.tau
        variance = data.error_high * data.error_low + (data.error_high - data.error_low) * difference
        return -0.5 * difference**2 / variance
