"""Draw docs/images/mcg.png: neutral fraction, global signal, power and luminosity functions at three points.

    python docs/scripts/mcg_pictures.py [EMULATOR]

The first point has almost no minihalos, the second those of Munoz et al. 2022 (EOS21), and the third many. The bands
are the error of the emulator. Where 21cmEMU is installed (extra `21cmemu`), dots are its own predictions.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.emulation.loading import load_emulator
from astroemu.report.style import ACCENT, COLOUR, style

IMAGE = Path(__file__).parents[1] / "images" / "mcg.png"
EOS21 = {
    "log10_f_star10": -1.25,
    "alpha_star": 0.5,
    "t_star": 0.5,
    "log10_f_esc10": -1.35,
    "alpha_esc": -0.3,
    "log10_f_star7": -2.5,
    "log10_f_esc7": -1.35,
    "log10_l_x": 40.5,
    "log10_l_x_mini": 40.5,
    "e_0_keV": 0.5,
    "sigma_8": 0.81,
}
POINTS = {
    "few minihalos": {**EOS21, "log10_f_star7": -3.9, "log10_f_esc7": -2.9},
    "EOS21": EOS21,
    "many minihalos": {**EOS21, "log10_f_star7": -1.8, "log10_f_esc7": -1.5, "log10_l_x_mini": 41.5},
}
COLOURS = ("#777777", COLOUR, ACCENT)
K = 0.2  # 1/Mpc


def main() -> None:
    emulator = load_emulator(sys.argv[1] if len(sys.argv) > 1 else "mcg")
    theta = np.array([[point[name] for name in emulator.parameters] for point in POINTS.values()])
    found = emulator.evaluator({n: np.arange(o.size) for n, o in emulator.provides.items()})(theta, {}, NUMPY)
    teacher = None
    if find_spec("py21cmemu") is not None:
        from astroemu_plugins.simulators.emu21cm import Emu21cm

        simulator = Emu21cm(model="mcg")
        teacher = simulator.simulate(np.array([[p[q.name] for q in simulator.parameters] for p in POINTS.values()]))

    def drawn(axis, name, x, rows, colour, i, label=None):
        """Draw some values of an observable against x, with the error of the emulator."""
        shape = emulator.provides[name].shape
        value, error = (np.asarray(a)[i].reshape(shape)[rows] for a in (found[name].value, found[name].error))
        axis.plot(x, value, color=colour, label=label)
        axis.fill_between(x, value - error, value + error, color=colour, alpha=0.25, lw=0)
        if teacher is not None:
            axis.plot(x, teacher[name][i][rows], ".", color=colour, ms=3)

    everything = slice(None)
    with style() as pyplot:
        figure, axes = pyplot.subplots(2, 2, figsize=(9.0, 6.4))
        (history, signal), (power, galaxies) = axes
        z = emulator.provides["x_hi"].axes[0].values
        z_power, k = (axis.values for axis in emulator.provides["delta21_sq"].axes)
        z_lf, m_uv = (axis.values for axis in emulator.provides["log10_uv_lf"].axes)
        at_k = int(np.argmin(np.abs(k - K)))
        for i, (label, colour) in enumerate(zip(POINTS, COLOURS, strict=True)):
            tau = float(np.asarray(found["tau_e"].value)[i, 0])
            drawn(history, "x_hi", z, everything, colour, i, rf"{label}, $\tau_e$ = {tau:.4f}")
            drawn(signal, "t_b", z, everything, colour, i)
            drawn(power, "delta21_sq", z_power, (everything, at_k), colour, i)
            for redshift in (6.0, 12.0):
                drawn(galaxies, "log10_uv_lf", m_uv, int(np.argmin(np.abs(z_lf - redshift))), colour, i)
        history.set(xlabel="z", ylabel=r"$\bar{x}_{\rm HI}$", xlim=(5, 20))
        history.legend(fontsize=8)
        signal.set(xlabel="z", ylabel=r"$\bar{T}_{21}$ [mK]", xlim=(5, 35))
        power.set(xlabel="z", ylabel=r"$\Delta^2_{21}$ [mK$^2$]" + f", k = {k[at_k]:.2f} / Mpc", yscale="log")
        power.set_ylim(0.1, None)
        galaxies.set(xlabel=r"$M_{\rm UV}$", ylabel=r"$\log_{10} \phi$ [Mpc$^{-3}$ mag$^{-1}$], z = 6 and 12")
        galaxies.set(xlim=(-21.6, -8.0), ylim=(-9, 1))
        figure.tight_layout()
        figure.savefig(IMAGE, dpi=100)
    print(f"Written: {IMAGE}")


if __name__ == "__main__":
    main()
