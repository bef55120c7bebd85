"""The observational data sets that ship with astroemu.

Each is one file under ``data/`` with units and descriptions inside, and one :class:`Catalog` here
with its checksum, citation and licence. A package licence covers the package; the numbers remain
those of the collaborations: cite the papers.
"""

from __future__ import annotations

from pathlib import Path

from astroemu.catalog import Catalog

_DATA = Path(__file__).parent / "data"
_PUBLISHED = "plain numbers of published papers; cite the papers"

#: The papers of these data as BibTeX.
REFERENCES = _DATA / "references.bib"

HERA_H1C_IDR3 = Catalog(
    name="hera_h1c_idr3",
    path=_DATA / "hera_h1c_idr3.h5",
    checksum="4f651fd638e80a0cbc1ea668d2ca7930daea6ece01c60de644e046fb3677544c",
    reference="HERA Collaboration 2023, ApJ 945, 124",
    arxiv=("2210.04912",),
    licence="MIT (values carried by 21cmmc 1.0.0); data of the HERA Collaboration",
)

UV_LUMINOSITY_FUNCTION = Catalog(
    name="uv_luminosity_function",
    path=_DATA / "uv_luminosity_function.ecsv",
    checksum="bead4be5acc18f771624e93f6780c0db05c267f461666de5e75e2d7800ae6f29",
    reference="Bouwens+15, 17, 21; Oesch+18; Harikane+23; Finkelstein+23; McLeod+24; Donnan+24; Chemerynska+26",
    arxiv=(
        "1403.4295", "1610.00283", "1710.11131", "2102.07775", "2208.01612", "2304.14469", "2311.04279",
        "2403.03171", "2509.24881",
    ),
    licence=_PUBLISHED,
)  # fmt: skip

UV_LUMINOSITY_FUNCTION_21CMMC = Catalog(
    name="uv_luminosity_function_21cmmc",
    path=_DATA / "uv_luminosity_function_21cmmc.ecsv",
    checksum="b2392c0d78876e9ba88332b37004292f5f7a9a7bfdc4108a340fb126d37e5ea8",
    reference="Bouwens+15, 17; Oesch+18, in the numbers of 21CMMC 1.0.0",
    arxiv=("1403.4295", "1610.00283", "1710.11131"),
    licence="MIT (values carried by 21cmmc 1.0.0); plain numbers of published papers",
)

NEUTRAL_FRACTION = Catalog(
    name="neutral_fraction",
    path=_DATA / "neutral_fraction.ecsv",
    checksum="d9916133202f5a72c8cb5704bff818766e3baeac4a1ecfc7fb277637db8dbe87",
    reference="McGreer+15 and 20 further papers, named in the column `reference`",
    arxiv=("1411.5375",),
    licence=_PUBLISHED,
)

OPTICAL_DEPTH = Catalog(
    name="optical_depth",
    path=_DATA / "optical_depth.ecsv",
    checksum="b65f5baabb5ecffa1025e9b3331603b668b3ee3a2734b4ac7b1dae707e1b6e4b",
    reference="Planck 2018 VI; Pagano+20; Qin+20; Paoletti+20; de Belsunce+21",
    arxiv=("1807.06209", "1908.09856", "2006.16828", "2005.12222", "2103.14378"),
    licence=_PUBLISHED,
)
