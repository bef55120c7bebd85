"""21cmEMU as a simulator: predictions of 21cmFAST by a large network.

Breitman et al. 2024 (MNRAS 527, 9833, arXiv:2309.05697) trained a network with 21.7 million parameters on 21cmFAST v3.
This is the model "acg" of atomic-cooling galaxies. It takes milliseconds per point. Here its predictions are training
data for much smaller networks. The model "mcg" (Breitman et al. 2026, arXiv:2606.00219) is a set of recurrent networks.
It also has molecular-cooling galaxies (minihalos), and takes 15 milliseconds per point; see
:mod:`astroemu_plugins.simulators.emu21cm_minihalos`. The simulator needs the extra ``21cmemu`` (PyTorch).

Known problems of 21cmEMU, and what this module does:

* "acg" checks no bounds, and "mcg" moves a point outside its box onto the boundary: here both raise an error;
* its documentation offers parameters within [0, 1], but it reads them as physical: here they are physical;
* the X-ray threshold energy is in eV at the interface and in keV in the tables: here it is ``e_0_keV``;
* the optical depth assumes fully ionised gas below z = 5.9 ("acg") or 4.9 ("mcg"): the description says so;
* the spin temperature is undefined after the end of reionization: it is NaN there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.emulation.simulator import Simulator
from astroemu.errors import DataError, PluginError
from astroemu_plugins.simulators import emu21cm_minihalos

_ACG = (
    Parameter("log10_f_star10", Uniform(-3.0, 0.0), r"\log_{10} f_{*,10}"),
    Parameter("alpha_star", Uniform(-0.5, 1.0), r"\alpha_*"),
    Parameter("log10_f_esc10", Uniform(-3.0, 0.0), r"\log_{10} f_{{\rm esc},10}"),
    Parameter("alpha_esc", Uniform(-1.0, 0.5), r"\alpha_{\rm esc}"),
    Parameter("log10_m_turn", Uniform(8.0, 10.0), r"\log_{10} M_{\rm turn}", "log10 Msun"),
    Parameter("t_star", Uniform(0.01, 1.0), r"t_*", "Hubble time"),
    Parameter("log10_l_x", Uniform(38.0, 42.0), r"\log_{10} L_X", "log10 erg s^-1 Msun^-1 yr"),
    Parameter("e_0_keV", Uniform(0.1, 1.5), r"E_0", "keV"),
    Parameter("alpha_x", Uniform(-1.0, 3.0), r"\alpha_X"),
)
_PARAMETERS = {"acg": _ACG, "mcg": emu21cm_minihalos.PARAMETERS}
_SETTINGS: dict[str, dict[str, Any]] = {
    "acg": {
        "teacher": "21cmFAST v3, box 250 Mpc, 128^3, redshift-space lightcones",
        "cosmology": {"h": 0.6774, "Omega_m": 0.3075, "Omega_b": 0.0486, "sigma_8": 0.82, "n_s": 0.97},
    },
    "mcg": emu21cm_minihalos.SETTINGS,
}
_CITATIONS = {
    "acg": "Breitman et al. 2024, MNRAS 527, 9833, arXiv:2309.05697",
    "mcg": emu21cm_minihalos.CITATION,
}
_BATCH = {"acg": 500, "mcg": 20}  # the fastest of each
_E_0 = "e_0_keV"


class Emu21cm(Simulator):
    """Simulator of 21-cm observables by 21cmEMU.

    Parameters
    ----------
    model : {"acg", "mcg"}
        Atomic-cooling galaxies with nine parameters, or atomic- and molecular-cooling galaxies with eleven.
    threads : int
        Number of PyTorch threads. It changes results by float32 rounding only.

    Raises
    ------
    PluginError
        If 21cmEMU is not installed.
    """

    parameters: tuple[Parameter, ...] = _ACG
    batch = _BATCH["acg"]

    def __init__(self, model: Literal["acg", "mcg"] = "acg", threads: int = 1) -> None:
        try:
            self.version = version("py21cmemu")
        except PackageNotFoundError:
            raise PluginError(
                "the simulator '21cmemu' needs py21cmemu: pip install 'astroemu-inference[21cmemu]'"
            ) from None
        self._model = model
        self._threads = threads
        self.parameters = _PARAMETERS[model]
        self.batch = _BATCH[model]

    @cached_property
    def _emulator(self) -> Any:
        import torch
        from py21cmemu import Emulator

        torch.set_num_threads(self._threads)
        return Emulator(emulator=self._model)

    @cached_property
    def _minihalos(self) -> emu21cm_minihalos.Minihalos:
        return emu21cm_minihalos.Minihalos(self._emulator)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"model": self._model, **_SETTINGS[self._model]}

    @property
    def licence(self) -> str:
        return "MIT (py21cmemu)"

    @property
    def citation(self) -> str:
        return _CITATIONS[self._model]

    @cached_property
    def _observables(self) -> dict[str, Observable]:
        made = self._minihalos.observables if self._model == "mcg" else _atomic_observables(self._emulator.properties)
        return {observable.name: observable for observable in made}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._observables

    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        self._check(theta)
        names = [p.name for p in self.parameters]
        points = np.where(np.array(names) == _E_0, theta * 1000.0, theta)  # keV to eV
        if self._model == "mcg":
            return self._minihalos.predict(points)
        _, output, _ = self._emulator.predict(points)
        raw = {
            "delta21_sq": output.PS,
            "x_hi": output.xHI,
            "tau_e": output.tau,
            "log10_uv_lf": output.UVLFs,
            "t_b": output.Tb,
            "t_s": output.Ts,
        }
        # 21cmEMU drops the batch axis of a single point.
        return {
            name: np.asarray(getattr(values, "value", values)).reshape(len(theta), *self.provides[name].shape)
            for name, values in raw.items()
        }

    def stated_errors(
        self, values: Mapping[str, FloatArray], kind: Literal["median", "mean"] = "mean"
    ) -> Mapping[str, FloatArray]:
        """Return the errors of "mcg" against 21cmFAST, as its authors measured them.

        Parameters
        ----------
        values : mapping of str to (n, ...) array
            Its predictions.
        kind : {"median", "mean"}
            Over the authors' test set. Means are larger, since few points have large errors.

        Returns
        -------
        mapping of str to (n, ...) array
            In the unit of each observable, and in dex for ``delta21_sq``.

        Raises
        ------
        PluginError
            For "acg", whose package states one number per output.
        """
        if self._model != "mcg":
            raise PluginError('21cmemu: stated_errors is for model = "mcg"; those of "acg" are in Breitman et al. 2024')
        return self._minihalos.stated_errors(values, kind)

    def _check(self, theta: FloatArray) -> None:
        """Raise an error for the first value outside the box. The package would move it onto the boundary."""
        low, high = np.array([p.prior.support for p in self.parameters]).T
        outside = np.argwhere(~((theta >= low) & (theta <= high)))
        if len(outside) == 0:
            return
        row, column = outside[0]
        p, value = self.parameters[column], theta[row, column]
        hint = ""
        if p.name == _E_0 and low[column] <= value / 1000 <= high[column]:
            hint = f". It looks like eV; the unit here is keV: {value / 1000:g}"
        elif np.all((theta[row] >= 0) & (theta[row] <= 1)):
            hint = ". All values of this point lie between 0 and 1: give physical values, not those of the unit cube"
        raise DataError(
            f"21cmemu, model {self._model!r}: row {row} has {p.name} = {value:g}, outside the box of the training "
            f"points, {low[column]:g} to {high[column]:g}{' ' + p.unit if p.unit else ''}{hint}"
        )


def _atomic_observables(known: Any) -> tuple[Observable, ...]:
    z = Axis("z", np.asarray(known.zs))
    m_uv = np.asarray(known.UVLFs_MUVs)
    m_uv = m_uv[(m_uv >= -20) & (m_uv <= -10)]
    return (
        Observable(
            "delta21_sq",
            (Axis("z", np.asarray(known.PS_zs)), Axis("k", np.asarray(known.PS_ks), "1/Mpc")),
            "mK^2",
            "Dimensionless 21-cm power spectrum in redshift space; the simulations' floor is 0.1 mK^2",
            r"\Delta^2_{21}",
        ),
        Observable("x_hi", (z,), "", "Volume-averaged neutral hydrogen fraction", r"\bar{x}_{\rm HI}"),
        Observable("tau_e", (), "", "Thomson optical depth, taking the gas as fully ionised below z = 5.9", r"\tau_e"),
        Observable(
            "log10_uv_lf",
            (Axis("z", np.asarray(known.uv_lf_zs)), Axis("m_uv", m_uv, "mag")),
            "log10(Mpc^-3 mag^-1)",
            "log10 of the UV luminosity function; a sub-grid (-20 to -10) of the simulations' magnitudes",
            r"\log_{10} \phi",
        ),
        Observable("t_b", (z,), "mK", "Global 21-cm brightness temperature", r"\bar{T}_{21}"),
        Observable(
            "t_s", (z,), "K", "Mean spin temperature; without meaning once reionization is complete", r"\bar{T}_{\rm S}"
        ),
    )
