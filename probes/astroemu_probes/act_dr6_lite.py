"""ACT DR6: TT, TE and EE with foregrounds marginalised (Louis et al. 2025, arXiv:2503.14452).

The model is divided by ``a_act^2``. TE is also divided by ``p_act``, and EE by ``p_act^2``.

For a fit with Planck, use :class:`astroemu_probes.planck_plik_lite.PlanckPlikLite` with
``l_max = {TT = 1000, TE = 600, EE = 600}``, as in that paper (section 6: "P-ACT"). Otherwise the same modes
count twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astroemu.core.catalog import load_catalog
from astroemu.core.distributions import Normal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.io.paths import FileName
from astroemu_probes.cmb_bandpowers import SPECTRA, Bandpowers, read_windows


class ActDr6Lite(Bandpowers):
    """Bandpowers of ACT DR6.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with the same layout.
    spectra : tuple of str
        Spectra to use, from TT, TE and EE.
    l_min, l_max : mapping of str to number
        Range of effective multipoles to use, by spectrum; by default all.
    """

    parameters = (
        Parameter("a_act", Normal(1.0, 0.003), r"A_{\rm ACT}"),
        Parameter("p_act", Uniform(0.9, 1.1), r"P_{\rm ACT}"),
    )

    def __init__(
        self,
        catalog: FileName = "act_dr6_lite",
        spectra: tuple[str, ...] = SPECTRA,
        l_min: Mapping[str, float] | None = None,
        l_max: Mapping[str, float] | None = None,
    ) -> None:
        source = load_catalog(catalog)
        super().__init__(source, *read_windows(source), spectra, l_min or {}, l_max or {})

    def calibration(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        temperature, polarisation = parameters["a_act"] ** -2.0, 1.0 / parameters["p_act"]
        return {"TT": temperature, "TE": temperature * polarisation, "EE": temperature * polarisation**2}
