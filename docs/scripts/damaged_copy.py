"""Damage a copy of a training set in known places, then run `inspect` and `clean` on it.

    astroemu simulate train_park19 --out training/park19_set.h5
    python docs/scripts/damaged_copy.py training/park19_set.h5 train_park19

The script prints the damaged rows and the type of damage last.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from astroemu.cli import app
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet

CLEANING = """
[cleaning]
defined = ["x_hi", "tau_e", "log10_uv_lf"]
range = { x_hi = [0.0, 1.0], tau_e = [0.0, 0.3] }
outliers = { tau_e = 12.0, log10_uv_lf = 30.0 }
"""


def damaged(data: TrainingSet) -> tuple[TrainingSet, dict[int, str]]:
    """Return a copy with nine damaged rows, and a description of the damage by row."""
    theta, values = data.theta.copy(), {name: value.copy() for name, value in data.values.items()}
    theta[5, 2] = np.nan
    theta[7] = theta[8] = theta[3]
    theta[11, 0] = 5.0
    values["x_hi"][20].flat[5] = np.nan
    values["x_hi"][21].flat[7] = 1.2
    values["tau_e"][31] = -1.0
    values["tau_e"][40] = 0.29
    values["log10_uv_lf"][41] += 3.0
    done = {
        5: "a parameter is NaN",
        7: "the parameters of row 3",
        8: "the parameters of row 3",
        11: "a parameter outside the box",
        20: "x_hi has a NaN",
        21: "x_hi has a 1.2",
        31: "tau_e is -1",
        40: "tau_e is 0.29",
        41: "log10_uv_lf is larger by 3",
    }
    return replace(data, theta=theta, values=values), done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe", help="of that set; its [cleaning] is replaced")
    arguments = parser.parse_args()
    copy, done = damaged(TrainingSet.load(arguments.data))
    with tempfile.TemporaryDirectory() as folder:
        set_, recipe, clean = (Path(folder) / name for name in ("damaged.h5", "recipe.toml", "clean.h5"))
        copy.save(set_)
        recipe.write_text(Recipe(arguments.recipe).path.read_text().split("[cleaning]")[0] + CLEANING)
        app(["inspect", str(set_)], standalone_mode=False)
        app(["clean", str(recipe), "--data", str(set_), "--out", str(clean)], standalone_mode=False)
        print((clean.with_name("clean.dropped.csv")).read_text())
    print("\n".join(f"row {row}: {how}" for row, how in done.items()))


if __name__ == "__main__":
    main()
