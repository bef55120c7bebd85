"""Paths of the example configurations: the files of docs/examples, in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_EXAMPLES = _HERE / "examples" if (_HERE / "examples").is_dir() else _HERE.parents[1] / "docs" / "examples"

CMB = _EXAMPLES / "cmb.toml"
CMB_ACT_PLANCK = _EXAMPLES / "cmb_act_planck.toml"
CMB_PLANCK = _EXAMPLES / "cmb_planck.toml"
COSMIC_DAWN = _EXAMPLES / "cosmic_dawn.toml"
GALAXIES = _EXAMPLES / "galaxies.toml"
GALAXIES_2026 = _EXAMPLES / "galaxies_2026.toml"
REIONIZATION = _EXAMPLES / "reionization.toml"
REIONIZATION_2026 = _EXAMPLES / "reionization_2026.toml"
REIONIZATION_CMB = _EXAMPLES / "reionization_cmb.toml"
REIONIZATION_CMB_DIRECT = _EXAMPLES / "reionization_cmb_direct.toml"
LIKE_21CMMC = _EXAMPLES / "like_21cmmc.toml"
MINIHALOS_LIKE_ACG = _EXAMPLES / "minihalos_like_acg.toml"
TRAIN_21CMFAST = _EXAMPLES / "train_21cmfast.toml"
TRAIN_21CMFAST_MINIHALOS = _EXAMPLES / "train_21cmfast_minihalos.toml"
TRAIN_ACG = _EXAMPLES / "train_acg.toml"
TRAIN_CMB = _EXAMPLES / "train_cmb.toml"
TRAIN_CMB_BACKGROUND = _EXAMPLES / "train_cmb_background.toml"
TRAIN_MCG = _EXAMPLES / "train_mcg.toml"
TRAIN_PARK19 = _EXAMPLES / "train_park19.toml"
TRAIN_PARK19_COSMOLOGY = _EXAMPLES / "train_park19_cosmology.toml"
