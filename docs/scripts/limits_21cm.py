"""Print ln L at zero and at the limit, for every 21-cm limit in the catalog: python docs/scripts/limits_21cm.py

The catalog is compared with the file that it was made from, if ../shared/data/limits_21cm.ecsv exists. Two tables
follow. One has the lowest limit of each paper. The other has the 95 % limits on a flat Delta^2 at one redshift, for
each form of the likelihood: from the default limits, and from those of HERA 2023. The bandpowers of HERA 2023 are
known, so that the last rows show what is lost where only limits are.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.integrate import cumulative_trapezoid

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu_catalogs import LIMITS_21CM
from astroemu_probes.limits_21cm import Limits21cm
from astroemu_probes.power_spectrum_21cm import PowerSpectrum21cm

_SHARED = Path(__file__).parents[3] / "shared" / "data"
SOURCE, OFFICIAL = _SHARED / "limits_21cm.ecsv", _SHARED / "hera_h1c_idr3_official.h5"
NUMBERS = ("z", "z_lo", "z_hi", "k", "k_lo", "k_hi", "delta2_limit")
FORMS: dict[str, dict[str, Any]] = {
    "flat_systematic, sigma_fraction = 0.5": {},
    "flat_systematic, sigma_fraction = 0.25": {"sigma_fraction": 0.25},
    "flat_systematic, sigma_fraction = 0.1": {"sigma_fraction": 0.1},
    "half_gaussian": {"form": "half_gaussian"},
    "step": {"form": "step"},
}
_NO_ERRORS: dict[str, Any] = {"modelling_fraction": 0.0, "modelling_correlation": "independent"}
#: Upper end of the flat prior of a power [mK^2], and its number of steps.
_MOST, _STEPS = 20_000.0, 2000
#: Redshifts, and the papers whose limits are used; empty for the default.
COLUMNS: dict[float, tuple[str, ...]] = {
    **dict.fromkeys((6.5, 7.05, 7.63, 8.3, 9.1, 10.1), ()),
    **dict.fromkeys((7.93, 10.37), ("HERA2023",)),
}


def log_l(probe: Any, values: Any) -> Any:
    """Return ln L of powers ``(n, rows)``, without an error of an emulator."""
    return probe.log_likelihood({"delta21_sq": Prediction(values)}, {}, NUMPY)


def every_limit() -> None:
    """Print all rows of the catalog: wavenumbers, limit, ln L of no power, and of a power at the limit."""
    references = tuple(dict.fromkeys(LIMITS_21CM.table()["reference"].tolist()))
    # By default, one polarisation of these is used.
    tags = {name: tuple(set(_rows(name)["tag"].tolist())) for name in ("Nunhokee2025", "Trott2025")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all papers and tags together count observations several times
        probe = Limits21cm(references=references, tags=tags, z_min=0.0, z_max=50.0, **_NO_ERRORS)
    far = -1e9 * probe.limit * (1 - np.eye(len(probe.limit)))  # ln L of the other rows is zero
    zero, at_limit = (log_l(probe, far + np.diag(level * probe.limit)) for level in (0.0, 1.0))
    print("reference        z      tag           k [h/Mpc]  limit [mK^2]  ln L(0)  ln L(limit)  ratio")
    table = LIMITS_21CM.table()
    table.sort(["z", "reference", "tag", "k"])  # as the probe does
    for row, low, high in zip(table, zero, at_limit, strict=True):
        print(
            f"{row['reference']:15} {row['z']:6.3f}  {row['tag']:13} {row['k']:8.4f}  {row['delta2_limit']:12.6g}  "
            f"{low:7.4f}  {high:10.4f}  {np.exp(high - low):8.4f}"
        )
    assert np.array_equal(np.asarray(table["delta2_limit"]), probe.limit)
    ratio = np.exp(at_limit - zero)
    print(f"\n{len(ratio)} limits; L(limit) / L(0) from {ratio.min():.6f} to {ratio.max():.6f}")


def _rows(reference: str) -> Any:
    table = LIMITS_21CM.table()
    return table[table["reference"] == reference]


def compare_with_source() -> None:
    """Print how the catalog differs from the file that it was made from."""
    if not SOURCE.is_file():
        print("../shared/data/limits_21cm.ecsv is not here: the numbers were not compared with their source")
        return
    found, source = LIMITS_21CM.table(), Table.read(SOURCE)
    same = all(found[name].tolist() == source[name].tolist() for name in ("reference", "telescope", "doi"))
    differences = sum(
        int(np.sum(~np.isclose(np.asarray(found[name]), np.asarray(source[name], dtype=float), 0, 0, equal_nan=True)))
        for name in NUMBERS
    )
    print(f"source: {len(source)} rows; references, telescopes and DOIs equal: {same}; other numbers: {differences}")


def lowest() -> None:
    """Print the lowest limit of each paper."""
    print("\n| `reference` | Telescope | arXiv | Rows | z | Lowest limit [mK^2] |\n|---|---|---|---|---|---|")
    for name in dict.fromkeys(LIMITS_21CM.table()["reference"].tolist()):
        rows = _rows(name)
        best = rows[int(np.argmin(rows["delta2_limit"]))]
        z = np.unique(rows["z"])
        reach = f"{z[0]:g}" if len(z) == 1 else f"{z[0]:g} to {z[-1]:g}"
        print(
            f"| `{name}` | {best['telescope']} | {best['arxiv']} | {len(rows)} | {reach} | "
            f"{best['delta2_limit']:.4g} at z = {best['z']:g}, k = {best['k']:g} h/Mpc |"
        )


def flat_limits() -> None:
    """Print 95 % limits on a Delta^2 that is the same at all k, for each form, at some redshifts."""
    titles = [f"{', '.join(papers) or 'default'} z = {z:g}" for z, papers in COLUMNS.items()]
    print(f"\n| Form | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}")
    for name, options in FORMS.items():
        found = [_flat_limit(_limits(z, papers, options)) for z, papers in COLUMNS.items()]
        print(f"| {name} | {' | '.join(f'{value:.0f}' for value in found)} |")
    catalogs = {"bandpowers, every second bin": "hera_h1c_idr3", "bandpowers, official": str(OFFICIAL)}
    for name, catalog in catalogs.items():
        if catalog != str(OFFICIAL) or OFFICIAL.is_file():
            found = [_flat_limit(PowerSpectrum21cm(catalog, bands=(band,))) for band in ("band2", "band1")]
            print(f"| {name} |{' |' * (len(titles) - 2)} {' | '.join(f'{value:.0f}' for value in found)} |")


def _limits(z: float, papers: tuple[str, ...], options: dict[str, Any]) -> Limits21cm:
    return Limits21cm(references=papers, z_min=z - 1e-6, z_max=z + 1e-6, **options)


def _flat_limit(probe: Any) -> float:
    """Return the 95 % limit [mK^2] on a flat Delta^2, with a flat prior from zero and the error of 20 % in common."""
    requirement = probe.requires["delta21_sq"]
    weights = 1.0 if requirement.weights is None else np.sum(requirement.weights, axis=1)
    power = _MOST * np.linspace(0.0, 1.0, _STEPS + 1) ** 2  # fine steps at low powers
    found = log_l(probe, power[:, None] * weights * np.ones(requirement.size))
    cumulative = cumulative_trapezoid(np.exp(found - found.max()), power, initial=0.0)
    return float(np.interp(0.95, cumulative / cumulative[-1], power))


def main() -> None:
    """Print everything."""
    every_limit()
    compare_with_source()
    lowest()
    flat_limits()


if __name__ == "__main__":
    main()
