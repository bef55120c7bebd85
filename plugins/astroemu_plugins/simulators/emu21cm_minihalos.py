"""The model "mcg" of 21cmEMU: atomic- and molecular-cooling galaxies.

Breitman et al. 2026 (arXiv:2606.00219) trained recurrent networks on 21cmFAST with minihalos. What this module does
about the package:

* it returns all 45 magnitudes of the luminosity functions, of which the package returns 30;
* the spin temperature is left out at the highest redshift, where it is undefined at every point;
* it is undefined where the network's logit is negative; the package rescales the logit first;
* the stated errors of ``x_hi``, ``t_b`` and ``t_s`` are stored by falling redshift, and are turned round;
* those of the power are percentages of log10 Delta^2; the package applies them to Delta^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu_plugins.simulators.emu21cm_columns import Columns

#: In the order of the network's inputs. The box is that of its training points, rounded inwards.
PARAMETERS = (
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
SETTINGS: dict[str, Any] = {
    "teacher": "21cmFAST v3 with minihalos, box 400 Mpc, 200^3",
    "cosmology": {"h": 0.6688, "Omega_m": 0.321, "Omega_b": 0.04952, "n_s": 0.9626},
    "photon_conservation": False,
    "not_provided": "the cylindrical power spectrum: 23 CPU seconds per redshift and realisation",
}
CITATION = "Breitman et al. 2026, arXiv:2606.00219"
#: Attributes of 21cmEMU with the percentages of its errors, by observable.
_STATED = {"x_hi": "xHI", "t_b": "Tb", "t_s": "Ts", "tau_e": "tau", "log10_uv_lf": "UVLFs", "delta21_sq": "PS_1D"}
#: Those that are stored by falling redshift.
_FALLING = ("x_hi", "t_b", "t_s")


class Minihalos:
    """The networks of "mcg", as arrays in physical units.

    Parameters
    ----------
    emulator : py21cmemu.Emulator
    """

    def __init__(self, emulator: Any) -> None:
        self._network, self._known = emulator.model, emulator.properties
        self._columns = {name: Columns(getattr(self._network, name)) for name in ("ps_head", "uvlf_head")}

    @cached_property
    def observables(self) -> tuple[Observable, ...]:
        known = self._known
        z = np.array(known.redshifts, dtype=float)
        z_power, k = np.array(known.PS_1D_redshifts, dtype=float), np.array(known.PS_1D_k, dtype=float)
        z_lf, m_uv = np.array(known.uv_lf_zs, dtype=float), np.array(known.UVLFs_MUVs, dtype=float)
        return (
            Observable(
                "delta21_sq",
                (Axis("z", z_power), Axis("k", k, "1/Mpc")),
                "mK^2",
                "Dimensionless 21-cm power spectrum in redshift space; the network's floor is 0.01 mK^2",
                r"\Delta^2_{21}",
            ),
            Observable("x_hi", (Axis("z", z),), "", "Volume-averaged neutral hydrogen fraction", r"\bar{x}_{\rm HI}"),
            Observable(
                "tau_e", (), "", "Thomson optical depth, taking the gas as fully ionised below z = 4.9", r"\tau_e"
            ),
            Observable(
                "log10_uv_lf",
                (Axis("z", z_lf), Axis("m_uv", m_uv, "mag")),
                "log10(Mpc^-3 mag^-1)",
                "log10 of the UV luminosity function",
                r"\log_{10} \phi",
            ),
            Observable("t_b", (Axis("z", z),), "mK", "Global 21-cm brightness temperature", r"\bar{T}_{21}"),
            Observable(
                "t_s",
                (Axis("z", z[:-1]),),
                "K",
                "Mean spin temperature; without meaning once reionization is complete",
                r"\bar{T}_{\rm S}",
            ),
        )

    def predict(self, points: FloatArray) -> dict[str, FloatArray]:
        """Return the observables at points ``(n, 11)`` within the box, with photon energies in eV."""
        import torch

        low, high = np.array(self._known.lstm_limits[:-1], dtype=float).T
        theta = torch.tensor((points - low) / (high - low), dtype=torch.float32)
        network, known = self._network, self._known
        with torch.no_grad():
            steps = network._build_direct_sequence(theta)
            x_hi, t_b, t_s = (
                head(steps).double().numpy()[:, ::-1] for head in (network.xhi_head, network.tb_head, network.ts_head)
            )
            tau = network.tau_head(theta).double().numpy()
        log10_t_s = np.where(t_s[:, :-1, 1] > 0, known.Ts_mean + known.Ts_std * t_s[:, :-1, 0], np.nan)
        phi = self._two_dimensional("uvlf_head", theta)
        return {
            "delta21_sq": 10 ** (known.PS_1D_log_mean + known.PS_1D_log_std * self._two_dimensional("ps_head", theta)),
            "x_hi": 1 / (1 + np.exp(-x_hi[..., 0])),
            "tau_e": 10 ** (known.tau_log_mean + known.tau_log_std * tau),
            "log10_uv_lf": known.UVLFs_log_mean[:, None] + known.UVLFs_log_std[:, None] * phi,
            "t_b": known.Tb_mean + known.Tb_std * t_b[..., 0],
            "t_s": 10**log10_t_s,
        }

    def _two_dimensional(self, name: str, theta: Any) -> FloatArray:
        import torch

        head = getattr(self._network, name)
        n = len(theta)
        with torch.no_grad():
            repeated = theta[:, None].expand(n, head.n_rows, -1)
            steps = torch.cat([repeated, head._row_norm[None, :, None].expand(n, -1, 1)], dim=-1)
            rows, _ = head.row_lstm(steps)
        outputs = self._columns[name](rows.reshape(n * head.n_rows, -1).numpy())
        return outputs.reshape(n, head.n_rows, head.n_cols).astype(float)

    def stated_errors(self, values: Mapping[str, FloatArray], kind: Literal["median", "mean"]) -> dict[str, FloatArray]:
        """Return the errors against 21cmFAST that 21cmEMU states, at predictions ``values``.

        They are in the unit of each observable, and in dex for ``delta21_sq``. The errors of ``log10_uv_lf`` are
        percentages of log10 phi.
        """
        errors = {}
        for name, stem in _STATED.items():
            percent = np.asarray(getattr(self._known, f"{stem}_{'med' if kind == 'median' else kind}_err"), dtype=float)
            if name in _FALLING:
                percent = percent[::-1]
            if name == "log10_uv_lf":
                percent = percent.T
            if name == "t_s":
                percent = percent[:-1]
            size = np.abs(np.log10(values[name]) if name == "delta21_sq" else values[name])
            errors[name] = percent / 100 * size
        return errors
