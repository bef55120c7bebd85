"""Compare the posterior of `reionization_cmb` with that of its simulator of galaxies, by importance weights.

    astroemu fit reionization_cmb --out RUN
    python docs/scripts/park19_in_the_joint_fit.py RUN

Draws of the posterior are weighted by the ratio of the likelihoods of `reionization_cmb_direct` and of the run. The
table has the change of each mean in units of its standard deviation. The sampling error of a change is about
sqrt(1 / effective - 1 / draws).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import astroemu
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess, systematic_resampling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    given = parser.parse_args()
    samples = Samples.load(given.run / "samples.h5")
    chosen = systematic_resampling(np.exp(samples.log_weight), given.n)
    theta = np.array(samples.theta[chosen])
    values = {}
    for name in ("reionization_cmb", "reionization_cmb_direct"):
        model = astroemu.load_model(name)
        values[name] = model.log_likelihood(theta[:, [samples.names.index(p) for p in model.names]])
    log_ratio = values["reionization_cmb_direct"] - values["reionization_cmb"]
    weight = np.exp(log_ratio - log_ratio.max())
    weight /= weight.sum()
    print(f"{given.n} draws, {kish_ess(np.log(weight)):.0f} effective after the weights")
    print(f"ln L, direct - emulated: mean {log_ratio.mean():+.3f}, standard deviation {log_ratio.std():.3f}")
    print("| parameter | change of the mean [sigma] | ratio of the widths |\n|---|---|---|")
    for column, name in enumerate(samples.names):
        x = theta[:, column]
        mean = weight @ x
        width = np.sqrt(weight @ (x - mean) ** 2)
        print(f"| `{name}` | {(mean - x.mean()) / x.std():+.3f} | {width / x.std():.3f} |")


if __name__ == "__main__":
    main()
