"""The observational data sets of astroemu.

Each data set is one file under ``data/``, with units and descriptions inside. A :class:`Catalog` in this module has its
checksum, citation and licence. A package licence covers the package, but the numbers remain those of the
collaborations. Cite the papers.
"""

from __future__ import annotations

from pathlib import Path

from astroemu.core.catalog import Catalog
from astroemu.core.remote_catalog import RemoteCatalog, cache_folder
from astroemu_catalogs import plik_lite

_DATA = Path(__file__).parent / "data"
_PUBLISHED = "plain numbers of published papers; cite the papers"

#: BibTeX file with the papers of these data.
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
    arxiv=(
        *("1411.5375", "1505.02787", "1606.00441", "1709.05356", "1802.06066", "1807.01593", "1901.09001"),
        *("1901.11045", "1911.03499", "2004.10877", "2006.13452", "2009.10092", "2111.14912", "2205.04569"),
        *("2306.00487", "2312.06804", "2401.10328", "2405.12273", "2405.12275", "2504.04683", "2510.25829"),
    ),
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

ACT_DR6_LITE = Catalog(
    name="act_dr6_lite",
    path=_DATA / "act_dr6_lite.h5",
    checksum="11ebe8b97c08a832979508912b5e82d0acd952558fda6e376f4344ee901b8044",
    reference="Naess et al. 2025; Louis et al. 2025; Calabrese et al. 2025",
    arxiv=("2503.14451", "2503.14452", "2503.14454"),
    licence="MIT (values carried by candl-like 1.8.2); data of the ACT Collaboration",
)

SPT3G_2018_LITE = Catalog(
    name="spt3g_2018_lite",
    path=_DATA / "spt3g_2018_lite.h5",
    checksum="2c492269f5a7efcd15983bca76702e621e59e37574814ea30e1b7eb3e19494be",
    reference="Balkenhol et al. 2023, PRD 108, 023510; Balkenhol 2024 (compression)",
    arxiv=("2212.05642", "2412.00826"),
    licence="MIT (values carried by candl-like 1.8.2); data of the SPT-3G Collaboration",
)

PLANCK2018_PLIK_LITE = RemoteCatalog(
    name="planck2018_plik_lite",
    path=cache_folder() / "planck2018_plik_lite.h5",
    reference="Planck Collaboration 2020, A&A 641, A5; Prince & Dunkley 2019, PRD 100, 083502",
    arxiv=("1907.12875", "1909.05869"),
    licence="none stated; data of the Planck Collaboration (Planck Legacy Archive)",
    address=(
        "https://raw.githubusercontent.com/heatherprince/planck-lite-py/"
        "2c0d0f67e59ce781654cf62dd7fb10757b0e60be/data/planck2018_plik_lite"
    ),
    files=plik_lite.FILES,
    convert=plik_lite.convert,
)

PLANCK2018_LOW_ELL = Catalog(
    name="planck2018_low_ell",
    path=_DATA / "planck2018_low_ell.ecsv",
    checksum="caf15af37972c7fe71c6615beec2d73019d596475b2b55c2b0773963b9490f8d",
    reference="Prince & Dunkley 2022, PRD 105, 023518; Planck Collaboration 2020, A&A 641, A5",
    arxiv=("2104.05715", "1907.12875"),
    licence=_PUBLISHED,
)

PLANCK2018_BEST_FIT = Catalog(
    name="planck2018_best_fit",
    path=_DATA / "planck2018_best_fit.h5",
    checksum="6ea73a6b63be86024eaf9b04bdc65ddfb15f856f5b3c3628f92b9d33736ec6e2",
    reference="Planck Collaboration 2020, A&A 641, A6 (parameters of the best fit); CAMB 2.0.5",
    arxiv=("1807.06209",),
    licence="computed for astroemu; no restriction",
)
