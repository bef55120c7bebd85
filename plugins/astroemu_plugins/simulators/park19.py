"""Semi-analytic model of galaxies and reionization by Park et al. (2019, MNRAS 484, 933).

The atomic-cooling galaxies are those of 21cmFAST (equations 1 to 8). For a halo of mass M in solar masses:

* the fraction ``f_star = min(1, f_star10 (M / 10^10)^alpha_star)`` of its baryons becomes stars within ``t_star``
  Hubble times;
* the fraction ``f_esc = min(1, f_esc10 (M / 10^10)^alpha_esc)`` of its ionising photons escapes;
* the fraction ``exp(-M_turn / M)`` of such halos forms stars.

The halo mass function is that of Sheth & Tormen with the parameters of Jenkins et al. (2001), the default of 21cmFAST.
The model predicts:

* UV luminosity function: each mass has one magnitude, and the relation is inverted analytically, as in 21cmFAST. With
  the option ``uv_scatter``, galaxies of one mass scatter about this magnitude by the parameter ``sigma_uv``, as bursts
  of star formation do (Shen et al. 2023, MNRAS 525, 3254). There is no dust.
* Emissivity: the ionising photons per baryon, ``n_ion(z)``, follow from the collapsed stellar mass.
* Reionization: ``dQ/dt = A dn_ion/dt - Q^(1 + n) / t_rec``, with ``t_rec`` of case B at 2 x 10^4 K and the clumping
  factor ``C ((1 + z) / 8)^m``. ``C`` is a parameter; ``A``, ``n`` and ``m`` are settings. Their defaults bring this
  one-zone model closest to the three-dimensional histories of 21cmEMU.
* Optical depth: the integral over this history. Helium is ionised once with hydrogen and twice below z = 3. The gas is
  assumed to be ionised below the lowest redshift of the history.

The model has no X-ray sources and no 21-cm signal. It needs NumPy only, and cosmological parameters are among its
parameters. It can therefore train an emulator, and also run directly inside a likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.interpolation import interpolation_matrix
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.emulation.simulator import Simulator
from astroemu.errors import ConfigurationError, DataError
from astroemu_plugins.cosmology import LN_RADIUS, YEAR_S, Cosmology
from astroemu_plugins.thomson import optical_depth

_GALAXIES = (
    Parameter("log10_f_star10", Uniform(-3.0, 0.0), r"\log_{10} f_{*,10}"),
    Parameter("alpha_star", Uniform(-0.5, 1.0), r"\alpha_*"),
    Parameter("log10_f_esc10", Uniform(-3.0, 0.0), r"\log_{10} f_{{\rm esc},10}"),
    Parameter("alpha_esc", Uniform(-1.0, 0.5), r"\alpha_{\rm esc}"),
    Parameter("log10_m_turn", Uniform(8.0, 10.0), r"\log_{10} M_{\rm turn}", "log10 Msun"),
    Parameter("t_star", Uniform(0.01, 1.0), "t_*", "Hubble time"),
    Parameter("clumping", Uniform(0.0, 10.0), "C_7"),
)
_COSMOLOGY = (
    Parameter("h", Uniform(0.5, 0.9), "h"),
    Parameter("omega_m", Uniform(0.15, 0.5), r"\Omega_{\rm m}"),
    Parameter("omega_b", Uniform(0.03, 0.07), r"\Omega_{\rm b}"),
    Parameter("sigma_8", Uniform(0.5, 1.1), r"\sigma_8"),
    Parameter("n_s", Uniform(0.8, 1.1), r"n_{\rm s}"),
)
#: Redshifts of the history, and coarser nodes at which the integral over halos is computed.
_Z = np.linspace(4.0, 35.0, 156)
_Z_NODES = np.concatenate([np.linspace(4.0, 14.0, 21), np.geomspace(15.0, 36.0, 20)])
_Z_LF = np.arange(4.0, 17.0)
_M_UV = np.linspace(-24.0, -10.0, 29)
_SIGMA_UV = Parameter("sigma_uv", Uniform(0.0, 1.5), r"\sigma_{\rm UV}", "mag")
#: Nodes of the average over the scatter in magnitude.
_SCATTER_RULE = np.polynomial.hermite_e.hermegauss(24)
#: Sheth & Tormen (1999) with the values of Jenkins et al. (2001, MNRAS 321, 372).
_ST_A, _ST_P, _ST_NORM, _DELTA_C = 0.73, 0.175, 0.353, 1.686
#: ln of the star formation rate [Msun/yr] per UV luminosity [erg/s/Hz] (Sun & Furlanetto 2016): Park+19, equation 11.
_LN_KAPPA = np.log(1.15e-28)
_LN_10 = np.log(10.0)
_PHOTONS = 5000.0  # ionising photons per stellar baryon
_ALPHA_B = 2.59e-13 * 2.0**-0.7  # cm^3/s, case B at 2 x 10^4 K


class Park19(Simulator):
    """Simulator of galaxies and reionization by the semi-analytic model of Park et al. (2019).

    Parameters
    ----------
    photon_efficiency : float
        ``A``: ratio of the ionising photons that this model counts to the escaping ones.
    recombination_index : float
        ``n``: the recombination rate is proportional to ``Q^(1 + n)``. It is lower at small ionised fractions ``Q``, as
        in a patchy medium.
    clumping_slope : float
        ``m``: the clumping factor is ``clumping ((1 + z) / 8)^m``.
    uv_scatter : bool
        Whether ``sigma_uv`` is a parameter: the scatter in magnitude of galaxies of one halo mass, a Gaussian about the
        median. Otherwise it is zero.

    Raises
    ------
    ConfigurationError
        If an option is out of its range.
    """

    parameters = (*_GALAXIES, *_COSMOLOGY)
    batch = 200
    version = "1"

    def __init__(
        self,
        photon_efficiency: float = 0.925,
        recombination_index: float = 1.56,
        clumping_slope: float = -0.77,
        uv_scatter: bool = False,
    ) -> None:
        if not 0 < photon_efficiency <= 2 or not 0 <= recombination_index <= 5:
            raise ConfigurationError(
                f"photon_efficiency = {photon_efficiency} must be in (0, 2] and "
                f"recombination_index = {recombination_index} in [0, 5]"
            )
        self._efficiency, self._index, self._slope = photon_efficiency, recombination_index, clumping_slope
        self._scatter = uv_scatter
        self.parameters = (*_GALAXIES, *_COSMOLOGY, *((_SIGMA_UV,) if uv_scatter else ()))

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "photon_efficiency": self._efficiency,
            "recombination_index": self._index,
            "clumping_slope": self._slope,
            "photons_per_baryon": _PHOTONS,
            "mass_function": "Sheth-Tormen with the parameters of Jenkins et al. (2001)",
            "transfer_function": "Eisenstein & Hu (1999), no wiggles",
            "helium_mass_fraction": 0.245,
            "t_cmb_K": 2.7255,
            **({"uv_scatter": "Gaussian in magnitude at fixed halo mass"} if self._scatter else {}),
        }

    @property
    def licence(self) -> str:
        return "MIT (astroemu)"

    @property
    def citation(self) -> str:
        return "Park et al. 2019, MNRAS 484, 933, arXiv:1809.08995"

    @cached_property
    def provides(self) -> Mapping[str, Observable]:
        z = Axis("z", _Z)
        made = (
            Observable("x_hi", (z,), "", "Volume-averaged neutral hydrogen fraction", r"\bar{x}_{\rm HI}"),
            Observable("n_ion", (z,), "", "Ionising photons that escaped so far, for each baryon", r"n_{\rm ion}"),
            Observable("tau_e", (), "", "Thomson optical depth of this history", r"\tau_e"),
            Observable(
                "log10_uv_lf",
                (Axis("z", _Z_LF), Axis("m_uv", _M_UV, "mag")),
                "log10(Mpc^-3 mag^-1)",
                "log10 of the UV luminosity function",
                r"\log_{10} \phi",
            ),
        )
        return {observable.name: observable for observable in made}

    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        theta = np.asarray(theta, dtype=float)
        if not np.all(np.isfinite(theta)):
            raise DataError("park19: a parameter is not finite")
        values = {p.name: theta[:, j] for j, p in enumerate(self.parameters)}
        halos, of_point = _halos(values)
        cosmology = halos.cosmology
        n_ion = self._efficiency * _emissivity(halos, values, of_point)
        ionised = self._history(cosmology, values, n_ion, of_point)
        luminosity_function = _scattered if self._scatter else _luminosity_function
        return {
            "x_hi": 1.0 - ionised,
            "n_ion": n_ion,
            "tau_e": optical_depth(values["h"], values["omega_m"], values["omega_b"], _Z, ionised, NUMPY),
            "log10_uv_lf": luminosity_function(halos, values, of_point),
        }

    def _history(
        self, cosmology: Cosmology, values: Mapping[str, FloatArray], n_ion: FloatArray, of_point: Any
    ) -> FloatArray:
        """Return the ionised fraction ``(n, z)``, integrated from high to low redshift by an implicit trapezoidal rule.

        ``n_ion`` can fall where the escape fraction falls as halos grow. Emitted photons are not removed in that case.
        """
        z = 0.5 * (_Z[1:] + _Z[:-1])
        dt = (np.diff(_Z) / ((1.0 + z) * cosmology.hubble(z)))[of_point]
        electrons = cosmology.hydrogen_density * (1.0 + cosmology.helium_to_hydrogen)
        clumping = values["clumping"][:, None] * ((1.0 + z) / 8.0) ** self._slope
        lost = clumping * _ALPHA_B * electrons[of_point][:, None] * (1.0 + z) ** 3 * dt  # recombinations per step
        gained = np.maximum(n_ion[:, :-1] - n_ion[:, 1:], 0.0)
        q = np.minimum(n_ion[:, -1], 1.0)
        ionised = np.empty_like(n_ion)
        ionised[:, -1] = q
        for i in range(len(_Z) - 2, -1, -1):
            half = 0.5 * lost[:, i] * np.minimum(q + 0.5 * gained[:, i], 1.0) ** self._index
            q = np.minimum((q * (1.0 - half) + gained[:, i]) / (1.0 + half), 1.0)
            ionised[:, i] = q
        return ionised


def _halos(values: Mapping[str, FloatArray]) -> tuple[_Halos, NDArray[np.intp]]:
    """Return the halos of the distinct cosmologies of a batch, and the cosmology's index ``(n,)`` of each point."""
    rows = np.stack([values[p.name] for p in _COSMOLOGY], axis=1)
    different, of_point = np.unique(rows, axis=0, return_inverse=True)
    made = _one_halos if len(different) == 1 else _some_halos
    return made(tuple(map(tuple, different.T.tolist()))), of_point.reshape(-1)


def _some_halos(columns: tuple[tuple[float, ...], ...]) -> _Halos:
    h, omega_m, omega_b, sigma_8, n_s = (np.array(column) for column in columns)
    return _Halos(Cosmology(h, omega_m, omega_b, sigma_8, n_s))


#: A fit at fixed cosmology needs the same halos in every batch.
_one_halos = lru_cache(maxsize=4)(_some_halos)


class _Halos:
    """Mass functions of ``c`` cosmologies, as mass fraction per ln M: ``(c, z, M)``."""

    def __init__(self, cosmology: Cosmology) -> None:
        self.cosmology = cosmology
        self.ln_mass = cosmology.ln_mass
        self.step = 3.0 * float(LN_RADIUS[1] - LN_RADIUS[0])
        self._sigma, slope = cosmology.sigma
        self._ln_slope = np.log(slope)

    @cached_property
    def fraction_at_nodes(self) -> FloatArray:
        """Mass fraction per ln M at the redshift nodes of the emissivity: ``(c, z, M)``."""
        return np.exp(self._ln_fraction(_Z_NODES))

    @cached_property
    def ln_fraction_at_lf(self) -> FloatArray:
        """ln of the mass fraction per ln M at the redshifts of the luminosity functions: ``(c, z, M)``."""
        return self._ln_fraction(_Z_LF)

    def _ln_fraction(self, z: FloatArray) -> FloatArray:
        sigma = self._sigma[:, None, :] * self.cosmology.growth(z)[:, :, None]
        ln_nu = 0.5 * np.log(_ST_A) + np.log(_DELTA_C) - np.log(sigma)
        ln_f = 0.5 * np.log(2.0 / np.pi) + np.log(_ST_NORM) + np.log1p(np.exp(-2.0 * _ST_P * ln_nu))
        return np.asarray(ln_f + ln_nu - 0.5 * np.exp(2.0 * ln_nu) + self._ln_slope[:, None, :])


def _emissivity(halos: _Halos, values: Mapping[str, FloatArray], of_point: NDArray[np.intp]) -> FloatArray:
    """Return the ionising photons per baryon ``(n, z)``, a smooth function that is integrated at coarse redshifts."""
    ln_m = halos.ln_mass[of_point]
    ln_x = ln_m - 10.0 * _LN_10
    f_star = np.minimum(_LN_10 * values["log10_f_star10"][:, None] + values["alpha_star"][:, None] * ln_x, 0.0)
    f_esc = np.minimum(_LN_10 * values["log10_f_esc10"][:, None] + values["alpha_esc"][:, None] * ln_x, 0.0)
    turn = np.exp(_LN_10 * values["log10_m_turn"][:, None] - ln_m)
    weight = np.exp(f_star + f_esc - turn)
    fraction = halos.fraction_at_nodes
    if len(fraction) == 1:
        photons = weight @ fraction[0].T
    else:
        photons = np.matmul(fraction[of_point], weight[:, :, None])[:, :, 0]
    ln_n = np.log(np.maximum(_PHOTONS * halos.step * photons, 1e-300))
    return np.exp(ln_n @ _between_nodes())


@lru_cache(maxsize=1)
def _between_nodes() -> FloatArray:
    return interpolation_matrix(_Z_NODES, _Z, "spline").T


def _scattered(halos: _Halos, values: Mapping[str, FloatArray], of_point: NDArray[np.intp]) -> FloatArray:
    """Return the luminosity function of galaxies that scatter in magnitude, as :func:`_luminosity_function` does.

    ``phi(M) = int phi_0(M - x) N(x; sigma_uv) dx``, by Gauss-Hermite quadrature.
    """
    x, weights = _SCATTER_RULE
    m_uv = _M_UV[:, None] - values["sigma_uv"][:, None, None] * x  # (n, M_UV, nodes)
    log_phi = _luminosity_function(halos, values, of_point, m_uv.reshape(len(m_uv), 1, -1))
    log_phi = log_phi.reshape(*log_phi.shape[:2], *m_uv.shape[1:])
    top = log_phi.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log10(10.0 ** (log_phi - top) @ (weights / weights.sum())))


def _luminosity_function(
    halos: _Halos, values: Mapping[str, FloatArray], of_point: NDArray[np.intp], m_uv: FloatArray = _M_UV
) -> FloatArray:
    """Return log10 of the UV luminosity function ``(n, z, M_UV)`` [log10(Mpc^-3 mag^-1)]."""
    cosmology = halos.cosmology
    baryons = (cosmology.omega_b / cosmology.omega_m)[of_point]
    rate = (cosmology.hubble(_Z_LF) * YEAR_S)[of_point] / values["t_star"][:, None]  # 1/yr
    # Halo mass [Msun] that would give each magnitude at f_star = 1: star formation rate / (baryon fraction * rate).
    ln_sfr = _LN_10 * (51.63 - m_uv) / 2.5 + _LN_KAPPA
    ln_stars = ln_sfr - np.log(rate * baryons[:, None])[:, :, None]
    alpha = values["alpha_star"][:, None, None]
    ln_f10 = _LN_10 * values["log10_f_star10"][:, None, None]
    # Solve M min(1, f10 (M / 10^10)^alpha) = M_*: the larger of the two solutions is the valid one.
    power = (ln_stars - ln_f10 + alpha * 10.0 * _LN_10) / (1.0 + alpha)
    ln_m = np.maximum(power, ln_stars)
    slope = np.where(power >= ln_stars, 1.0 + alpha, 1.0)  # d ln M_* / d ln M
    ln_f = _at_mass(halos, halos.ln_fraction_at_lf, ln_m, of_point)
    turn = np.exp(_LN_10 * values["log10_m_turn"][:, None, None] - ln_m)
    ln_density = np.log(cosmology.matter_density)[of_point][:, None, None] - ln_m
    ln_phi = ln_f + ln_density - turn - np.log(2.5 / _LN_10 * slope)
    return np.asarray(ln_phi / _LN_10)


def _at_mass(halos: _Halos, table: FloatArray, ln_m: FloatArray, of_point: NDArray[np.intp]) -> FloatArray:
    """Return a table ``(c, z, M)`` interpolated in ln M at ``(n, z, m)``, by parabolas through three nodes."""
    place = (ln_m - halos.ln_mass[of_point][:, :1, None]) / halos.step
    middle = np.clip(np.rint(place), 1, table.shape[2] - 2).astype(np.intp)
    t = place - middle
    row, z = of_point[:, None, None], np.arange(table.shape[1])[None, :, None]
    below, here, above = (table[row, z, middle + i] for i in (-1, 0, 1))
    return np.asarray(here + 0.5 * t * (above - below) + 0.5 * t * t * (above - 2.0 * here + below))
