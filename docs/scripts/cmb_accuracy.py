"""Compare the emulator of the CMB with CAMB at samples of the posterior.

    pip install -e '.[camb]'
    astroemu fit cmb --out runs/cmb
    astroemu fit cmb_planck --out runs/cmb_planck
    python docs/scripts/cmb_accuracy.py runs/cmb runs/cmb_planck

The script draws 200 posterior samples from the runs and runs CAMB at each of them. The results are kept in
``cmb_accuracy.npz``, so that an interrupted script continues where it stopped.

It prints the change of each log-likelihood. It also prints the change of the spectra in units of the error of the
Simons Observatory. The assumed survey has f_sky 0.4, white noise of 6 uK arcmin in temperature and a beam of
1.4 arcmin. With ``--data SET`` the script also prints the error against the number of simulations to which the
polynomial is fitted.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError
from astroemu.sampling.samples import Samples
from astroemu_plugins.simulators.camb import Camb
from astroemu_probes.act_dr6_lite import ActDr6Lite
from astroemu_probes.cmb_forecast import CmbForecast
from astroemu_probes.planck_low_ell import PlanckLowEll
from astroemu_probes.planck_plik_lite import PlanckPlikLite
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite

CACHE = Path("cmb_accuracy.npz")
SPECTRA = ("d_ell_tt", "d_ell_te", "d_ell_ee")
N = 200
N_TEST = 64


def simulated(point):
    """Return the spectra of CAMB at one point, at the nodes."""
    found = Camb().simulate(point[None])
    return np.stack([found[name][0] for name in SPECTRA])


def direct(theta):
    """Return the spectra of CAMB at every point. A file keeps them after every ten points."""
    done = np.load(CACHE)["values"] if CACHE.is_file() and np.array_equal(np.load(CACHE)["theta"], theta) else None
    values = [] if done is None else list(done)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for start in range(len(values), len(theta), 10):
            values += pool.map(simulated, theta[start : start + 10])
            np.savez(CACHE, theta=theta, values=np.array(values))
            print(f"CAMB: {len(values)} of {len(theta)}", flush=True)
    return np.array(values)


def probes():
    made = {"ACT DR6": ActDr6Lite(), "SPT-3G 2018": Spt3g2018Lite(), "Planck low l": PlanckLowEll()}
    try:
        made["Planck plik-lite"] = PlanckPlikLite()
    except DataError as error:
        print(error)
    return made


def log_likelihoods(probe, spectra, observables):
    """Return log-likelihoods ``(n,)`` with unit calibration, from spectra at the nodes ``(n, 3, nodes)``."""
    given = {}
    for key, requirement in probe.requires.items():
        index = SPECTRA.index(requirement.observable)
        given[key] = Prediction(spectra[:, index] @ requirement.matrix(observables[requirement.observable]).T)
    return probe.log_likelihood(given, {p.name: np.ones(len(spectra)) for p in probe.parameters}, NUMPY)


def survey_errors(ell):
    """Return the 1-sigma error of D_ell of TT, TE and EE at each multipole ``(3, l)``."""
    survey = CmbForecast(f_sky=0.4, noise=6.0, beam=1.4, l_min=int(ell[0]), l_max=int(ell[-1]))
    tt, te, ee = (survey.data[name] for name in ("TT", "TE", "EE"))
    modes = 0.4 * (2 * ell + 1)
    return np.sqrt(np.stack([2 * tt**2, tt * ee + te**2, 2 * ee**2]) / modes)


def against_camb(folders):
    emulator = astroemu.load_emulator("cmb")
    rng, parts = np.random.default_rng(1), []
    for folder in folders:
        samples = Samples.load(Path(folder) / "samples.h5")
        rows = rng.choice(len(samples.theta), N // len(folders), replace=False, p=np.exp(samples.log_weight))
        columns = [samples.names.index(name) for name in emulator.parameters]
        parts.append(samples.theta[np.ix_(rows, columns)])
    theta = np.concatenate(parts)
    true, found = direct(theta), emulator.predict(theta)
    emulated = np.stack([found[name] for name in SPECTRA], axis=1)
    print(
        f"\n{len(theta)} posterior samples of {', '.join(folders)}\n\n"
        "| change of ln L against CAMB | median | 95 % | largest |"
    )
    print("|---|---|---|---|")
    for name, probe in probes().items():
        pair = (log_likelihoods(probe, spectra, emulator.provides) for spectra in (emulated, true))
        change = np.abs(np.subtract(*pair))
        print(f"| {name} | {np.median(change):.4f} | {np.quantile(change, 0.95):.4f} | {change.max():.4f} |")
    print("\n| l < 2000, survey errors a multipole | 68 % | 95 % | 99 % | mean |\n|---|---|---|---|---|")
    ell = np.arange(30, 2000.0)
    matrix = CmbForecast(l_min=30, l_max=1999).requires["TT"].matrix(emulator.provides["d_ell_tt"])
    for row, name in enumerate(("TT", "TE", "EE")):
        error = (emulated - true)[:, row] @ matrix.T / survey_errors(ell)[row]
        # Quantiles over the points, at the multipole where each is highest.
        lines = [np.quantile(np.abs(error), q, axis=0).max() for q in (0.68, 0.95, 0.99)]
        print(f"| {name} | {' | '.join(f'{line:.3f}' for line in lines)} | {error.mean():+.4f} |")


def learning_curve(path):
    """Print the error on the last points, in standard deviations of each data set, against the number of points."""
    workshop, data = Recipe("train_cmb"), TrainingSet.load(path)
    test = data.subset(np.arange(len(data) - N_TEST, len(data)))
    rest = data.subset(np.arange(len(data) - N_TEST), data.metadata)
    true = np.stack([test.values[name] for name in SPECTRA], axis=1).astype(float)
    print("\n| simulations | " + " | ".join(chosen := [n for n in probes() if n != "Planck low l"]) + " |")
    print("|---|" + "---|" * len(chosen))
    for n in (192, 256, 320, 384, 448):
        if n > len(rest):
            break
        workshop.document.training["train_points"] = n
        emulator = workshop.train(rest, log=str)
        found = emulator.predict(test.theta)
        wrong = np.stack([found[name] for name in SPECTRA], axis=1) - true
        row = []
        for name, probe in probes().items():
            if name in chosen:
                blocks = [
                    wrong[:, SPECTRA.index(r.observable)] @ r.matrix(emulator.provides[r.observable]).T
                    for r in probe.requires.values()
                ]
                shift = np.concatenate(blocks, axis=1)
                row.append(np.median(np.sqrt(np.sum(shift.T * np.linalg.solve(probe.covariance, shift.T), axis=0))))
        print(f"| {n} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--data")
    given = parser.parse_args()
    if given.data:
        learning_curve(given.data)
    if given.runs:
        against_camb(given.runs)


if __name__ == "__main__":
    main()
