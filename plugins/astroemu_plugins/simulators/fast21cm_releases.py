"""What the tested releases of 21cmFAST call their inputs.

Version 4.2 renamed the flag of recombinations, and 4.3 most astrophysical parameters and options. The table below holds
the names, and the two functions that were called in another way. Every name was compared with the input classes of its
release (``tests/plugins/simulators/test_fast21cm.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import PluginError

#: log10 of the turnover masses [Msun] of atomic- and molecular-cooling galaxies, at all nodes by increasing redshift.
Turnovers = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Release:
    """A release of 21cmFAST.

    Attributes
    ----------
    version, python : str
        Its version, and that of the Python with which it was tested.
    parameters : mapping of str to str
        Its names of this project's parameters.
    minihalos : mapping of str to bool or str
        Its options of a run with molecular-cooling galaxies, as far as their names were changed.
    luminosity_function : callable
        Magnitudes and log10 phi, ``(z, bins)`` each, of inputs, redshifts, ``"acg"`` or ``"mcg"``, and turnover masses.
    """

    version: str
    python: str
    parameters: Mapping[str, str]
    minihalos: Mapping[str, bool | str]
    luminosity_function: Callable[[Any, FloatArray, str, Turnovers], tuple[FloatArray, FloatArray]]

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        return f"pip install '21cmFAST=={self.version}' (with Python {self.python})"


def _luminosity_function_4_1(
    inputs: Any, z: FloatArray, component: str, turnovers: Turnovers
) -> tuple[FloatArray, FloatArray]:
    import py21cmfast

    nodes = np.sort(np.asarray(inputs.node_redshifts, dtype=float))
    atomic, molecular = (10.0 ** np.interp(z, nodes, log10_mass) for log10_mass in turnovers)
    m_uv, _, log10_phi = py21cmfast.compute_luminosity_function(
        redshifts=z, inputs=inputs, nbins=_BINS, mturnovers=atomic, mturnovers_mini=molecular, component=component
    )
    return np.asarray(m_uv), np.asarray(log10_phi)


def _luminosity_function_4_3(
    inputs: Any, z: FloatArray, component: str, turnovers: Turnovers
) -> tuple[FloatArray, FloatArray]:
    """Return the luminosity function of 4.3.1, with the given turnover masses.

    Without photo-heating feedback, 4.3.1 takes the larger one of the atomic threshold in Msun and of the *logarithm* of
    the turnover mass, so the turnover mass has no effect. With the flag it reads the masses of a lightcone.
    """
    import py21cmfast

    inputs = inputs.evolve_input_structs(USE_REIONIZATION_PHOTOHEATING_FEEDBACK=True)
    masses = (log10_mass[::-1] for log10_mass in turnovers)  # like the nodes, which fall
    history = SimpleNamespace(global_quantities=dict(zip(("log10_mturn_acg", "log10_mturn_mcg"), masses, strict=True)))
    m_uv, _, log10_phi = py21cmfast.compute_luminosity_function(
        redshifts=z, inputs=inputs, nbins=_BINS, lightcone=history, component=component
    )
    return np.asarray(m_uv), np.asarray(log10_phi)


_BINS = 200
_COMMON = {
    "t_star": "t_STAR",
    "alpha_esc": "ALPHA_ESC",
    "e_0_keV": "NU_X_THRESH",
    "alpha_x": "X_RAY_SPEC_INDEX",
    "sigma_8": "SIGMA_8",
}
#: The integral over halo masses that takes minutes instead of hours.
_INTEGRATION = "GAMMA-APPROX"
RELEASES = {
    "4.1.1": Release(
        "4.1.1",
        "3.11",
        {
            **_COMMON,
            "log10_f_star10": "F_STAR10",
            "alpha_star": "ALPHA_STAR",
            "log10_f_esc10": "F_ESC10",
            "log10_m_turn": "M_TURN",
            "log10_l_x": "L_X",
            "log10_f_star7": "F_STAR7_MINI",
            "alpha_star7": "ALPHA_STAR_MINI",
            "log10_f_esc7": "F_ESC7_MINI",
            "log10_l_x_mini": "L_X_MINI",
        },
        {
            "USE_MINI_HALOS": True,
            "USE_RELATIVE_VELOCITIES": True,
            "INHOMO_RECO": True,
            "INTEGRATION_METHOD_ATOMIC": _INTEGRATION,
            "INTEGRATION_METHOD_MINI": _INTEGRATION,
        },
        _luminosity_function_4_1,
    ),
    "4.3.1": Release(
        "4.3.1",
        "3.12",
        {
            **_COMMON,
            "log10_f_star10": "F_STAR10_ACG",
            "alpha_star": "ALPHA_STAR_ACG",
            "log10_f_esc10": "F_ESC10_ACG",
            "log10_m_turn": "M_TURN_STELLAR_FEEDBACK",
            "log10_l_x": "LX_OVER_SFR_ACG",
            "log10_f_star7": "F_STAR7_MCG",
            "alpha_star7": "ALPHA_STAR_MCG",
            "log10_f_esc7": "F_ESC7_MCG",
            "log10_l_x_mini": "LX_OVER_SFR_MCG",
        },
        {
            "USE_MCGS": True,
            "V_CB_MODEL": "FLUCTS",
            "RECOMB_MODEL": "inhomogeneous",
            "INTEGRATION_METHOD_ACGS": _INTEGRATION,
            "INTEGRATION_METHOD_MCGS": _INTEGRATION,
        },
        _luminosity_function_4_3,
    ),
}


def installed() -> Release:
    """Return the release of 21cmFAST that is installed.

    Raises
    ------
    PluginError
        If there is none, or one that was not tested.
    """
    try:
        found = version("21cmFAST")
    except PackageNotFoundError:
        raise PluginError(
            "the simulator '21cmfast' needs 21cmFAST: apt-get install gcc libgsl-dev libfftw3-dev, "
            "then pip install 'astroemu-inference[21cmfast]'"
        ) from None
    if found not in RELEASES:
        raise PluginError(
            f"the simulator '21cmfast' was not tested with 21cmFAST {found}, whose parameters may have other names or "
            f"meanings: {' or '.join(release.remedy for release in RELEASES.values())}"
        )
    return RELEASES[found]
