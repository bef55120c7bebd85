"""Compare 21cmEMU's "mcg" with 21cmFAST itself, at the points of a training set; draw docs/images/teacher_mcg.png.

    pip install -e '.[21cmemu,21cmfast]'
    mpiexec -n 2 astroemu simulate docs/examples/train_21cmfast_minihalos.toml \
        --points runs/cosmic_dawn/samples.h5 --out training/minihalos.h5
    python docs/scripts/teacher_against_21cmfast.py training/minihalos.h5

The second command goes on where it was interrupted. All differences are simulation less teacher. The power is compared
at 0.1 < k < 0.35 per Mpc only: the box of 150 Mpc has few modes below, and its cells are too large above.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from astroemu.emulation.training_set import TrainingSet
from astroemu.report.style import ACCENT, COLOUR, style
from astroemu_plugins.simulators.emu21cm import Emu21cm

IMAGE = Path(__file__).parents[1] / "images" / "teacher_mcg.png"
K = (0.1, 0.35)  # 1/Mpc
LEAST_POWER = 1.0  # mK^2
LEAST_LOG10_PHI = -6.0  # Mpc^-3 mag^-1
FAINTEST = -16.0  # of most observations
EDGES = (5.5, 6.5, 8.0, 10.0, 14.0, 20.0, 29.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--image", type=Path, default=IMAGE)
    given = parser.parse_args()
    data = TrainingSet.load(given.data)
    teacher = Emu21cm(model="mcg")
    columns = {name: np.full(len(data), value) for name, value in data.metadata["fixed"].items()}
    columns |= dict(zip(data.names, data.theta.T, strict=True))
    told = teacher.simulate(np.stack([columns[p.name] for p in teacher.parameters], axis=1))
    told_on = {name: observable.axes for name, observable in teacher.provides.items()}
    true, true_on = data.values, {name: observable.axes for name, observable in data.observables.items()}
    settings = data.metadata["settings"]
    box = f"box {settings['box_Mpc']:g} Mpc, {settings['cells']} cells, z_step {settings['z_step']}"
    print(f"21cmFAST {data.metadata['version']}, {box}, {len(data)} point(s)\n")
    numbers(true, true_on, told, told_on)
    power = power_difference(true, true_on, told, told_on)
    z = true_on["delta21_sq"][0].values
    print("\n| log10 Delta^2 [dex], 0.1 < k < 0.35 | values | mean | rms |\n|---|---|---|---|")
    for low, high in pairwise(EDGES):
        spread(f"z = {low:g} to {high:g}", power[:, (z >= low) & (z < high)])
    galaxies, z_lf, m_uv = galaxies_difference(true, true_on, told, told_on)
    observed = m_uv < FAINTEST
    for name, chosen in ((f"M_UV < {FAINTEST:g}", observed), (f"M_UV > {FAINTEST:g}", ~observed)):
        print(f"\n| log10 phi [dex], above {LEAST_LOG10_PHI:g}, {name} | values | mean | rms |\n|---|---|---|---|")
        for column, at in enumerate(z_lf):
            spread(f"z = {at:g}", galaxies[:, column, chosen])
    draw(given.image, true, true_on, told, told_on, power)


def spread(name, values) -> None:
    known = values[np.isfinite(values)]
    if len(known):
        print(f"| {name} | {len(known)} | {known.mean():+.3f} | {np.sqrt(np.mean(known**2)):.3f} |")


def numbers(true, true_on, told, told_on) -> None:
    """Print the quantities that are one number a point."""
    pairs = {"tau_e": (true["tau_e"], told["tau_e"])}
    for level in (0.9, 0.5, 0.1):
        pairs[f"z at x_HI = {level}"] = tuple(
            np.array([crossing(on["x_hi"][0].values, x_hi, level) for x_hi in values["x_hi"]])
            for values, on in ((true, true_on), (told, told_on))
        )
    (z_true, _, low), (z_told, _, low_told) = (trough(v, on) for v, on in ((true, true_on), (told, told_on)))
    pairs["T_b at the trough [mK]"], pairs["z of the trough"] = (low, low_told), (z_true, z_told)
    print("| | simulation | teacher | difference: mean | rms | lowest | highest |\n|---|---|---|---|---|---|---|")
    for name, (ours, theirs) in pairs.items():
        d = (ours - theirs)[np.isfinite(ours - theirs)]
        digits = 4 if name == "tau_e" else 2
        cells = (np.nanmean(ours), np.nanmean(theirs))
        signed = (f"{v:+.{digits}f}" for v in (d.mean(), np.sqrt(np.mean(d**2)), d.min(), d.max()))
        print(f"| {name} | {' | '.join([*(f'{v:.{digits}f}' for v in cells), *signed])} |")


def crossing(z, x_hi, level) -> float:
    """Return the redshift at which the neutral fraction passes a level, or NaN where the nodes do not reach it."""
    x_hi = np.maximum.accumulate(x_hi)
    if not x_hi[0] < level < x_hi[-1]:
        return np.nan
    return float(np.interp(level, x_hi, z))


def trough(values, on):
    z, t_b = on["t_b"][0].values, values["t_b"]
    column = np.argmin(t_b, axis=1)
    return z[column], column, t_b.min(axis=1)


def power_difference(true, true_on, told, told_on):
    """Return log10 of the ratio of the powers ``(n, z, k)`` on the simulation's grid; NaN where it has no meaning."""
    (z, k), (z_told, k_told) = ([axis.values for axis in on["delta21_sq"]] for on in (true_on, told_on))
    k = k[(k >= K[0]) & (k <= K[1])]
    kept = (true_on["delta21_sq"][1].values >= K[0]) & (true_on["delta21_sq"][1].values <= K[1])
    log_told = interpolated(np.log10(told["delta21_sq"]), np.log(k_told), np.log(k), axis=2)
    log_told = interpolated(log_told, z_told, z, axis=1)
    difference = np.log10(true["delta21_sq"][..., kept]) - log_told
    return np.where(log_told > np.log10(LEAST_POWER), difference, np.nan)


def galaxies_difference(true, true_on, told, told_on):
    """Return the difference of log10 phi ``(n, z, m_uv)``, the redshifts and the magnitudes that both have."""
    (z, m_uv), (z_told, m_told) = ([axis.values for axis in on["log10_uv_lf"]] for on in (true_on, told_on))
    common = np.intersect1d(z, z_told)
    inside = (m_told >= m_uv[0]) & (m_told <= m_uv[-1])
    ours = interpolated(true["log10_uv_lf"][:, np.searchsorted(z, common)], m_uv, m_told[inside], axis=2)
    theirs = told["log10_uv_lf"][:, np.searchsorted(z_told, common)][..., inside]
    return np.where(theirs > LEAST_LOG10_PHI, ours - theirs, np.nan), common, m_told[inside]


def interpolated(values, x, wanted, axis):
    """Return values at other places along one axis, linearly; NaN outside."""
    return np.apply_along_axis(lambda y: np.interp(wanted, x, y, left=np.nan, right=np.nan), axis, values)


def draw(image, true, true_on, told, told_on, power) -> None:
    with style() as pyplot:
        figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12.5, 3.8))
        for axis, name in ((left, "x_hi"), (middle, "t_b")):
            for values, on, look in (
                (told, told_on, {"color": COLOUR}),
                (true, true_on, {"color": ACCENT, "ls": "--"}),
            ):
                label = "21cmFAST" if values is true else "21cmEMU, mcg"
                for row, curve in enumerate(values[name][:8]):
                    axis.plot(on[name][0].values, curve, lw=1.2, label=label if row == 0 else None, **look)
            axis.set(xlabel="$z$", xlim=(5, 16 if name == "x_hi" else 30))
        left.set(ylabel=r"$\bar{x}_{\rm HI}$")
        middle.set(ylabel=r"$\bar{T}_{21}$ [mK]")
        left.legend(fontsize=8)
        z = true_on["delta21_sq"][0].values
        for curves in power:
            right.plot(z, np.median(curves, axis=1), ".", ms=4, color=COLOUR)
        right.axhline(0, color="k", lw=0.8)
        right.set(xlabel="$z$", ylabel=r"median $\log_{10} \Delta^2$, 21cmFAST less 21cmEMU", xlim=(5, 30))
        figure.tight_layout()
        image.parent.mkdir(exist_ok=True)
        figure.savefig(image)


if __name__ == "__main__":
    main()
