"""What a bin of a UV luminosity function measures: the average of the model over the bin, as nodes and weights.

The number density of a bin with the edges ``M - dM/2`` and ``M + dM/2``, in the units of the paper, is

    phi = f / dM int phi_model(M' - A(M') + d) (1 - dA/dM') dM' = sum_q w_q phi_model(M_q)

with the attenuation by dust ``A``, and the conversion of the cosmology of the paper to that of the model: ``d`` is the
shift in magnitude, and ``f`` the ratio of the comoving volumes. The weights ``w`` and the nodes ``M_q`` are constants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError

#: Name of a published table of attenuation by dust.
Dust = Literal["none", "bouwens2014"]
#: Hubble constant [km/s/Mpc] and matter density of a flat universe.
Cosmology = tuple[float, float]

#: Bouwens et al. (2014, ApJ 793, 115): redshift, slope beta at M_UV = -19.5, and its change per magnitude.
_BETA_Z = (2.5, 3.8, 5.0, 5.9, 7.0, 8.0)
_BETA = (-1.70, -1.85, -1.91, -2.00, -2.05, -2.13)
_BETA_SLOPE = (-0.20, -0.11, -0.14, -0.20, -0.20, -0.15)
_BETA_MAGNITUDE, _BETA_FAINT, _BETA_SCATTER = -19.5, -2.33, 0.34
#: Meurer et al. (1999, ApJ 521, 64): ``A = 4.43 + 1.99 beta`` at 1600 Angstrom.
_MEURER = (4.43, 1.99)
#: Nodes of the Gauss-Legendre rule for bins of up to one magnitude, and for wider ones.
_NARROW, _NODES, _NODES_WIDE = 1.0, 3, 5
_PLANCK_2018: Cosmology = (67.66, 0.3111)
_LIGHT = 299792.458


def nodes(m_uv: FloatArray, width: FloatArray, average: bool) -> tuple[FloatArray, FloatArray]:
    """Return magnitudes ``(bins, q)`` and their weights ``(bins, q)`` in the average over each bin.

    Parameters
    ----------
    m_uv, width : (bins,) array
        Centres and widths [mag]. A width of zero means the centre.
    average : bool
        False for the centres only.
    """
    if not average or not np.any(width):
        return m_uv[:, None], np.ones((len(m_uv), 1))
    x, w = np.polynomial.legendre.leggauss(_NODES if width.max() <= _NARROW else _NODES_WIDE)
    return m_uv[:, None] + 0.5 * width[:, None] * x, np.broadcast_to(0.5 * w, (len(m_uv), len(x)))


def attenuation(m_uv: FloatArray, z: FloatArray, dust: Dust) -> tuple[FloatArray, FloatArray]:
    """Return the mean attenuation [mag] of galaxies of an observed magnitude, and its derivative.

    ``bouwens2014`` has the UV slopes ``beta(M_UV, z)`` of Bouwens et al. (2014), linear in M_UV up to -19.5. At fainter
    magnitudes beta approaches -2.33 exponentially (Trac et al. 2015, ApJ 813, 54). Redshifts between those of the table
    are interpolated, and z > 8 is treated as z = 8. With the relation of Meurer et al. (1999) and the scatter
    ``s = 0.34`` of beta,

        <A> = 4.43 + 0.2 ln(10) 1.99^2 s^2 + 1.99 <beta>,   at least 0.

    Parameters
    ----------
    m_uv : (bins, q) array
        Observed magnitudes.
    z : (bins,) array
    dust : str
    """
    if dust == "none":
        return np.zeros_like(m_uv), np.zeros_like(m_uv)
    brightest, change = (np.interp(z, _BETA_Z, row)[:, None] for row in (_BETA, _BETA_SLOPE))
    x, excess = m_uv - _BETA_MAGNITUDE, brightest - _BETA_FAINT
    fall = np.exp(np.minimum(change * x / excess, 0.0))
    faint = x > 0
    beta = np.where(faint, _BETA_FAINT + excess * fall, brightest + change * x)
    a0, a1 = _MEURER
    found = a0 + 0.2 * np.log(10.0) * (a1 * _BETA_SCATTER) ** 2 + a1 * beta
    slope = a1 * change * np.where(faint, fall, 1.0)
    return np.maximum(found, 0.0), np.where(found > 0, slope, 0.0)


def conversion(z: FloatArray, data: list[Cosmology], model: Cosmology) -> tuple[FloatArray, FloatArray]:
    """Return the shift of magnitudes from the data's cosmology to the model's, and the factor from its density back.

    A measured flux has the magnitude ``M + shift`` in the model's cosmology, with the shift ``5 log10(D_data /
    D_model)`` of the luminosity distances. A model's density ``phi`` is ``factor phi`` in the data's cosmology, with
    the ratio ``dV_model / dV_data`` of the comoving volumes of one redshift interval.

    Parameters
    ----------
    z : (bins,) array
    data : list of (float, float)
        Cosmology of each bin.
    model : (float, float)
    """
    ours = np.array([_distance_and_rate(x, model) for x in z.tolist()])
    theirs = np.array([_distance_and_rate(x, cosmology) for x, cosmology in zip(z.tolist(), data, strict=True)])
    (distance, rate), (distance_data, rate_data) = ours.T, theirs.T
    return 5.0 * np.log10(distance_data / distance), (distance**2 / rate) / (distance_data**2 / rate_data)


def _distance_and_rate(z: float, cosmology: Cosmology) -> tuple[float, float]:
    """Return the comoving distance [Mpc] and the expansion rate [km/s/Mpc] in a flat universe without radiation."""
    h0, omega_m = cosmology
    x, w = np.polynomial.legendre.leggauss(64)
    rate = h0 * np.sqrt(omega_m * (1.0 + np.append(0.5 * z * (x + 1.0), z)) ** 3 + 1.0 - omega_m)
    return _LIGHT * 0.5 * z * float(np.sum(w / rate[:-1])), float(rate[-1])


def checked_cosmology(option: str, given: Mapping[str, float] | None) -> Cosmology | None:
    """Return a cosmology from the option ``{h0, omega_m}``, or None.

    Raises
    ------
    ConfigurationError
        If a key is unknown or missing, or a value is out of range.
    """
    if given is None:
        return None
    example = f"give {option} = {{h0 = 70.0, omega_m = 0.3}}"
    if set(given) != {"h0", "omega_m"}:
        raise ConfigurationError(f"{option} has the keys {sorted(given)}; {example}")
    h0, omega_m = given["h0"], given["omega_m"]
    if not 20 <= h0 <= 200 or not 0 < omega_m <= 1:
        raise ConfigurationError(
            f"{option}: h0 = {h0} km/s/Mpc must be in [20, 200] and omega_m = {omega_m} in (0, 1]; {example}"
        )
    return h0, omega_m


def stated_cosmologies(references: FloatArray, header: Any, given: Cosmology | None) -> list[Cosmology]:
    """Return the cosmology of each row: that of the option, or what the header of the catalog says of its reference.

    Parameters
    ----------
    references : (rows,) array of str
    header : object
        Meta data ``cosmology`` of the catalog, texts such as ``H0=70 Om=0.3`` by reference.
    given : (float, float), optional

    Raises
    ------
    ConfigurationError
        If the header does not state the cosmology of a reference.
    """
    if given is not None:
        return [given] * len(references)
    texts = header if isinstance(header, Mapping) else {}
    found = {name: _parsed(str(texts.get(name, ""))) for name in dict.fromkeys(references.tolist())}
    unknown = [name for name, cosmology in found.items() if cosmology is None]
    if unknown:
        raise ConfigurationError(
            f"model_cosmology: the catalog does not state the cosmology of {', '.join(map(repr, unknown))}; "
            "give data_cosmology = {h0 = 70.0, omega_m = 0.3}, or add `cosmology` to the header of the catalog"
        )
    return [found[name] or _PLANCK_2018 for name in references.tolist()]


def _parsed(text: str) -> Cosmology | None:
    numbers = re.search(r"H0\s*=\s*([\d.]+)\D+Om\s*=\s*([\d.]+)", text)
    if numbers:
        return float(numbers[1]), float(numbers[2])
    return _PLANCK_2018 if text.startswith("Planck 2018") else None
