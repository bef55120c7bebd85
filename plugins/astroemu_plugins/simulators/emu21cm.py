"""21cmEMU as a simulator: predictions of 21cmFAST by a large network.

Breitman et al. 2024 (MNRAS 527, 9833, arXiv:2309.05697) trained a network with 21.7 million parameters on 21cmFAST v3.
This is the model "acg" of atomic-cooling galaxies. It takes milliseconds per point. Here its predictions are training
data for much smaller networks. The model "mcg" is a recurrent network that also has molecular-cooling galaxies
(minihalos); it takes a tenth of a second per point. The simulator needs the extra ``21cmemu`` (PyTorch).

Known problems of 21cmEMU, and what this module does:

* "acg" checks no bounds, and "mcg" moves a point outside its box onto the boundary: here both raise an error;
* the X-ray threshold energy is in eV at the interface and in keV in the tables: here it is ``e_0_keV``;
* the optical depth of "acg" assumes fully ionised gas below z = 5.9: the description says so;
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
#: In the order of the network's inputs. The box is that of its training points, rounded inwards.
_MCG = (
    Parameter("log10_f_star10", Uniform(-1.986, 0.976), r"\log_{10} f_{*,10}"),
    Parameter("alpha_star", Uniform(0.001, 1.171), r"\alpha_*"),
    Parameter("t_star", Uniform(0.0101, 0.9999), r"t_*", "Hubble time"),
    Parameter("log10_f_esc10", Uniform(-2.989, -0.001), r"\log_{10} f_{{\rm esc},10}"),
    Parameter("alpha_esc", Uniform(-0.9998, 0.9999), r"\alpha_{\rm esc}"),
    Parameter("log10_f_star7", Uniform(-3.999, -1.001), r"\log_{10} f_{*,7}"),
    Parameter("log10_f_esc7", Uniform(-2.999, -1.001), r"\log_{10} f_{{\rm esc},7}"),
    Parameter("log10_l_x", Uniform(38.002, 42.998), r"\log_{10} L_X", "log10 erg s^-1 Msun^-1 yr"),
    Parameter("log10_l_x_mini", Uniform(39.001, 43.999), r"\log_{10} L_{X,{\rm mini}}", "log10 erg s^-1 Msun^-1 yr"),
    Parameter("e_0_keV", Uniform(0.1001, 1.497), r"E_0", "keV"),
    Parameter("sigma_8", Uniform(0.7638, 0.8499), r"\sigma_8"),
)
_PARAMETERS = {"acg": _ACG, "mcg": _MCG}
_SETTINGS: dict[str, dict[str, Any]] = {
    "acg": {
        "teacher": "21cmFAST v3, box 250 Mpc, 128^3, redshift-space lightcones",
        "cosmology": {"h": 0.6774, "Omega_m": 0.3075, "Omega_b": 0.0486, "sigma_8": 0.82, "n_s": 0.97},
    },
    "mcg": {
        "teacher": "21cmFAST v3 with minihalos, box 400 Mpc, 200^3",
        "cosmology": {"h": 0.6688, "Omega_m": 0.321, "Omega_b": 0.04952, "n_s": 0.9626},
    },
}


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
    batch = 500

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
        if model == "mcg":
            self.batch = 20  # a hundred times slower per point

    @cached_property
    def _emulator(self) -> Any:
        import torch
        from py21cmemu import Emulator

        torch.set_num_threads(self._threads)
        return Emulator(emulator=self._model)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"model": self._model, **_SETTINGS[self._model]}

    @property
    def licence(self) -> str:
        return "MIT (py21cmemu)"

    @property
    def citation(self) -> str:
        return "Breitman et al. 2024, MNRAS 527, 9833, arXiv:2309.05697"

    @cached_property
    def _observables(self) -> dict[str, Observable]:
        known = self._emulator.properties
        z_all = Axis("z", np.asarray(known.zs))
        z_power = Axis("z", np.asarray(known.PS_zs))
        k = Axis("k", np.asarray(known.PS_ks), "1/Mpc")
        z_lf = Axis("z", np.asarray(known.uv_lf_zs))
        m_uv = np.asarray(known.UVLFs_MUVs)
        m_uv = m_uv[(m_uv >= -20) & (m_uv <= -10)]
        made = (
            Observable(
                "delta21_sq",
                (z_power, k),
                "mK^2",
                "Dimensionless 21-cm power spectrum in redshift space"
                + ("; the simulations' floor is 0.1 mK^2" if self._model == "acg" else ""),
                r"\Delta^2_{21}",
            ),
            Observable("x_hi", (z_all,), "", "Volume-averaged neutral hydrogen fraction", r"\bar{x}_{\rm HI}"),
            Observable(
                "tau_e",
                (),
                "",
                "Thomson optical depth"
                + (", taking the gas as fully ionised below z = 5.9" if self._model == "acg" else ""),
                r"\tau_e",
            ),
            Observable(
                "log10_uv_lf",
                (z_lf, Axis("m_uv", m_uv, "mag")),
                "log10(Mpc^-3 mag^-1)",
                "log10 of the UV luminosity function; a sub-grid (-20 to -10) of the simulations' magnitudes",
                r"\log_{10} \phi",
            ),
            Observable("t_b", (z_all,), "mK", "Global 21-cm brightness temperature", r"\bar{T}_{21}"),
            Observable(
                "t_s",
                (z_all,),
                "K",
                "Mean spin temperature; without meaning once reionization is complete",
                r"\bar{T}_{\rm S}",
            ),
        )
        return {observable.name: observable for observable in made}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._observables

    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        low, high = np.array([p.prior.support for p in self.parameters]).T
        if np.any((theta < low) | (theta > high)):
            raise DataError("21cmemu: a point lies outside the box of the training points")
        points = np.array(theta, dtype=float)
        points[:, [p.name for p in self.parameters].index("e_0_keV")] *= 1000.0  # keV to eV
        _, output, _ = self._emulator.predict(points)
        n = len(points)
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
            name: np.asarray(getattr(values, "value", values)).reshape(n, *self.provides[name].shape)
            for name, values in raw.items()
        }
