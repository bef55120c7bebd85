"""Train the presets `talk` and `default` on the same data for the same time; draw docs/images/presets.png.

    pip install -e '.[21cmemu]'
    python docs/scripts/talk_against_default.py

The data are 32,768 points of 21cmEMU around the observed galaxies. The preset `talk` trains until it stops by itself.
The preset `default` gets as many epochs as fit into that time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet
from astroemu.report.style import ACCENT, COLOUR, style
from astroemu_plugins.emulators.neural import NeuralEmulator

RECIPE = """
[simulation]
simulator = "21cmemu"
n = 32768

[parameters]
log10_f_star10 = { distribution = "uniform", low = -2.0, high = -0.5 }
alpha_star = { distribution = "uniform", low = 0.0, high = 1.0 }
log10_f_esc10 = { distribution = "uniform", low = -3.0, high = 0.0 }
alpha_esc = { distribution = "uniform", low = -1.0, high = 0.5 }
log10_m_turn = { distribution = "uniform", low = 8.0, high = 10.0 }
t_star = { distribution = "uniform", low = 0.01, high = 1.0 }
log10_l_x = { distribution = "uniform", low = 38.0, high = 42.0 }
e_0_keV = { distribution = "uniform", low = 0.1, high = 1.5 }
alpha_x = { distribution = "uniform", low = -1.0, high = 3.0 }
"""
TRANSFORMS = {
    "delta21_sq": {"transform": "log10"},
    "x_hi": {"transform": "fraction"},
    "log10_uv_lf": {"transform": "asinh", "centre": -3.0, "scale": 2.0},
}
IMAGE = Path(__file__).parents[1] / "images" / "presets.png"


def trained(data: TrainingSet, name: str, **network) -> tuple[NeuralEmulator, float]:
    settings = {
        "transforms": {name: TRANSFORMS[name]},
        "log10_inputs": ["t_star", "e_0_keV"],
        "validation_points": 2048,
        "test_points": 4096,
        "networks": {"it": {"outputs": [name], **network}},
    }
    start = time.monotonic()
    emulator = NeuralEmulator.train(data, settings, seed=1, log=lambda _: None)
    return emulator, time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("training/presets_set.h5"))
    path = parser.parse_args().data
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        recipe = path.with_suffix(".toml")
        recipe.write_text(RECIPE)
        Recipe(recipe).simulate(path, workers=2)
    data = TrainingSet.load(path)
    print(f"{'':<14}{'preset':<10}{'epochs':>8}{'minutes':>9}{'median':>11}{'68 %':>11}{'95 %':>11}   absolute error")
    curves = {}
    for name in TRANSFORMS:
        talk, seconds = trained(data, name, preset="talk")
        # The time of an epoch, from a short run without its compilation.
        probe, _ = trained(data, name, epochs=4)
        stamps = np.array(probe.provenance["history"]["it"]["seconds"])
        epochs = max(int(seconds / np.median(np.diff(stamps))), 1)
        default, _ = trained(data, name, epochs=epochs)
        for preset, emulator in (("talk", talk), ("default", default)):
            history, found = emulator.provenance["history"]["it"], emulator.provenance["metrics"]["it"][name]
            figures = "".join(f"{found[f'absolute_{level}']:11.2e}" for level in ("median", "q68", "q95"))
            minutes = history["seconds"][-1] / 60
            print(f"{name:<14}{preset:<10}{len(history['loss']):>8}{minutes:>9.1f}{figures}", flush=True)
            curves[name, preset] = history
    draw(curves)


def draw(curves) -> None:
    with style() as pyplot:
        figure, axes = pyplot.subplots(1, len(TRANSFORMS), figsize=(4.0 * len(TRANSFORMS), 3.4))
        for axis, name in zip(axes, TRANSFORMS, strict=True):
            for preset, colour in (("talk", ACCENT), ("default", COLOUR)):
                history = curves[name, preset]
                axis.plot(np.array(history["seconds"]) / 60, history["validation"], color=colour, lw=1, label=preset)
            axis.set(title=name, xlabel="minutes", ylabel="validation loss", yscale="log")
        axes[0].legend(fontsize=8)
        figure.tight_layout()
        IMAGE.parent.mkdir(exist_ok=True)
        figure.savefig(IMAGE)


if __name__ == "__main__":
    main()
