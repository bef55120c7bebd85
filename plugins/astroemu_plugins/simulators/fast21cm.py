"""21cmFAST: a small lightcone for every point.

The code is version 4 of 21cmFAST (Mesinger et al. 2011, MNRAS 411, 955; Murray et al. 2020, JOSS 5, 2582), in one of
the releases of :mod:`astroemu_plugins.simulators.fast21cm_releases`. The model has the atomic-cooling galaxies of Park
et al. (2019), inhomogeneous recombinations and the spin temperature. With ``minihalos``, it also has the
molecular-cooling galaxies of Qin et al. (2020) and Munoz et al. (2022), with the parameters and the cosmology of the
model "mcg" of 21cmEMU. One run gives the neutral fraction, the brightness and spin temperatures, the optical depth and
the luminosity functions. It also gives the power spectrum of cubes cut out of the lightcone, in redshift space.

The simulator needs the extra ``21cmfast``, which is compiled at installation (Debian: gcc, libgsl-dev, libfftw3-dev).
The results depend on release, box, resolution, seed and number of threads. All of these are stored as settings.
"""

from __future__ import annotations

import tempfile
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.emulation.simulator import Simulator
from astroemu.errors import ConfigurationError
from astroemu_plugins.simulators import emu21cm_minihalos, fast21cm_releases
from astroemu_plugins.simulators.fast21cm_releases import Release, Turnovers

_ATOMIC = (
    Parameter("log10_f_star10", Uniform(-3.0, 0.0), r"\log_{10} f_{*,10}"),
    Parameter("alpha_star", Uniform(-0.5, 1.0), r"\alpha_*"),
    Parameter("log10_f_esc10", Uniform(-3.0, 0.0), r"\log_{10} f_{{\rm esc},10}"),
    Parameter("alpha_esc", Uniform(-1.0, 0.5), r"\alpha_{\rm esc}"),
    Parameter("log10_m_turn", Uniform(8.0, 10.0), r"\log_{10} M_{\rm turn}", "log10 Msun"),
    Parameter("t_star", Uniform(0.01, 1.0), r"t_*", "Hubble time"),
    Parameter("log10_l_x", Uniform(38.0, 42.0), r"\log_{10} L_X", "log10 erg s^-1 Msun^-1 yr"),
    Parameter("e_0_keV", Uniform(0.1, 1.5), r"E_0", "keV"),
    Parameter("alpha_x", Uniform(-1.0, 3.0), r"\alpha_X"),
)
#: Those of 21cmFAST, and wider than those of the networks of "mcg".
_LIMITS = {
    "log10_f_star10": (-3.0, 0.0),
    "alpha_star": (-0.5, 1.5),
    "t_star": (0.01, 1.0),
    "log10_f_esc10": (-3.0, 0.0),
    "alpha_esc": (-1.0, 1.0),
    "log10_f_star7": (-5.0, 0.0),
    "log10_f_esc7": (-4.0, 0.0),
    "log10_l_x": (36.0, 44.0),
    "log10_l_x_mini": (36.0, 45.0),
    "e_0_keV": (0.1, 1.5),
    "sigma_8": (0.7, 0.9),
}
_MINIHALOS = tuple(replace(p, prior=Uniform(*_LIMITS[p.name])) for p in emu21cm_minihalos.PARAMETERS)
_COSMOLOGY = {"hlittle": 0.6774, "OMm": 0.3075, "OMb": 0.0486, "SIGMA_8": 0.82, "POWER_INDEX": 0.97}
_COSMOLOGY_MINIHALOS = {"hlittle": 0.6688, "OMm": 0.321, "OMb": 0.04952, "POWER_INDEX": 0.9626}
_PHOTON_CONSERVATION = {"none": "no-photoncons", "redshift": "z-photoncons"}
_K_MAX = 10.0  # 1/Mpc, of CLASS: the default takes 100 s, and the mass function of minihalos is extrapolated anyway
#: Slope of the stellar fraction of molecular-cooling galaxies. The luminosity functions of "mcg" have this slope at any
#: alpha_star: it is the default of version 3. By itself, version 4 takes alpha_star.
_ALPHA_STAR7 = 0.5
_Z_LF = np.array([6.0, 7.0, 8.0, 10.0])
_M_UV = np.linspace(-22.0, -10.0, 25)
_Z_LF_MINIHALOS = np.array([6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0])
_M_UV_MINIHALOS = np.linspace(-22.0, -7.0, 31)
_LOWEST_PHI = -30.0  # log10 phi [Mpc^-3 mag^-1] at magnitudes that no halo has
_K_BINS = 10


class Fast21cm(Simulator):
    """Simulator of 21-cm observables by 21cmFAST version 4.

    Parameters
    ----------
    box : float
        Side of the box [Mpc].
    cells : int
        Number of cells along a side.
    refinement : int
        Number of cells of the initial conditions along a cell. They cost little time. Coarse ones make reionization
        slightly earlier.
    z_min, z_max : float
        Lowest redshift of the lightcone, and the redshift at which the evolution starts.
    z_step : float
        Ratio of 1 + z between snapshots.
    seed : int
        Seed of the initial conditions.
    vary_seed : bool
        If True, every point has its own initial conditions, which follow from ``seed`` and the point. If False, all
        points share one realisation, and a network then learns this realisation.
    threads : int
        Number of threads per run.
    minihalos : bool
        If True, molecular-cooling galaxies are added, and the parameters are those of 21cmEMU's "mcg".
    photon_conservation : {"none", "redshift"}
        Correction for photons that the excursion set loses. ``redshift`` takes the sources of another redshift (Park et
        al. 2022, MNRAS 517, 192); it exists without minihalos only.

    Raises
    ------
    ConfigurationError
        If an option is out of its range.
    PluginError
        If 21cmFAST is not installed, or in a release that was not tested.
    """

    parameters: tuple[Parameter, ...] = _ATOMIC
    batch = 1

    def __init__(
        self,
        box: float = 150.0,
        cells: int = 48,
        refinement: int = 2,
        z_min: float = 5.0,
        z_max: float = 35.0,
        z_step: float = 1.1,
        seed: int = 1,
        vary_seed: bool = True,
        threads: int = 1,
        minihalos: bool = False,
        photon_conservation: Literal["none", "redshift"] = "none",
    ) -> None:
        self._release: Release = fast21cm_releases.installed()
        self.version = self._release.version
        if box <= 0 or cells < 8 or not 0 < z_min < z_max or z_step <= 1 or min(threads, refinement) < 1 or seed < 0:
            raise ConfigurationError(
                f"21cmfast: box = {box} and z_min = {z_min} must be above 0, cells = {cells} at least 8, "
                f"z_max = {z_max} above z_min, z_step = {z_step} above 1, threads = {threads} and "
                f"refinement = {refinement} at least 1, seed = {seed} at least 0"
            )
        if minihalos and photon_conservation != "none":
            raise ConfigurationError(
                f'21cmfast: photon_conservation = "{photon_conservation}" does not exist with minihalos = true; '
                'leave it out, or give "none"'
            )
        self.parameters = _MINIHALOS if minihalos else _ATOMIC
        self._minihalos, self._photon_conservation = minihalos, photon_conservation
        self._refinement = refinement
        self._box, self._cells, self._z = box, cells, (z_min, z_max, z_step)
        self._seed, self._vary_seed, self._threads = seed, vary_seed, threads

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "box_Mpc": self._box,
            "cells": self._cells,
            "refinement": self._refinement,
            "z_min": self._z[0],
            "z_max": self._z[1],
            "z_step": self._z[2],
            "seed": self._seed,
            "vary_seed": self._vary_seed,
            "threads": self._threads,
            "minihalos": self._minihalos,
            "photon_conservation": self._photon_conservation,
            "template": self._template,
            "cosmology": {
                **self._cosmology,
                "transfer_function": f"CLASS to k = {_K_MAX:g}/Mpc" if self._minihalos else "Eisenstein & Hu",
            },
            "inputs": self._given,
            "space": "redshift",
        }

    @property
    def licence(self) -> str:
        return "MIT (21cmFAST)"

    @property
    def citation(self) -> str:
        return (
            "Mesinger et al. 2011, MNRAS 411, 955, arXiv:1003.3878; "
            "Murray et al. 2020, JOSS 5, 2582, arXiv:2010.15121; "
            "Park et al. 2019, MNRAS 484, 933, arXiv:1809.08995"
            + ("; Munoz et al. 2022, MNRAS 511, 3657, arXiv:2110.13919" if self._minihalos else "")
        )

    @property
    def _template(self) -> str:
        return "minihalos" if self._minihalos else "Park19"

    @property
    def _cosmology(self) -> dict[str, float]:
        return _COSMOLOGY_MINIHALOS if self._minihalos else _COSMOLOGY

    @property
    def _given(self) -> dict[str, Any]:
        """What is given to 21cmFAST beside its template, for all points, under its own names."""
        shared = {
            "HII_DIM": self._cells,
            "BOX_LEN": self._box,
            "HIRES_TO_LOWRES_FACTOR": self._refinement,
            "N_THREADS": self._threads,
            "ZPRIME_STEP_FACTOR": self._z[2],
            "Z_HEAT_MAX": self._z[1],
            "R_BUBBLE_MAX": min(50.0, 0.333 * self._box),  # a third of the box at most
            "PHOTON_CONS_TYPE": _PHOTON_CONSERVATION[self._photon_conservation],
            **self._cosmology,
        }
        if not self._minihalos:
            return {**shared, "POWER_SPECTRUM": "EH"}
        return {
            **shared,
            **self._release.minihalos,
            "POWER_SPECTRUM": "CLASS",
            "K_MAX_FOR_CLASS": _K_MAX,
            "USE_CMB_HEATING": False,
            "USE_LYA_HEATING": False,
            self._release.parameters["log10_m_turn"]: 5.0,  # none beside cooling and feedback
            self._release.parameters["alpha_star7"]: _ALPHA_STAR7,
            self._release.parameters["alpha_x"]: 1.0,
        }

    @cached_property
    def _inputs(self) -> Any:
        import py21cmfast

        made = py21cmfast.InputParameters.from_template(self._template, random_seed=1, **self._given)
        return made.with_logspaced_redshifts(zmin=self._z[0])

    @cached_property
    def _nodes(self) -> FloatArray:
        """Redshifts of the snapshots, increasing."""
        return np.sort(np.asarray(self._inputs.node_redshifts, dtype=float))

    @cached_property
    def _lightconer(self) -> Any:
        import py21cmfast
        from astropy import units

        return py21cmfast.RectilinearLightconer.between_redshifts(
            # Velocities move gas in from outside, so the lightcone must not reach the ends of the evolution.
            min_redshift=self._nodes[0] + 0.02 * (1 + self._nodes[0]),
            max_redshift=self._nodes[-3],
            resolution=self._box / self._cells * units.Mpc,
            cosmo=self._inputs.cosmo_params.cosmo,
            quantities=("brightness_temp",),
        )

    @cached_property
    def _slabs(self) -> dict[float, slice]:
        """Slice of the cube around each snapshot, by redshift; without snapshots near the lightcone's ends."""
        from astropy import units

        distances = self._lightconer.lc_distances.to_value(units.Mpc)
        cosmology, half = self._inputs.cosmo_params.cosmo, self._cells // 2
        found = {}
        for z in self._nodes:
            centre = int(np.argmin(np.abs(distances - cosmology.comoving_distance(z).to_value(units.Mpc))))
            if half <= centre <= len(distances) - half:
                found[float(z)] = slice(centre - half, centre - half + self._cells)
        return found

    @cached_property
    def _bins(self) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
        """Bin and weight of every mode (``(modes,)`` each), and the mean k [1/Mpc] of every bin.

        A mode and its conjugate are stored once, with weight two.
        """
        n, box = self._cells, self._box
        side, last = 2 * np.pi * np.fft.fftfreq(n, box / n), 2 * np.pi * np.fft.rfftfreq(n, box / n)
        k = np.sqrt(side[:, None, None] ** 2 + side[None, :, None] ** 2 + last**2).ravel()
        weight = np.full((n, n, len(last)), 2.0)
        weight[..., 0] = 1.0
        if n % 2 == 0:
            weight[..., -1] = 1.0
        edges = np.geomspace(2 * np.pi / box * 0.99, np.pi * n / box, _K_BINS + 1)
        number = np.digitize(k, edges)
        return number, weight.ravel(), self._binned(number, weight.ravel(), k)

    @staticmethod
    def _binned(number: NDArray[np.intp], weight: FloatArray, values: FloatArray) -> FloatArray:
        total, count = (np.bincount(number, w, _K_BINS + 2)[1:-1] for w in (weight * values, weight))
        return np.asarray(total / count)

    @property
    def _z_lf(self) -> FloatArray:
        """Redshifts of the luminosity functions. Those with minihalos need the turnover masses of the lightcone."""
        if not self._minihalos:
            return _Z_LF
        z, low, high = _Z_LF_MINIHALOS, self._nodes[0], self._nodes[-1]
        return z[(z >= low) & (z <= high)]

    @property
    def _m_uv(self) -> FloatArray:
        return _M_UV_MINIHALOS if self._minihalos else _M_UV

    @cached_property
    def provides(self) -> Mapping[str, Observable]:
        z = Axis("z", self._nodes)
        power = (Axis("z", np.array(list(self._slabs))), Axis("k", self._bins[2], "1/Mpc"))
        lf = (Axis("z", self._z_lf), Axis("m_uv", self._m_uv, "mag"))
        made = (
            Observable(
                "delta21_sq", power, "mK^2", "Dimensionless 21-cm power spectrum in redshift space", r"\Delta^2_{21}"
            ),
            Observable("x_hi", (z,), "", "Volume-averaged neutral hydrogen fraction", r"\bar{x}_{\rm HI}"),
            Observable("t_b", (z,), "mK", "Global 21-cm brightness temperature", r"\bar{T}_{21}"),
            Observable("t_s", (z,), "K", "Volume-averaged spin temperature", r"\bar{T}_{\rm S}"),
            Observable("tau_e", (), "", "Thomson optical depth, ionised below the last snapshot", r"\tau_e"),
            Observable(
                "log10_uv_lf", lf, "log10(Mpc^-3 mag^-1)", "log10 of the UV luminosity function", r"\log_{10} \phi"
            ),
        )
        return {observable.name: observable for observable in made}

    def simulate(self, theta: FloatArray) -> Mapping[str, FloatArray]:
        runs = [self._run(point) for point in np.asarray(theta, dtype=float)]
        return {name: np.stack([run[name] for run in runs]) for name in self.provides}

    def _inputs_at(self, point: FloatArray) -> Any:
        given = dict(zip((p.name for p in self.parameters), point.tolist(), strict=True))
        given["e_0_keV"] *= 1000.0  # to eV
        return self._inputs.evolve_input_structs(**{self._release.parameters[name]: v for name, v in given.items()})

    def _run(self, point: FloatArray) -> dict[str, FloatArray]:
        import py21cmfast

        inputs = self._inputs_at(point)
        seed = self._seed + (zlib.crc32(point.tobytes()) % 1_000_000_007 if self._vary_seed else 0)
        inputs = inputs.clone(random_seed=seed)
        with tempfile.TemporaryDirectory(prefix="astroemu-21cmfast-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the small box; it is a setting
            lightcone = py21cmfast.run_lightcone(
                lightconer=self._lightconer,
                inputs=inputs,
                apply_rsds=True,
                write=False,
                cache=py21cmfast.OutputCache(folder),
            )
        order = np.argsort(lightcone.inputs.node_redshifts)
        mean = {name: np.asarray(values, dtype=float)[order] for name, values in lightcone.global_quantities.items()}
        x_hi = mean["neutral_fraction"]
        cube = np.asarray(lightcone.lightcones["brightness_temp_with_rsds"], dtype=float)
        return {
            "x_hi": x_hi,
            "t_b": mean["brightness_temp"],
            "t_s": mean["spin_temperature"],
            "delta21_sq": np.stack([self._power(cube[..., slab]) for slab in self._slabs.values()]),
            "tau_e": np.asarray(py21cmfast.compute_tau(redshifts=self._nodes, global_xHI=x_hi, inputs=inputs)),
            "log10_uv_lf": self._luminosity_function(inputs, (mean["log10_mturn_acg"], mean["log10_mturn_mcg"])),
        }

    def _power(self, cube: FloatArray) -> FloatArray:
        """Return k^3 P(k) / 2 pi^2 [mK^2] in every bin, from a cube ``(n, n, n)`` [mK]."""
        number, weight, k = self._bins
        modes = np.abs(np.fft.rfftn(cube - cube.mean())) ** 2 * self._box**3 / cube.size**2
        return k**3 * self._binned(number, weight, modes.ravel()) / (2 * np.pi**2)

    def _luminosity_function(self, inputs: Any, turnovers: Turnovers) -> FloatArray:
        """Return log10 phi of all galaxies together, ``(z, m_uv)``."""
        components = ("acg", "mcg") if self._minihalos else ("acg",)
        return np.asarray(
            np.log10(sum(10 ** self._luminosity_function_of(inputs, turnovers, component) for component in components))
        )

    def _luminosity_function_of(self, inputs: Any, turnovers: Turnovers, component: str) -> FloatArray:
        m_uv, log10_phi = self._release.luminosity_function(inputs, self._z_lf, component, turnovers)
        rows = []
        for magnitude, phi in zip(m_uv, log10_phi, strict=True):
            known = np.isfinite(magnitude) & np.isfinite(phi) & (phi > _LOWEST_PHI)
            order = np.argsort(magnitude[known])
            x, y = magnitude[known][order], phi[known][order]
            none = np.full(self._m_uv.shape, _LOWEST_PHI)
            rows.append(np.interp(self._m_uv, x, y, left=_LOWEST_PHI, right=_LOWEST_PHI) if len(x) else none)
        return np.array(rows)
