"""The observational data sets of astroemu.

Each data set is one file under ``data/``, with units and descriptions inside. A :class:`Catalog` in this module has its
checksum, citation and licence. A package licence covers the package, but the numbers remain those of the
collaborations. Cite the papers.
"""

from __future__ import annotations

from pathlib import Path

from astroemu.core.catalog import Catalog
from astroemu.core.remote_catalog import RemoteCatalog, cache_folder
from astroemu.core.wheel_catalog import WheelCatalog
from astroemu_catalogs import low_ell, plik_lite

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

LIMITS_21CM = Catalog(
    name="limits_21cm",
    path=_DATA / "limits_21cm.ecsv",
    checksum="3f49d2f8c35ae1cdfc7fd9637772cbf53aaeb44a20542942a18606dce586d79e",
    reference=(
        "EoRImaging/eor_limits (Barry, Hazelton, Dhandha, Murray et al.), commit 8549925124a9; 29 papers, named in the "
        "column `reference`. Without an arXiv number: HERA 2026, doi:10.3847/1538-4357/ae2d54; Munshi et al. 2024, "
        "doi:10.1051/0004-6361/202348329"
    ),
    arxiv=(
        *("1301.5906", "1304.4229", "1304.4991", "1506.01026", "1605.00016", "1608.06281", "1702.08679"),
        *("1809.06661", "1906.08943", "1909.00561", "1909.02085", "1911.10216", "2002.02575", "2002.07196"),
        *("2010.02269", "2012.04998", "2102.09596", "2105.12888", "2108.02263", "2110.03190", "2210.04912"),
        *("2310.03851", "2408.10051", "2503.05576", "2505.09097", "2507.10533", "2508.04164"),
    ),
    licence="BSD-2-Clause (its text is in the header of the file); plain numbers of published papers",
)

UV_LUMINOSITY_FUNCTION = Catalog(
    name="uv_luminosity_function",
    path=_DATA / "uv_luminosity_function.ecsv",
    checksum="a54f5ad32bf3fdc3019225b6eda3eeeed35a1aa790e9bc7b785144e903d294ca",
    reference=(
        "Bouwens+15, 17, 21; Oesch+18; Harikane+23; Finkelstein+23; McLeod+24; Donnan+24; Willott+24; Adams+24; "
        "Robertson+24; Casey+24; Chemerynska+26"
    ),
    arxiv=(
        "1403.4295", "1610.00283", "1710.11131", "2102.07775", "2208.01612", "2304.13721", "2304.14469", "2308.10932",
        "2311.04279", "2311.12234", "2312.10033", "2403.03171", "2509.24881",
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
    checksum="cf844d6580027a3491f76d92ef18722182c3480db9da41efb70cdf0329012e55",
    reference="McGreer+15 and 31 further papers, named in the column `reference`",
    arxiv=(
        *("1411.5375", "1505.02787", "1606.00441", "1709.05356", "1802.06066", "1807.01593", "1901.09001"),
        *("1901.11045", "1911.03499", "2004.10877", "2006.13452", "2009.10092", "2101.01205", "2105.12191"),
        *("2111.14912", "2205.04569", "2211.12613", "2303.03419", "2304.02038", "2306.00487", "2312.06804"),
        *("2401.10328", "2404.12585", "2405.12273", "2405.12275", "2408.01507", "2409.06405", "2411.15495"),
        *("2501.05834", "2501.11702", "2504.04683", "2510.25829"),
    ),
    licence=_PUBLISHED,
)

OPTICAL_DEPTH = Catalog(
    name="optical_depth",
    path=_DATA / "optical_depth.ecsv",
    checksum="7f7e9871aca780d3653d8ee1663dcbebf15f820862dc7cd0d2cb56fe69f18116",
    reference="Planck 2018 VI; Pagano+20; Qin+20; Paoletti+20; de Belsunce+21; Li+25; Genesini+26",
    arxiv=("1807.06209", "1908.09856", "2006.16828", "2005.12222", "2103.14378", "2501.11904", "2603.22454"),
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

ELICA = WheelCatalog(
    name="elica",
    reference="Genesini et al. 2026, arXiv:2603.22454",
    arxiv=("2603.22454",),
    licence="none stated (wheel elica 0.1.0); data of the Planck and WMAP teams",
    distribution="elica",
    version="0.1.0",
    files=low_ell.ELICA_FILES,
    convert=low_ell.convert_elica,
    extra="elica",
)

RELIKE = WheelCatalog(
    name="relike",
    reference="Heinrich & Hu 2021, PRD 104, 063505",
    arxiv=("2104.13998",),
    licence="GPLv3 or later (wheel relike 0.0.4); data of the Planck Collaboration",
    distribution="relike",
    version="0.0.4",
    files=low_ell.RELIKE_FILES,
    convert=low_ell.convert_relike,
    extra="relike",
)

PLANCK2018_BEST_FIT = Catalog(
    name="planck2018_best_fit",
    path=_DATA / "planck2018_best_fit.h5",
    checksum="6ea73a6b63be86024eaf9b04bdc65ddfb15f856f5b3c3628f92b9d33736ec6e2",
    reference="Planck Collaboration 2020, A&A 641, A6 (parameters of the best fit); CAMB 2.0.5",
    arxiv=("1807.06209",),
    licence="computed for astroemu; no restriction",
)

MEAN_FREE_PATH = Catalog(
    name="mean_free_path",
    path=_DATA / "mean_free_path.ecsv",
    checksum="21195207c766870accc6b98241e80282d8f94b0145cc97df7939dd712b6a424e",
    reference="Zhu et al. 2023; Becker et al. 2021",
    arxiv=("2308.04614", "2103.16610"),
    licence=_PUBLISHED,
)

PHOTOIONIZATION_RATE = Catalog(
    name="photoionization_rate",
    path=_DATA / "photoionization_rate.ecsv",
    checksum="5f6d573f056fffd469795a54975366a94f58dfd934ed9ec590a9a587a7777d78",
    reference="Gaikwad et al. 2023, MNRAS 525, 4093",
    arxiv=("2304.02038",),
    licence=_PUBLISHED,
)

IONIZING_EMISSIVITY = Catalog(
    name="ionizing_emissivity",
    path=_DATA / "ionizing_emissivity.ecsv",
    checksum="a83f2af83854b17ce3e2f92a7378c1ad9c2b67b493b2fca115f4a2754e8fdc56",
    reference="Gaikwad et al. 2023, MNRAS 525, 4093",
    arxiv=("2304.02038",),
    licence=_PUBLISHED,
)

PATCHY_KSZ = Catalog(
    name="patchy_ksz",
    path=_DATA / "patchy_ksz.ecsv",
    checksum="dba01c9e8401998836bf56563b76d765f982dee57adc57d5efe079b6f2e06d6f",
    reference="Reichardt et al. 2021; Gorce, Douspis & Salvati 2022",
    arxiv=("2002.06197", "2202.08698"),
    licence=_PUBLISHED,
)

GLOBAL_SIGNAL_MOCK = Catalog(
    name="global_signal_mock",
    path=_DATA / "global_signal_mock.ecsv",
    checksum="4d5e5a284cea6c84948ae1ffd050a206def68d9782293fa4dc9f952a88b86863",
    reference="a mock of the emulator acg, after Bowman et al. 2018 and Furlanetto, Oh & Briggs 2006",
    arxiv=("1810.05912", "astro-ph/0608032"),
    licence="MIT (astroemu)",
)
