"""Compare the speed of astroemu with that of other programs, all in this process.

    python benchmarks/peers.py [--out FILE.json]

* The default joint model with astroemu's engines is compared with 21cmEMU (py21cmemu, Breitman et al. 2024). The
  likelihoods of the latter are defined as in 21CMMC (Greig and Mesinger 2015). They use one call of the emulator per
  batch, then interpolation and error functions point by point.
* A network has the shape of CosmoPower's (Spurio Mancini et al. 2022): four layers of 512, 2507 outputs, random
  weights. It is evaluated by ``keras.Model.predict``, by CosmoPower's own NumPy formula, and by astroemu's layers.

Programs that are not installed are left out, with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from peer_21cmmc import MISSING, Peer21cmmc, installed

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.model.benchmark import bench_model
from astroemu.report.benchmark import benchmark_table
from astroemu_plugins.networks.layers import DenseLayers

BATCHES = (1, 1000)
PEER = "21cmEMU, 21CMMC's way"


def main() -> None:
    """Measure and print the times; write them if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    if out is not None and out.exists():
        parser.error(f"{out} exists; choose another name")
    model = astroemu.load_model("reionization")
    peak, rows = bench_model(model, BATCHES, ("numpy", "keras"))
    print("\n".join(benchmark_table(peak, rows)))
    ours = {(row.engine, row.batch): row.microseconds for row in rows}
    found: dict[str, dict[str, float]] = {}
    for batch in BATCHES:
        group = {engine: time for (engine, n), time in ours.items() if n == batch}
        if installed():
            group[PEER] = timed(joint_peer(model, batch)) / batch
        found[f"joint likelihood, {batch}"] = group
        found[f"CosmoPower's shape, {batch}"] = {
            name: timed(function) / batch for name, function in cosmopower_shaped(batch).items()
        }
    for title, group in found.items():
        best = min(time for name, time in group.items() if name in ("numpy", "astroemu, NumPy"))
        print(f"\n{title} point(s): microseconds a point, and over astroemu's numpy engine")
        for name, microseconds in group.items():
            print(f"  {name:24s} {microseconds:12.2f} {microseconds / best:9.2f}")
    if not installed():
        print(f"\n{MISSING}")
    if out is not None:
        out.write_text(json.dumps({"timings": [row.to_json() for row in rows], "peers": found}, indent=1))
        print(f"Written: {out}")


def timed(function: Callable[[], Any], seconds: float = 3.0) -> float:
    """Return the median time of a call in microseconds."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1e6 * float(np.median(times))


def joint_peer(model: astroemu.Model, batch: int) -> Callable[[], Any]:
    """Return a function for the default model's four likelihoods with 21cmEMU, point by point as in 21CMMC."""
    peer = Peer21cmmc(model)
    theta = model.prior.sample(batch, np.random.default_rng(1))
    return lambda: peer.log_likelihood(theta)


def cosmopower_shaped(batch: int) -> dict[str, Callable[[], Any]]:
    """Return three ways to compute 2507 multipoles from six parameters, by name."""
    rng = np.random.default_rng(2)
    widths = (6, 512, 512, 512, 512, 2507)
    kernels = tuple(rng.normal(0, a**-0.5, (a, b)).astype("f4") for a, b in pairwise(widths))
    biases = tuple(np.zeros(b, "f4") for b in widths[1:])
    shapes = tuple(rng.normal(size=(2, b)).astype("f4") for b in widths[1:-1])
    x = rng.normal(size=(batch, 6))
    forward = DenseLayers("alsing", False, kernels, biases, shapes).forward(np.arange(2507))

    def formula() -> Any:
        h = x.astype("f4")
        for kernel, bias, (alpha, beta) in zip(kernels[:-1], biases[:-1], shapes, strict=True):
            u = np.dot(h, kernel) + bias
            h = (beta + (1.0 - beta) / (1.0 + np.exp(-alpha * u))) * u
        return np.dot(h, kernels[-1]) + biases[-1]

    ways: dict[str, Callable[[], Any]] = {"astroemu, NumPy": lambda: forward(x, NUMPY), "CosmoPower's NumPy": formula}
    if find_spec("keras") and find_spec("tensorflow"):
        import keras

        layers = [keras.layers.Dense(width, activation="silu") for width in widths[1:-1]]
        network = keras.Sequential([keras.layers.Input((6,)), *layers, keras.layers.Dense(2507)])
        ways["keras predict"] = lambda: network.predict(x, batch_size=1000, verbose=0)
    return ways


if __name__ == "__main__":
    main()
