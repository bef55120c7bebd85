"""Train a recipe on an increasing number of its points, and draw docs/images/learning_curve.png.

    astroemu simulate train_park19 --out training/park19_set.h5
    python docs/scripts/learning_curve.py train_park19 training/park19_set.h5

The test points are the same for every training. More simulations are useful if a curve is steeper than the dashed
line, which is 1/sqrt(n).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet
from astroemu.report.style import style

IMAGE = Path(__file__).parents[1] / "images" / "learning_curve.png"
STEPS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    data, workshop = TrainingSet.load(given.data), Recipe(given.recipe)
    training = dict(workshop.recipe.training or {})
    most = len(data) - training["validation_points"] - training["test_points"]
    errors: dict[str, list[float]] = {}
    points = [most >> k for k in reversed(range(STEPS))]
    for n in points:
        workshop.recipe = workshop.recipe.model_copy(update={"training": {**training, "train_points": n}})
        metrics = workshop.train(data, log=lambda _: None).provenance["metrics"]
        for network in metrics.values():
            for name in network.keys() & data.observables.keys():
                errors.setdefault(name, []).append(network[name]["absolute_q95"])
        print(f"{n:>8} points  " + "  ".join(f"{name} {found[-1]:.2e}" for name, found in errors.items()), flush=True)
    with style() as pyplot:
        figure, axis = pyplot.subplots(figsize=(4.5, 3.4))
        for name, found in errors.items():
            axis.plot(points, np.array(found) / found[0], marker="o", ms=3, label=name)
        axis.plot(points, np.sqrt(points[0] / np.array(points)), ls="--", color="grey", lw=0.8)
        axis.set(xscale="log", yscale="log", xlabel="training points", ylabel="95 % error, first = 1")
        axis.set_xticks(points, [str(n) for n in points])
        axis.set_xticks([], minor=True)
        axis.legend(fontsize=8)
        figure.tight_layout()
        figure.savefig(IMAGE)


if __name__ == "__main__":
    main()
