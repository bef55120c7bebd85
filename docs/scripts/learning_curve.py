"""Train a recipe on an increasing number of its points, and draw docs/images/learning_curve.png.

    astroemu simulate train_park19 --out training/park19_set.h5
    python docs/scripts/learning_curve.py train_park19 training/park19_set.h5

    python docs/scripts/learning_curve.py training/part.toml training/mcg_part.h5 --image docs/images/learning_mcg.png

The test points are the same for every training. The last column is the CPU time. More simulations are useful if a curve
is steeper than the dashed line, which is 1/sqrt(n).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet
from astroemu.report.style import style
from astroemu_plugins.training.settings import Settings

IMAGE = Path(__file__).parents[1] / "images" / "learning_curve.png"
STEPS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("data", type=Path)
    parser.add_argument("--image", type=Path, default=IMAGE)
    given = parser.parse_args()
    data, workshop = TrainingSet.load(given.data), Recipe(given.recipe)
    training = dict(workshop.document.training or {})
    settings = Settings(**training)
    most = len(data) - settings.validation_points - settings.test_points
    errors: dict[str, list[float]] = {}
    points = [most >> k for k in reversed(range(STEPS))]
    for n in points:
        begin = time.process_time()
        workshop.document = workshop.document.model_copy(update={"training": {**training, "train_points": n}})
        metrics = workshop.train(data, log=lambda _: None).provenance["metrics"]
        for network in metrics.values():
            for name in network.keys() & data.observables.keys():
                errors.setdefault(name, []).append(network[name]["absolute_q95"])
        row = "  ".join(f"{name} {found[-1]:.2e}" for name, found in errors.items())
        print(f"{n:>8} points  {row}  {(time.process_time() - begin) / 60:.1f} min", flush=True)
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
        figure.savefig(given.image)


if __name__ == "__main__":
    main()
