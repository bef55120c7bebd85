"""Compare the simulator park19 with 21cmEMU at the same parameters; draw docs/images/park19.png.

    pip install -e '.[21cmemu]'
    python docs/scripts/park19_against_21cmemu.py

The points are a Sobol design over a box in which luminosity functions are similar to those observed. The first table
uses all points. The second uses the points at which reionization ends by z = 5.9.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.design import design
from astroemu.report.style import ACCENT, COLOUR, style
from astroemu_plugins.simulators.emu21cm import Emu21cm
from astroemu_plugins.simulators.park19 import Park19

N = 1024
BOX = {
    "log10_f_star10": (-1.7, -0.8),
    "alpha_star": (0.3, 0.7),
    "log10_f_esc10": (-2.0, -0.3),
    "alpha_esc": (-0.8, 0.4),
    "log10_m_turn": (8.0, 9.5),
    "t_star": (0.2, 0.9),
    "log10_l_x": (40.0, 41.0),
    "e_0_keV": (0.2, 1.0),
    "alpha_x": (0.0, 2.0),
}
FIXED = {"clumping": 3.8, "h": 0.6774, "omega_m": 0.3075, "omega_b": 0.0486, "sigma_8": 0.82, "n_s": 0.97}
IMAGE = Path(__file__).parents[1] / "images" / "park19.png"


def timed(simulator, theta):
    simulator.simulate(theta[:100])
    start = time.process_time()
    found = [simulator.simulate(part) for part in np.array_split(theta, max(len(theta) // simulator.batch, 1))]
    cost = (time.process_time() - start) / len(theta)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}, cost


def on_grid(observable, values, other):
    """Return values (n, ...) of one observable on the grid of another, by linear interpolation along each axis."""
    for number, (axis, wanted) in enumerate(zip(observable.axes, other.axes, strict=True), start=1):
        values = np.apply_along_axis(lambda y, a=axis, w=wanted: np.interp(w.values, a.values, y), number, values)
    return values


def row(name, difference):
    d = np.abs(difference[np.isfinite(difference)])
    median, q95 = np.quantile(d, [0.5, 0.95])
    print(f"{name:<38} {np.nanmean(difference):+11.4f} {median:10.4f} {q95:10.4f} {np.sqrt(np.mean(d**2)):10.4f}")


def main() -> None:
    prior = Prior(tuple(Parameter(name, Uniform(*edges)) for name, edges in BOX.items()))
    theta = design("sobol", prior, N, seed=1)
    teacher, ours = Emu21cm(threads=2), Park19()
    columns = {name: theta[:, j] for j, name in enumerate(BOX)} | {k: np.full(N, v) for k, v in FIXED.items()}
    a, cost_a = timed(ours, np.stack([columns[p.name] for p in ours.parameters], axis=1))
    b, cost_b = timed(teacher, np.stack([columns[p.name] for p in teacher.parameters], axis=1))
    z = teacher.provides["x_hi"].axes[0].values
    x = on_grid(ours.provides["x_hi"], a["x_hi"], teacher.provides["x_hi"])
    lf = on_grid(ours.provides["log10_uv_lf"], a["log10_uv_lf"], teacher.provides["log10_uv_lf"])
    seen = b["log10_uv_lf"] > -5
    for p in ours.parameters:  # with a fixed cosmology, as above, park19 computes its halos only once
        columns[p.name] = np.linspace(*p.prior.support, N) if p.name in ("sigma_8", "h") else columns[p.name]
    _, varied = timed(ours, np.stack([columns[p.name] for p in ours.parameters], axis=1))
    print(f"CPU time a point: park19 at varied cosmology {1e6 * varied:.0f} us")
    print(f"CPU time a point: park19 {1e6 * cost_a:.0f} us, 21cmEMU {1e6 * cost_b:.0f} us\n")
    ends = b["x_hi"][:, np.argmin(np.abs(z - 5.9))] < 0.02
    for which, name in ((np.ones(N, bool), f"all {N} points"), (ends, f"the {ends.sum()} with x_hi(5.9) < 0.02")):
        print(f"{name:<38} {'mean':>11} {'median |d|':>10} {'95 % |d|':>10} {'rms':>10}")
        between = (b["x_hi"] > 0.01) & (b["x_hi"] < 0.99) & which[:, None]
        row("x_hi, where 0.01 < x_hi < 0.99", np.where(between, x - b["x_hi"], np.nan))
        for at in (6.0, 7.0, 8.0, 10.0):
            column = np.argmin(np.abs(z - at))
            row(f"x_hi at z = {z[column]:.2f}", (x - b["x_hi"])[which, column])
        row("tau_e", (a["tau_e"] - b["tau_e"])[which])
        row("log10_uv_lf [dex], where phi > 1e-5", np.where(seen, lf - b["log10_uv_lf"], np.nan)[which])
        print()
    draw(z, x, b["x_hi"], a["tau_e"], b["tau_e"], ends)


def draw(z, x, x_teacher, tau, tau_teacher, ends) -> None:
    with style() as pyplot:
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.8))
        rows = np.flatnonzero(ends)[:6]
        for i, r in enumerate(rows):
            left.plot(z, x_teacher[r], color=COLOUR, lw=1.4, label="21cmEMU" if i == 0 else None)
            left.plot(z, x[r], "--", color=ACCENT, lw=1.2, label="park19" if i == 0 else None)
        left.set(xlim=(5.5, 15), xlabel="$z$", ylabel=r"$\bar{x}_{\rm HI}$")
        left.legend(fontsize=8)
        right.plot(tau_teacher[ends], (tau - tau_teacher)[ends], ".", ms=3, color=COLOUR, label="x_hi(5.9) < 0.02")
        right.plot(tau_teacher[~ends], (tau - tau_teacher)[~ends], ".", ms=3, color="0.7", label="not yet ended")
        right.axhline(0, color="k", lw=0.8)
        right.set(xlabel=r"$\tau_e$ of 21cmEMU", ylabel=r"$\tau_e$ of park19 less that of 21cmEMU")
        right.legend(fontsize=8)
        figure.tight_layout()
        IMAGE.parent.mkdir(exist_ok=True)
        figure.savefig(IMAGE)


if __name__ == "__main__":
    main()
