"""Lensed spectra of the cosmic microwave background from CAMB (Lewis, Challinor & Lasenby 2000, ApJ 538, 473).

The model is flat LambdaCDM with one massive neutrino and helium from big-bang nucleosynthesis. Reionization is a
hyperbolic tangent in ``(1 + z)^(3/2)`` with a given optical depth.

The spectra are smooth in the multipole, and CAMB itself interpolates them. They are therefore stored at nodes only. A
cubic spline through the nodes (rule ``spline`` of a requirement) reproduces the spectrum to within 0.02 of cosmic
variance, summed over all multipoles.

Numerical accuracy is important: with ``lens_potential_accuracy = 0`` the temperature spectrum alone is wrong by a
chi-square of 35 in cosmic variance. All settings are stored with the spectra.

The simulator needs the extra ``camb``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.emulation.simulator import Simulator
from astroemu.errors import ConfigurationError, PluginError

_PARAMETERS = (
    Parameter("omega_b_h2", Uniform(0.005, 0.04), r"\Omega_{\rm b} h^2"),
    Parameter("omega_c_h2", Uniform(0.01, 0.3), r"\Omega_{\rm c} h^2"),
    Parameter("theta_mc_100", Uniform(0.9, 1.2), r"100\,\theta_{\rm MC}"),
    Parameter("n_s", Uniform(0.6, 1.4), r"n_{\rm s}"),
    Parameter("ln_10_10_a_s", Uniform(1.5, 4.5), r"\ln 10^{10} A_{\rm s}"),
    Parameter("tau_e", Uniform(0.005, 0.4), r"\tau_e"),
)
_SPECTRA = {"d_ell_tt": 0, "d_ell_te": 3, "d_ell_ee": 1}  # their columns in CAMB's arrays
#: Pairs of a multipole and the step between nodes below it.
_STEPS = ((40, 1), (200, 4), (2500, 10), (4000, 20), (np.inf, 50))


def multipole_nodes(l_max: int) -> FloatArray:
    """Return the multipoles at which spectra are stored: all up to 40, fewer above, and ``l_max`` as the last one."""
    nodes = [2.0]
    while nodes[-1] < l_max:
        step = next(step for limit, step in _STEPS if nodes[-1] < limit)
        nodes.append(min(nodes[-1] + step, l_max))
    return np.array(nodes)


class Camb(Simulator):
    """Simulator of lensed CMB spectra by CAMB.

    Parameters
    ----------
    l_max : int
        Highest stored multipole.
    lens_potential_accuracy : float
        CAMB's setting: at least 1 for lensed spectra, 4 for multipoles above 3000.
    accuracy_boost, l_accuracy_boost : float
        CAMB's settings.
    m_nu : float
        Sum of the neutrino masses [eV]. One neutrino has all of it.
    n_eff : float
        Effective number of neutrino species.
    t_cmb : float
        CMB temperature [K].
    delta_redshift : float
        Width of reionization in redshift.
    non_linear : str
        CAMB's halo model, which is used for the lensing potential.

    Raises
    ------
    ConfigurationError
        If an option is out of its range.
    PluginError
        If CAMB is not installed.
    """

    parameters = _PARAMETERS
    batch = 1

    def __init__(
        self,
        l_max: int = 8500,
        lens_potential_accuracy: float = 4.0,
        accuracy_boost: float = 1.0,
        l_accuracy_boost: float = 1.0,
        m_nu: float = 0.06,
        n_eff: float = 3.044,
        t_cmb: float = 2.7255,
        delta_redshift: float = 0.5,
        non_linear: str = "mead2020",
    ) -> None:
        try:
            self.version = version("camb")
        except PackageNotFoundError:
            raise PluginError("the simulator 'camb' needs CAMB: pip install 'astroemu-inference[camb]'") from None
        if l_max < 100 or lens_potential_accuracy <= 0 or min(accuracy_boost, l_accuracy_boost) < 1:
            raise ConfigurationError(
                f"camb: l_max = {l_max} must be at least 100, lens_potential_accuracy = {lens_potential_accuracy} "
                f"above 0 (at 0, lensing is wrong by 17 %), accuracy_boost = {accuracy_boost} and "
                f"l_accuracy_boost = {l_accuracy_boost} at least 1"
            )
        if m_nu < 0 or min(n_eff, t_cmb, delta_redshift) <= 0:
            raise ConfigurationError(
                f"camb: m_nu = {m_nu} must not be negative, and n_eff = {n_eff}, t_cmb = {t_cmb}, "
                f"delta_redshift = {delta_redshift} must be above 0"
            )
        self._l_max = l_max
        self._settings = {
            "l_max": l_max,
            "lens_potential_accuracy": lens_potential_accuracy,
            "accuracy_boost": accuracy_boost,
            "l_accuracy_boost": l_accuracy_boost,
            "m_nu_eV": m_nu,
            "n_eff": n_eff,
            "t_cmb_K": t_cmb,
            "delta_redshift": delta_redshift,
            "non_linear": non_linear,
        }

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            **self._settings,
            "massive_neutrinos": 1,
            "helium": "big-bang nucleosynthesis (CAMB's default table)",
            "reionization": "hyperbolic tangent",
            "pivot_scale_per_Mpc": 0.05,
            "spectra": "lensed scalar",
        }

    @property
    def licence(self) -> str:
        return "LGPL with terms on citation (CAMB)"

    @property
    def citation(self) -> str:
        return "Lewis, Challinor & Lasenby 2000, arXiv:astro-ph/9911177; Howlett et al. 2012, arXiv:1201.3654"

    @cached_property
    def provides(self) -> Mapping[str, Observable]:
        ell = (Axis("ell", multipole_nodes(self._l_max)),)
        lensed = r"{\ell(\ell+1)} C_\ell^{%s} / 2\pi"
        made = (
            Observable("d_ell_tt", ell, "uK^2", "Lensed temperature spectrum, l(l+1) C_l / 2 pi", lensed % "TT"),
            Observable("d_ell_te", ell, "uK^2", "Lensed cross spectrum, l(l+1) C_l / 2 pi", lensed % "TE"),
            Observable("d_ell_ee", ell, "uK^2", "Lensed E-mode spectrum, l(l+1) C_l / 2 pi", lensed % "EE"),
            Observable("d_ell_pp", ell, "", "Deflection spectrum, [l(l+1)]^2 C_l^phiphi / 2 pi"),
            Observable("h", (), "", "Hubble constant over 100 km/s/Mpc", "h"),
            Observable("sigma_8", (), "", "Rms of linear matter in 8 Mpc/h today", r"\sigma_8"),
            Observable("z_re", (), "", "Redshift of half ionisation", r"z_{\rm re}"),
            Observable("r_drag", (), "Mpc", "Comoving sound horizon at the drag epoch", r"r_{\rm drag}"),
        )
        return {observable.name: observable for observable in made}

    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        runs = [self._run(*point) for point in np.asarray(theta, dtype=float).tolist()]
        return {name: np.stack([run[name] for run in runs]) for name in self.provides}

    def _run(
        self, omega_b_h2: float, omega_c_h2: float, theta_mc_100: float, n_s: float, ln_10_10_a_s: float, tau_e: float
    ) -> dict[str, FloatArray]:
        import camb

        camb.config.ThreadNum = 1  # more threads gain nothing, more processes do
        given = self._settings
        model = camb.CAMBparams()
        model.set_accuracy(AccuracyBoost=given["accuracy_boost"], lAccuracyBoost=given["l_accuracy_boost"])
        model.set_cosmology(
            cosmomc_theta=theta_mc_100 / 100,
            ombh2=omega_b_h2,
            omch2=omega_c_h2,
            mnu=given["m_nu_eV"],
            num_massive_neutrinos=1 if given["m_nu_eV"] else 0,
            nnu=given["n_eff"],
            TCMB=given["t_cmb_K"],
            tau=tau_e,
        )
        model.Reion.delta_redshift = given["delta_redshift"]
        model.InitPower.set_params(As=1e-10 * np.exp(ln_10_10_a_s), ns=n_s)
        model.NonLinearModel.set_params(halofit_version=given["non_linear"])
        model.NonLinear = camb.model.NonLinear_both
        model.WantTransfer = True  # for sigma_8
        model.set_for_lmax(self._l_max + 100, lens_potential_accuracy=given["lens_potential_accuracy"])
        results = camb.get_results(model)
        rows = self.provides["d_ell_tt"].axes[0].values.astype(int)
        lensed = results.get_lensed_scalar_cls(lmax=self._l_max, CMB_unit="muK")[rows]
        derived = results.get_derived_params()
        return {
            **{name: lensed[:, column] for name, column in _SPECTRA.items()},
            "d_ell_pp": results.get_lens_potential_cls(lmax=self._l_max)[rows, 0],
            "h": np.asarray(model.h),
            "sigma_8": np.asarray(results.get_sigma8_0()),
            "z_re": np.asarray(results.Params.Reion.get_zre(results.Params)),
            "r_drag": np.asarray(derived["rdrag"]),
        }
