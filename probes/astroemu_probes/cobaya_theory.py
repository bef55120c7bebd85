"""The theory that hands predictions of astroemu to Cobaya's likelihoods (Torrado & Lewis 2021, arXiv:2005.05290).

It offers lensed spectra, numbers such as ``H0`` and ``rdrag``, and the expansion of a flat LambdaCDM cosmology. This
module imports Cobaya, so it is imported only where Cobaya is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from cobaya.theory import Theory

from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing

#: Name of the theory in Cobaya's model, and of its parameter. Cobaya wants one, which numbers the points here.
NAME, POINT = "astroemu", "astroemu_point"
#: Our observable, its unit, and the conversion to Cobaya's number, by Cobaya's name.
NUMBERS: Mapping[str, tuple[str, str, Callable[[float], float]]] = {
    "H0": ("h", "", lambda h: 100.0 * h),
    "omegam": ("omega_m", "", float),
    "omegab": ("omega_b", "", float),
    "ombh2": ("omega_b_h2", "", float),
    "omch2": ("omega_c_h2", "", float),
    "ns": ("n_s", "", float),
    "logA": ("ln_10_10_a_s", "", float),
    "As": ("ln_10_10_a_s", "", lambda value: 1e-10 * float(np.exp(value))),
    "tau": ("tau_e", "", float),
    "sigma8": ("sigma_8", "", float),
    "rdrag": ("r_drag", "Mpc", float),
}
#: Quantities that follow from the expansion.
EXPANSION = ("Hubble", "angular_diameter_distance", "comoving_radial_distance")
_SPECTRA = ("tt", "te", "ee", "bb", "pp")
#: Units of temperature by Cobaya's names, in uK. The CMB temperature is that of FIRAS.
_UNITS: Mapping[str, float] = {"1": 1.0, "muK2": 2.7255e6, "FIRASmuK2": 2.7255e6, "K2": 2.7255, "FIRASK2": 2.7255}
_C = 299792.458  # km / s
#: Photons, and neutrinos of three species of which one is massive (T = 2.7255 K, N_eff = 3.044): Omega h^2.
_RADIATION = 2.473e-5 * (1.0 + 0.22711 * 3.044 * 2.0 / 3.0)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def expansion_rate(z: FloatArray, h: float, omega_m: float) -> FloatArray:
    """Return H(z) [km/s/Mpc] of a flat LambdaCDM cosmology, of the shape of ``z``.

    ``omega_m`` includes massive neutrinos, which are not relativistic at the redshifts of distances.
    """
    omega_r = _RADIATION / h**2
    a = 1.0 + z
    return np.asarray(100.0 * h * np.sqrt(omega_m * a**3 + omega_r * a**4 + 1.0 - omega_m - omega_r))


def comoving_distance(z: FloatArray, h: float, omega_m: float) -> FloatArray:
    """Return the comoving distance [Mpc] to redshifts ``(m,)``, by a Gauss-Legendre rule in ln(1 + z)."""
    half = 0.5 * np.log1p(np.asarray(z, dtype=float))[:, None]
    a = np.exp(half * (1.0 + _NODES))
    return np.asarray((half * _WEIGHTS * a * _C / expansion_rate(a - 1.0, h, omega_m)).sum(axis=1))


class Predictions(Theory):  # type: ignore[misc]
    """Cobaya's view of the predictions for one point.

    Attributes
    ----------
    l_max : dict of str to int
        Highest multipole of each spectrum that is needed, such as ``{"ee": 1000}``.
    numbers : set of str
        Numbers that are needed, by Cobaya's names.
    given : mapping of str to array
        Values at the present point, by the names of :meth:`requirements`. Set before each evaluation.
    """

    params = {POINT: None}  # noqa: RUF012 (Cobaya's interface)

    def initialize(self) -> None:
        self.l_max: dict[str, int] = {}
        self.numbers: set[str] = set()
        self.needs_expansion = False
        self.given: Mapping[str, FloatArray] = {}

    def get_can_provide_params(self) -> list[str]:
        return list(NUMBERS)

    def must_provide(self, **requirements: Any) -> None:
        super().must_provide(**requirements)
        for name, options in requirements.items():
            if name == "Cl":
                for spectrum, l_max in options.items():
                    self._need(str(spectrum).lower(), int(l_max))
            elif name in NUMBERS:
                self.numbers.add(name)
            self.needs_expansion |= name in EXPANSION

    def _need(self, spectrum: str, l_max: int) -> None:
        spectrum = {"et": "te"}.get(spectrum, spectrum)
        if spectrum not in _SPECTRA:
            raise ConfigurationError(
                f"the likelihood needs the spectrum {spectrum!r}; astroemu can hand over {listing(_SPECTRA)}"
            )
        self.l_max[spectrum] = max(l_max, self.l_max.get(spectrum, 2))

    def requirements(self) -> dict[str, Requirement]:
        """Return the requirements of astroemu that give what Cobaya asked for."""
        found = {
            spectrum: Requirement(
                f"d_ell_{spectrum}",
                at={"ell": np.arange(2.0, l_max + 1.0)},
                unit="" if spectrum == "pp" else "uK^2",
                rule={"ell": "spline"},
                remedy="Use an emulator with higher multipoles, or the option of the likelihood that cuts them",
            )
            for spectrum, l_max in self.l_max.items()
        }
        wanted = [NUMBERS[name][:2] for name in sorted(self.numbers)]
        wanted += [("h", ""), ("omega_m", "")] if self.needs_expansion else []
        return found | {observable: Requirement(observable, unit=unit) for observable, unit in wanted}

    def calculate(self, state: dict[str, Any], want_derived: bool = True, **params_values_dict: Any) -> None:
        state["derived"] = {name: NUMBERS[name][2](self._number(NUMBERS[name][0])) for name in self.numbers}

    def _number(self, observable: str) -> float:
        return float(self.given[observable][0])

    def get_Cl(self, ell_factor: bool = False, units: str = "FIRASmuK2") -> dict[str, FloatArray]:  # noqa: N802
        """Return the spectra from l = 0 on, as Cobaya's Boltzmann codes do."""
        ell = np.arange(max(self.l_max.values()) + 1.0)
        scale = (_UNITS[units] / _UNITS["FIRASmuK2"]) ** 2
        found = {"ell": ell.astype(int)}
        for spectrum, l_max in self.l_max.items():
            values = np.zeros(len(ell))
            values[2 : l_max + 1] = self.given[spectrum]
            power = ell * (ell + 1.0)
            if not ell_factor:
                values[2:] *= 2.0 * np.pi / power[2:] ** (2 if spectrum == "pp" else 1)
            found[spectrum] = values if spectrum == "pp" else values * scale
        return found | ({"et": found["te"]} if "te" in found else {})

    def get_Hubble(self, z: Any, units: str = "km/s/Mpc") -> FloatArray:  # noqa: N802
        """Return H(z), in km/s/Mpc or 1/Mpc."""
        rate = expansion_rate(np.atleast_1d(np.asarray(z, dtype=float)), *self._cosmology())
        return rate / {"km/s/Mpc": 1.0, "1/Mpc": _C}[units]

    def get_comoving_radial_distance(self, z: Any) -> FloatArray:
        """Return the comoving distance [Mpc]."""
        return comoving_distance(np.atleast_1d(np.asarray(z, dtype=float)), *self._cosmology())

    def get_angular_diameter_distance(self, z: Any) -> FloatArray:
        """Return the physical angular diameter distance [Mpc]."""
        return self.get_comoving_radial_distance(z) / (1.0 + np.atleast_1d(np.asarray(z, dtype=float)))

    def _cosmology(self) -> tuple[float, float]:
        return self._number("h"), self._number("omega_m")
