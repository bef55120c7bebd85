"""Fuzz files: ``python tests/fuzz/files.py --n 20000 --seed 1``.

The input is small valid training sets, samples, emulators and ECSV catalogs with random damage. Bytes are flipped or
missing. Arrays have other shapes, types and filters, or huge declared sizes. Texts are shared or state other lengths.
Parts are missing, attributes are strange, and groups are nested or linked. Headers hold other YAML. Each file must be
read, or refused with an AstroemuError, in bounded memory. The reader runs in a child process, so that a crash of the
HDF5 library is counted too. The seeds that failed are printed.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import AstroemuError
from astroemu.sampling.samples import Samples

#: Address space that a reader may use in addition, in bytes, and processor seconds for one file.
MEMORY, PATIENCE = 1 << 30, 8.0
ECSV = """# %ECSV 1.0
# ---
# datatype:
# - {name: z, datatype: float64, description: redshift}
# - {name: x, unit: Mpc, datatype: float64}
# - {name: source, datatype: string}
# meta: !!omap
# - {origin: made}
# schema: astropy-2.0
z x source
5.0 1.0 a
6.0 2.0 b
"""


def make(folder: Path) -> dict[str, Path]:
    """Write one valid file of each kind and return their paths."""
    from astroemu_plugins.emulators.polynomial import PolynomialEmulator

    rng = np.random.default_rng(0)
    axis = Axis("z", np.linspace(5.0, 9.0, 6))
    observables = {"line": Observable("line", (axis,)), "number": Observable("number")}
    theta = rng.uniform(1.0, 2.0, (60, 2))
    values = {"line": theta[:, :1] * axis.values, "number": theta.sum(axis=1)}
    box = {name: {"low": 1.0, "high": 2.0} for name in "ab"}
    data = TrainingSet(
        ("a", "b"), theta, observables, {k: v.astype(np.float32) for k, v in values.items()}, {"parameters": box}
    )
    paths = {kind: folder / f"{kind}.h5" for kind in ("training", "samples", "emulator")}
    data.save(paths["training"])
    one = rng.normal(size=50)
    Samples(("a", "b"), rng.normal(size=(50, 2)), one, one, one, "emcee", 50.0, True, "made", 100).save(
        paths["samples"]
    )
    PolynomialEmulator.train(data, PolynomialEmulator.trial, seed=1, log=lambda *_: None).save(paths["emulator"])
    paths["ecsv"] = folder / "catalog.ecsv"
    paths["ecsv"].write_text(ECSV)
    return paths


def flip(path: Path, rng: random.Random) -> None:
    """Change, remove or repeat bytes of a file."""
    content = bytearray(path.read_bytes())
    action = rng.randrange(4)
    if action == 0:
        del content[rng.randrange(len(content)) :]
    elif action == 1:
        at = rng.randrange(len(content))
        content[at:at] = content[at : at + rng.randrange(500)]
    else:
        # The structure of such a small file is at its beginning, so half of the changes are made there.
        head = len(content) if rng.random() < 0.5 else min(2048, len(content))
        for _ in range(rng.choice([1, 1, 2, 8, 64])):
            content[rng.randrange(head)] = rng.choice([rng.randrange(256), 0, 255])
    path.write_bytes(content)


def restructure(path: Path, rng: random.Random) -> None:
    """Change one object of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        _CHANGES[rng.randrange(len(_CHANGES))](file, name, rng)


def _remove(file: Any, name: str, rng: random.Random) -> None:
    del file[name]


def _reshape(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    shape = rng.choice([(), (0,), (1,), (3, 3), (50,), (60,), (50, 2), (60, 2), (2, 3, 4, 5)])
    kind = rng.choice(["f8", "f4", "i8", "u1", "c16", "S5", "?", "f2"])
    file[name] = np.zeros(shape, dtype=kind)


def _huge(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    shape = rng.choice([(1 << 40,), (1 << 20, 1 << 20), (1 << 33, 2), (60, 1 << 38)])
    file.create_dataset(name, shape=shape, dtype="f8", chunks=rng.choice([None, True]), fillvalue=0.0)


def _not_finite(file: Any, name: str, rng: random.Random) -> None:
    if isinstance(file[name], h5py.Dataset) and file[name].dtype.kind == "f" and file[name].size:
        file[name][...] = rng.choice([math.nan, math.inf, -math.inf, 1e308])


def _attribute(file: Any, name: str, rng: random.Random) -> None:
    item = rng.choice([file, file[name]])
    key = rng.choice([*item.attrs, "format", "strange"])
    deep = "[" * 10_000 + "]" * 10_000
    strange = [-1, 10**18, math.nan, "", "{}", "[]", "null", deep, b"\xff", np.zeros((3, 3)), "[1, 2]", h5py.Empty("f")]
    item.attrs[key] = rng.choice(strange)


def _link(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    links = [h5py.SoftLink("/theta"), h5py.SoftLink("/" + name), h5py.ExternalLink("/etc/hostname", "/")]
    file[name] = rng.choice(links)


def _loop(file: Any, name: str, rng: random.Random) -> None:
    file.create_group(f"loop{rng.random()}")["again"] = file["/"]


def _deep(file: Any, name: str, rng: random.Random) -> None:
    file.create_group("/".join("g" * rng.choice([5, 40, 400])))


def _text(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    file[name] = rng.choice(["", "{", "[]", "{}", "null", "[" * 50_000, '{"low": NaN}', "1e999"])


def _chunked(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    chunk = rng.choice([1, 60, 1 << 20, 1 << 27])
    filters = rng.choice([{}, {"compression": "gzip"}, {"compression": "lzf", "shuffle": True}, {"scaleoffset": 2}])
    file.create_dataset(
        name, shape=(60,), maxshape=(None,), dtype=rng.choice(["f8", ">f4", "i8"]), chunks=(chunk,), **filters
    )


def _typed(file: Any, name: str, rng: random.Random) -> None:
    del file[name]
    kinds = ["f8,i4", "V8", ">f8", "S1000", h5py.ref_dtype, h5py.vlen_dtype("f8"), h5py.enum_dtype({"x": 1}), "(3,)f8"]
    file.create_dataset(name, shape=rng.choice([(), (60,), (50, 2)]), dtype=rng.choice(kinds))


def _texts(file: Any, name: str, rng: random.Random) -> None:
    """Many texts, which :func:`shared` makes one and the same."""
    del file[name]
    file.create_dataset(name, shape=(rng.choice([100, 20_000]),), dtype=h5py.string_dtype())
    file[name][0] = "a" * rng.choice([1, 1000, 100_000])
    item = rng.choice([file, file[name]])
    item.attrs.create("names", ["b" * rng.choice([1, 50_000])] * 3, dtype=h5py.string_dtype())


_CHANGES = (
    _remove, _reshape, _huge, _not_finite, _attribute, _link, _loop, _deep, _text, _chunked, _typed, _texts
)  # fmt: skip


def shared(path: Path, rng: random.Random) -> None:
    """Let references to texts point to other texts, state other lengths, or repeat."""
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL")
    places = []
    at = content.find(heap.to_bytes(8, "little"))
    while at >= 4:
        places.append(at - 4)
        at = content.find(heap.to_bytes(8, "little"), at + 1)
    for _ in range(rng.randint(1, 3) if places else 0):
        place = rng.choice(places)
        action = rng.randrange(3)
        if action == 0:
            content[place : place + 4] = rng.choice([0, 1, 1 << 20, (1 << 31) - 1, (1 << 32) - 1]).to_bytes(4, "little")
        elif action == 1:
            content[place + 12 : place + 16] = rng.choice([0, 1, 2, 3, 65535]).to_bytes(4, "little")
        else:
            number = rng.choice([2, 100, 5000])
            content[place : place + 16 * number] = content[place : place + 16] * number
    path.write_bytes(content)


#: Texts for the header of an ECSV table: what its YAML may hold beside plain values, or in place of them.
_YAML = (
    "!numpy.ndarray {buffer: !!binary QUJD, dtype: object, order: C, shape: !!python/tuple [1]}", "&a [1]", "*a",
    "!!python/name:os.system ''", "!astropy.units.Unit {unit: m}", "!!omap [a: 1]", "!!str 1", "{<<: {a: 1}}",
    "2020-01-01", "object", "float64", "string", "complex64", "int8", "U9", "1e999", "{", "[" * 50, "? x", "''", "~",
    "- - - 1", "'a: b'", "{__serialized_columns__: {x: {__class__: astropy.time.Time}}}", "null", "!!set {a}",
    "!<!x> 1", "z", "x", "Mpc",
)  # fmt: skip


def rewrite_header(path: Path, rng: random.Random) -> None:
    """Replace values in the header of an ECSV table, or add lines to it."""
    lines = path.read_text().splitlines()
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(2, 9)
        before, colon, _ = lines[number].rpartition(": ")
        action = rng.randrange(3)
        if action == 0:
            lines[number] = f"{before}{colon}{rng.choice(_YAML)}" + rng.choice(["", "}"])
        elif action == 1:
            lines.insert(
                number, f"# {rng.choice(['delimiter', 'meta', 'datatype', 'subtype', 'x'])}: {rng.choice(_YAML)}"
            )
        else:
            at = rng.randrange(len(lines[number]) + 1)
            lines[number] = lines[number][:at] + rng.choice(_YAML) + lines[number][at:]
    path.write_text("\n".join(lines) + "\n")


def damage(seed: int, sources: dict[str, Path], folder: Path) -> tuple[str, Path]:
    """Write the file of a seed and return its kind and path."""
    rng = random.Random(seed)
    kind = rng.choice([*sources, "samples", "training", "emulator"])
    path = folder / f"fuzzed{sources[kind].suffix}"
    shutil.copyfile(sources[kind], path)
    action = rng.random()
    if kind == "ecsv":
        rewrite_header(path, rng) if action < 0.6 else flip(path, rng)
    elif action < 0.5:
        flip(path, rng)
    else:
        restructure(path, rng)
        if action > 0.85:
            shared(path, rng)
    return kind, path


def read(kind: str, path: Path) -> str:
    """Return ``read`` or ``refused``, or raise any other exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "training":
                TrainingSet.load(path)
            elif kind == "samples":
                Samples.load(path)
            elif kind == "ecsv":
                Catalog(path.name, path).table({"z": "", "x": "Mpc"})
            else:
                emulator = load_emulator(path)
                middle = np.array([[0.5 * sum(emulator.bounds[name]) for name in emulator.parameters]])
                emulator.predict(middle)
    except AstroemuError:
        return "refused"
    return "read"


def _work(folder: str, first: int, last: int, pipe: Any) -> None:
    """Read the files of some seeds and send the outcome of each."""
    warnings.simplefilter("ignore")
    sources = make(Path(folder))
    for kind, path in sources.items():  # what the readers import is not to be counted
        read(kind, path)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for seed in range(first, last):
        kind, path = damage(seed, sources, Path(folder))
        pipe.send((seed, "begun", kind))
        try:
            pipe.send((seed, read(kind, path), ""))
        except Exception:
            pipe.send((seed, "FAILED", traceback.format_exc(limit=-3)))
    pipe.send((last, "end", ""))


def _seconds(process: int) -> float:
    """Return the processor time of a process [s]."""
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _answers(pipe: Any, process: int) -> bool:
    """Wait for a message; return False after :data:`PATIENCE` of processor time, or ten minutes, without one."""
    spent, began = _seconds(process), time.monotonic()
    while not pipe.poll(0.5):
        if _seconds(process) - spent > PATIENCE or time.monotonic() - began > 600:
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    options = parser.parse_args()
    found, failed, start = Counter[str](), [], time.monotonic()
    seed, last = options.seed, options.seed + options.n
    while seed < last and time.monotonic() - start < options.seconds:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            worker = multiprocessing.Process(target=_work, args=(folder, seed, last, theirs))
            worker.start()
            theirs.close()
            while time.monotonic() - start < options.seconds:
                try:
                    if not _answers(ours, worker.pid):
                        raise EOFError
                    number, what, detail = ours.recv()
                except EOFError:
                    print(f"seed {seed}: the reader {'hung' if worker.is_alive() else 'crashed'}", flush=True)
                    failed.append(seed)
                    found["HUNG" if worker.is_alive() else "CRASHED"] += 1
                    seed += 1
                    break
                seed = number
                if what == "end":
                    break
                if what != "begun":
                    found[what] += 1
                    seed += 1
                if what == "FAILED":
                    failed.append(number)
                    if len(failed) <= 20:
                        print(f"seed {number}:\n{detail}", flush=True)
            worker.kill()
            worker.join()
    print(f"{sum(found.values())} damaged files from seed {options.seed}: {dict(found)}")
    print(f"failed seeds: {failed[:100]}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
