"""Fuzz configurations: ``python tests/fuzz/configurations.py --n 100000 --seed 1``.

The input is random TOML, and installed configurations and recipes with random changes of keys, values, tables and
bytes. Each must be accepted, or refused with an AstroemuError. All are parsed and checked, and their prior and sampler
are built. One in ``--models`` also builds its probes. The seeds that failed are printed.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.emulation.recipe import Recipe
from astroemu.errors import AstroemuError
from astroemu.inference.configuration import load_configuration
from astroemu.runtime.plugins import CONFIGURATIONS

STRANGE: list[Any] = [
    0, -1, 1, 2**63, 10**30, 0.0, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, True, False, "", " ",
    "emcee", "auto", "nan", "../x.h5", "/dev/zero", "a\x00b", "é" * 50, "x" * 5000, [], [[]], {}, {"low": 1}, [1, "a"],
    {"plugin": 3}, [0.1] * 100,
]  # fmt: skip


def toml(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return text(value) if isinstance(value, str) else repr(value)


def text(value: str) -> str:
    """Return a string as TOML."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04X}" for c in value) + '"'


def places(table: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every key of nested tables and lists."""
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [p for key, value in items for p in [(*path, key), *places(value, (*path, key))]]


def mutated(source: dict[str, Any], rng: random.Random) -> str:
    """Return a document as TOML with one to four random changes."""
    document = copy.deepcopy(source)
    for _ in range(rng.randint(1, 4)):
        known = places(document)
        if not known:
            break
        *parents, last = rng.choice(known)
        holder: Any = document
        for key in parents:
            holder = holder[key]
        action = rng.randrange(5)
        if action == 0:
            del holder[last]
        elif action == 1 and isinstance(holder, dict):
            name = rng.choice([f"{last}x", str(last)[1:], "", "é", "a.b", str(last).upper()])
            holder[name] = holder.pop(last)
        elif action == 2:
            other: Any = document
            for key in rng.choice(known):
                try:
                    other = other[key]
                except (KeyError, IndexError, TypeError):
                    break
            holder[last] = copy.deepcopy(other)
        elif action == 3 and isinstance(holder[last], int | float):
            holder[last] = holder[last] * rng.choice([-1, 0, 1e-300, 10, 1e300])
        else:
            holder[last] = copy.deepcopy(rng.choice(STRANGE))
    return "\n".join(f"{text(key)} = {toml(value)}" for key, value in document.items())


def damaged(source: str, rng: random.Random) -> bytes:
    """Return a text with changed, missing, repeated or deeply nested parts."""
    content = bytearray(source.encode())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(content) + 1)
        action = rng.randrange(5)
        if action == 0:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif action == 1:
            del content[at : at + rng.randrange(40)]
        elif action == 2:
            content[at:at] = content[at : at + rng.randrange(80)]
        elif action == 3:
            content[at:at] = rng.choice([b"[", b"]", b"=", b'"""', b"\n", b"#", b"inf", b"1e999", b"\xff", b"\x00"])
        elif rng.random() < 0.1:
            content[at:at] = b"\nx = " + rng.choice([b"[" * 3000, b"9" * 6000, b"{a=" * 2000])
    return bytes(content)


def random_toml(rng: random.Random) -> str:
    """Return random tables under the names that a configuration knows."""
    names = ["parameters", "probes", "emulators", "samplers", "derived", "simulators", "seed", "title", "engine", "x"]
    return "\n".join(f"{name} = {toml(rng.choice(STRANGE))}" for name in rng.sample(names, rng.randint(0, 6)))


def content(seed: int, sources: list[tuple[str, dict[str, Any]]]) -> bytes:
    """Return the content of the file of a seed."""
    rng = random.Random(seed)
    source, document = rng.choice(sources)
    kind = rng.random()
    if kind < 0.6:
        return mutated(document, rng).encode()
    return damaged(source, rng) if kind < 0.9 else random_toml(rng).encode()


def read_sources() -> list[tuple[str, dict[str, Any]]]:
    """Return all installed configurations, as text and as tables."""
    texts = [Path(CONFIGURATIONS.load(name)).read_text(encoding="utf-8") for name in CONFIGURATIONS.names]
    return [(source, tomllib.loads(source)) for source in texts]


def outcome(path: Path, probes: bool) -> str:
    """Return ``accepted`` or ``refused``, or raise any other exception."""
    try:
        if b"[simulation]" in path.read_bytes() or b'"simulation" =' in path.read_bytes():
            prior = Recipe(path).prior()
        else:
            configuration = load_configuration(path)
            prior = configuration.prior()
            configuration.sampler()
            if probes:
                configuration.probes()
    except AstroemuError:
        return "refused"
    low, middle, high = prior.transform(np.repeat([[0.25], [0.5], [0.75]], len(prior.names), axis=1))
    assert np.isfinite([low, middle, high]).all() and np.all(low <= middle) and np.all(middle <= high), prior
    return "accepted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=int, default=100, help="build the probes of one in so many")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    options = parser.parse_args()
    sources, found, failed, slowest, start = read_sources(), Counter[str](), [], 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fuzzed.toml")
        for seed in range(options.seed, options.seed + options.n):
            path.write_bytes(content(seed, sources))
            began = time.monotonic()
            if began - start > options.seconds:
                break
            try:
                found[outcome(path, seed % options.models == 0)] += 1
            except Exception:
                failed.append(seed)
                found["FAILED"] += 1
                if len(failed) <= 20:
                    print(f"seed {seed}:\n{traceback.format_exc(limit=-3)}", flush=True)
            slowest = max(slowest, time.monotonic() - began)
    print(f"{sum(found.values())} configurations from seed {options.seed}: {dict(found)}; slowest {slowest:.2f} s")
    print(f"failed seeds: {failed[:100]}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
