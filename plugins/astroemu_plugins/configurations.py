"""Ready configurations: the files of docs/examples, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_EXAMPLES = _HERE / "examples" if (_HERE / "examples").is_dir() else _HERE.parents[1] / "docs" / "examples"

GALAXIES = _EXAMPLES / "galaxies.toml"
REIONIZATION = _EXAMPLES / "reionization.toml"
LIKE_21CMMC = _EXAMPLES / "like_21cmmc.toml"
TRAIN_21CMFAST = _EXAMPLES / "train_21cmfast.toml"
TRAIN_ACG = _EXAMPLES / "train_acg.toml"
TRAIN_PARK19 = _EXAMPLES / "train_park19.toml"
