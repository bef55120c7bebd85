"""Print the errors of the emulator `mcg` where posteriors live, beside those of its teacher against 21cmFAST.

    python docs/scripts/mcg_accuracy.py mcg training/mcg_test.h5

The points are those of the data whose optical depth lies within three sigma of Planck 2018, and whose luminosity
functions are within 0.5 dex of Bouwens et al. 2021 at z = 6 to 8 and M_UV = -20.5 to -17. The errors of the teacher are
those that 21cmEMU states, with their means over its test set; they need the extra `21cmemu`.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from astropy.table import Table

from astroemu.emulation.loading import load_emulator
from astroemu.emulation.reference import load_simulations
from astroemu.emulation.training_set import TrainingSet
from astroemu.validation.accuracy import emulator_residuals
from astroemu_catalogs import UV_LUMINOSITY_FUNCTION

TAU, SIGMA = 0.0561, 0.0071
NEAR = 0.5
#: Observable: unit of its error, and limits of the median and of the 95 % quantile.
LIMITS = {
    "delta21_sq": ("dex", 0.015, 0.08),
    "x_hi": ("", 0.001, 0.01),
    "tau_e": ("fraction", None, 0.003),
    "log10_uv_lf": ("dex", None, 0.03),
    "t_b": ("mK", None, None),
    "t_s": ("fraction", None, None),
}


def where_posteriors_live(data: TrainingSet) -> np.ndarray:
    """Return which points ``(n,)`` are similar to the observations."""
    z, m_uv = (axis.values for axis in data.observables["log10_uv_lf"].axes)
    near = np.abs(data.values["tau_e"] - TAU) < 3 * SIGMA
    table = Table.read(UV_LUMINOSITY_FUNCTION.path, format="ascii.ecsv")
    for redshift in (6.0, 7.0, 8.0):
        rows = (table["reference"] == "Bouwens+2021") & (table["z"] == redshift) & (table["kind"] == "measurement")
        bins = table[rows & (table["M_UV"] > -20.5) & (table["M_UV"] < -17.0)]
        phi = data.values["log10_uv_lf"][:, int(np.argmin(np.abs(z - redshift)))]
        model = np.array([np.interp(bins["M_UV"], m_uv, row) for row in phi])
        near &= np.all(np.abs(model - np.log10(bins["phi"])) < NEAR, axis=1)
    return near


def in_use(name: str, data: TrainingSet, truth: np.ndarray) -> np.ndarray:
    """Return which values ``(n, size)`` the figures are about."""
    if name == "delta21_sq":
        _, k = (axis.values for axis in data.observables[name].axes)
        inside = np.broadcast_to((k > 0.1) & (k < 1.0), data.observables[name].shape).ravel()
        return (truth > 1.0) & inside
    if name == "x_hi":
        return (truth > 0.01) & (truth < 0.99)
    if name == "log10_uv_lf":
        return truth > -7.0  # one galaxy in 1e7 Mpc^3 and magnitude
    return np.isfinite(truth)


def main() -> None:
    emulator, path = load_emulator(sys.argv[1]), Path(sys.argv[2])
    data = TrainingSet.load(path)
    live = where_posteriors_live(data)
    residuals = emulator_residuals(emulator, load_simulations(emulator, path))
    stated = {}
    if find_spec("py21cmemu") is not None:
        from astroemu_plugins.simulators.emu21cm import Emu21cm

        stated = dict(Emu21cm(model="mcg").stated_errors({n: v[live] for n, v in data.values.items()}))
    print(f"{np.count_nonzero(live)} of {len(live)} points are similar to the observations\n")
    print("| error | median | 95 % | limits | all points: median | 95 % | teacher: median | 95 % |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (unit, *limits) in LIMITS.items():
        truth, value, _ = residuals[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            if name == "delta21_sq":
                error = np.abs(np.log10(np.maximum(value, 1e-6) / truth))
            else:
                error = np.abs(value - truth) / (np.abs(truth) if unit == "fraction" else 1.0)
        used = in_use(name, data, truth)
        cells = []
        for rows in (live, np.full(len(live), True)):
            cells.append([f"{q:.2g}" for q in np.quantile(error[rows][used[rows]], [0.5, 0.95])])
        teacher = ["", ""]
        if name in stated:
            theirs = stated[name].reshape(np.count_nonzero(live), -1)
            theirs = theirs / np.abs(truth[live]) if unit == "fraction" else theirs
            teacher = [f"{q:.2g}" for q in np.nanquantile(theirs[used[live]], [0.5, 0.95])]
        wanted = ", ".join("-" if limit is None else f"{limit:g}" for limit in limits)
        print(f"| `{name}` {unit} | {cells[0][0]} | {cells[0][1]} | {wanted} | {' | '.join(cells[1] + teacher)} |")


if __name__ == "__main__":
    main()
