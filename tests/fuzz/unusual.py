"""Fuzz by files that are legitimate but unusual: ``python tests/fuzz/unusual.py --n 5000 --seed 1``.

Each file says the same as a plain one in another form. Configurations have other spellings of keys, tables and numbers.
ECSV tables have another order, delimiter, type or unit. HDF5 files have other types, byte orders, filters, packings and
attributes. The result must equal that of the plain file. The seeds that failed are printed.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
import tomllib
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from astroemu.core.catalog import Catalog
from astroemu.core.columns import NumberColumn, TextColumn
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.inference.configuration import load_configuration
from astroemu.runtime.plugins import CONFIGURATIONS
from astroemu.sampling.samples import Samples


def spelt(value: Any, rng: random.Random) -> str:
    """Return a value in TOML in one of its spellings."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value, rng)
    if isinstance(value, int):
        forms = [
            repr(value),
            f"{value:_}",
            f"+{value}" if value >= 0 else repr(value),
            hex(value) if value >= 0 else "",
        ]
        return rng.choice([form for form in forms if form])
    if isinstance(value, float):
        return _float(value, rng)
    if isinstance(value, list):
        items = [spelt(item, rng) for item in value]
        if rng.random() < 0.3:
            return "[ # a list\n" + "".join(f"  {item} ,\n" for item in items) + "]"
        return "[" + rng.choice([", ", ",", " , "]).join(items) + "]"
    blank = rng.choice(["", " "])
    return f"{{{blank}{', '.join(f'{_key(k, rng)} = {spelt(v, rng)}' for k, v in value.items())}{blank}}}"


def _text(value: str, rng: random.Random) -> str:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in value)
    forms = [f'"{escaped}"', f'"""{escaped}"""', f'"""\n{escaped}"""', f'"""\\\n   {escaped}"""']
    if value.isprintable() and "'" not in value:
        forms += [f"'{value}'", f"'''\n{value}'''"]
    return rng.choice(forms[:3] if value.startswith(" ") else forms)


def _float(value: float, rng: random.Random) -> str:
    if not math.isfinite(value):
        return repr(value)
    forms = [repr(value), f"{value:.17e}", f"{value:.17E}", f"+{value!r}" if value >= 0 else repr(value)]
    if value == int(value) and abs(value) < 1e15:
        forms.append(repr(int(value)))
    return rng.choice(forms)


def _key(key: str, rng: random.Random) -> str:
    forms = [f'"{key}"', f"'{key}'"]
    if key.isascii() and key.replace("_", "").replace("-", "").isalnum():
        forms.append(key)
    return rng.choice(forms)


def respelt(document: dict[str, Any], rng: random.Random) -> bytes:
    """Return a document as TOML in one of its many spellings, as bytes."""
    lines = list(_lines(document, (), rng))
    out = []
    for line in lines:
        out.append(line + (rng.choice(["", "  # [x.y = ", "\t"]) if "\n" not in line else ""))
        out += [""] * (rng.random() < 0.1) + ["# 'a' \"comment"] * (rng.random() < 0.1)
    text = rng.choice(["\n", "\n", "\r\n"]).join(out) + rng.choice(["", "\n"])
    return rng.choice([b"", b"", b"\xef\xbb\xbf"]) + text.encode()


def _lines(table: dict[str, Any], path: tuple[str, ...], rng: random.Random) -> Iterator[str]:
    later = []
    for key, value in table.items():
        name = _key(key, rng)
        if isinstance(value, dict) and rng.random() < 0.6:
            later.append((key, value))
        elif isinstance(value, dict) and value and rng.random() < 0.5:
            for inner, item in value.items():
                yield f"{name}{rng.choice(['.', ' . '])}{_key(inner, rng)} = {spelt(item, rng)}"
        else:
            yield f"{name}{rng.choice([' = ', '=', '  =  '])}{spelt(value, rng)}"
    rng.shuffle(later) if path else None
    for key, value in later:
        inside = (*path, key)
        yield f"[{rng.choice(['.', ' . ']).join(_key(part, rng) for part in inside)}]"
        yield from _lines(value, inside, rng)


def check_configuration(seed: int, folder: Path, sources: list[tuple[Path, dict[str, Any]]]) -> None:
    """Write a configuration in another spelling, and compare what is read with the plain one."""
    rng = random.Random(seed)
    source, document = rng.choice(sources)
    path = folder / source.name
    path.write_bytes(respelt(document, rng))
    plain, found = load_configuration(source), load_configuration(path)
    assert found.raw == plain.raw and found.document == plain.document
    u = np.full((1, len(plain.document.parameters)), 0.3)
    order = [found.prior().names.index(name) for name in plain.prior().names]
    np.testing.assert_array_equal(found.prior().transform(u)[:, order], plain.prior().transform(u))


def read_sources() -> list[tuple[Path, dict[str, Any]]]:
    """Return the installed configurations of fits, as paths and as tables."""
    paths = [Path(CONFIGURATIONS.load(name)) for name in CONFIGURATIONS.names]
    found = [(path, tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths]
    return [(path, document) for path, document in found if "simulation" not in document and "probes" in document]


#: A table: numbers that all types hold exactly, a length, an optional number and a text.
ROWS = [(5.0, 1.0, 0.25, "a"), (6.0, 2.0, math.nan, "b c"), (8.0, -4.0, 2.0, "é"), (10.0, 16.0, 0.5, "d,e")]
COLUMNS = {
    "z": NumberColumn(),
    "x": NumberColumn("Mpc"),
    "y": NumberColumn(needed=False),
    "source": TextColumn(),
}


def unusual_table(rng: random.Random) -> bytes:
    """Return :data:`ROWS` as an ECSV table in an unusual form."""
    unit, factor = rng.choice([("Mpc", 1.0), ("kpc", 1000.0), ("Gpc", 1 / 1024 * 1.024), ("1e3 kpc", 1.0)])
    kinds = {"z": ["float64", "float32", "int64", "uint8"], "x": ["float64", "float32"], "y": ["float64", "float32"]}
    if unit == "Mpc":
        kinds["x"] += ["int16", "float16"]
    types = {name: rng.choice(kind) for name, kind in kinds.items()} | {"source": "string", "other": "bool"}
    comma = rng.random() < 0.5
    names = [*types]
    rng.shuffle(names)
    header = ["%ECSV " + rng.choice(["0.9", "1.0"]), "---"] + ["delimiter: ','"] * comma + ["datatype:"]
    for name in names:
        parts = [f"name: {name}", f"datatype: {types[name]}"] + [f"unit: {unit}"] * (name == "x")
        parts += ["description: 'a: [b] {c} # d'"] * (rng.random() < 0.3) + ["format: '%.2f'"] * (rng.random() < 0.2)
        rng.shuffle(parts)
        split = rng.random() < 0.3
        header += [f"- {parts[0]}", *(f"  {part}" for part in parts[1:])] if split else [f"- {{{', '.join(parts)}}}"]
    header += rng.choice([[], ["meta: !!omap", "- {origin: made}", "- deep: {a: [1, 2]}"], ["meta: {a: 1.5}"]])
    lines = [f"{rng.choice(['# ', '#'])}{line}" if line[0] != " " else f"# {line}" for line in header]
    delimiter = "," if comma else rng.choice([" ", " ", "   "])
    lines.append(delimiter.join(names))
    for z, x, y, source in ROWS:
        cells = {"z": _number(z, types["z"], rng), "x": _number(x * factor, types["x"], rng), "other": "True"}
        cells["y"] = _number(y, types["y"], rng) if y == y else rng.choice(['""', "nan", "NaN"])
        cells["source"] = f'"{source}"'
        lines += ["# a remark, in between"] * (rng.random() < 0.2) + [""] * (rng.random() < 0.1)
        lines.append(delimiter.join(cells[name] for name in names))
    text = rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n", "\n\n"])
    return rng.choice([b"", b"\xef\xbb\xbf"]) + text.encode()


def _number(value: float, kind: str, rng: random.Random) -> str:
    if "int" in kind:
        return rng.choice(["{:d}", '"{:d}"']).format(int(value))
    forms = [repr(value), f"{value:.12e}", f"{value:.12E}", f"{value:.12f}"]
    if kind == "float64":
        forms.append(f"{value:.12E}".replace("E", "D"))  # Fortran's exponent
    return rng.choice(forms)


def check_table(seed: int, folder: Path) -> None:
    """Write a table in an unusual form, and compare what is read with the numbers that went in."""
    rng = random.Random(seed)
    path = folder / "unusual.ecsv"
    path.write_bytes(unusual_table(rng))
    table = Catalog("unusual", path).table(COLUMNS)
    for name, expected in zip(COLUMNS, zip(*ROWS, strict=True), strict=True):
        if name == "source":
            assert list(table[name]) == list(expected)
        else:
            np.testing.assert_allclose(np.asarray(table[name]), expected, rtol=1e-6 if name == "x" else 0)


def _stored(values: np.ndarray[Any, Any], rng: random.Random, kinds: list[str]) -> dict[str, Any]:
    """Return keywords for a dataset with these values: their type, chunks and filters."""
    kind = rng.choice([kind for kind in kinds if np.array_equal(values.astype(kind).astype(float), values)])
    storage: dict[str, Any] = {}
    if values.ndim and rng.random() < 0.6:
        storage["chunks"] = tuple(rng.randint(1, length) for length in values.shape)
        storage |= rng.choice(
            [{}, {"compression": "gzip", "compression_opts": rng.randint(1, 9)}, {"compression": "lzf"}]
        )
        storage |= {"shuffle": rng.random() < 0.5, "fletcher32": rng.random() < 0.5}
        if rng.random() < 0.3:
            storage["maxshape"] = (None,) * values.ndim
    return {"data": values.astype(kind), **storage}


FLOATS = ["<f8", ">f8", "<f4", ">f4", "<i8", ">i4", "<i2", "<u2"]


def unusual_spectra(path: Path, rng: random.Random) -> None:
    """Write :func:`spectra` in an unusual form: other types, filters, units, packings and marks of missing values."""
    units = {
        "k": [("1/Mpc", 1.0), ("Mpc^-1", 1.0), ("Mpc-1", 1.0), ("1/kpc", 1e-3), ("", 1.0)],
        "delta2": [("mK2", 1.0), ("mK^2", 1.0), ("K^2", 1e-6), ("mK**2", 1.0), ("", 1.0)],
        "variance": [("mK4", 1.0), ("mK^4", 1.0), ("", 1.0)],
        "k_window": [("1/Mpc", 1.0), ("", 1.0)],
        "window": [("", 1.0)],
    }
    with h5py.File(
        path, "w", **rng.choice([{}, {"libver": "latest"}, {"userblock_size": 512}, {"track_order": True}])
    ) as file:
        if rng.random() < 0.3:
            file["notes"] = rng.choice(["text", [1, 2, 3], np.array([b"ab"])])
            file.attrs["history"] = "made by hand é"
        group = file.create_group("band1/field_A")
        redshift = rng.choice([8.0, 8, np.float32(8.0), np.array([8.0]), np.int16(8)])
        file["band1"].attrs["redshift"] = redshift
        names = [*spectra()]
        rng.shuffle(names)
        for name in names:
            unit, factor = rng.choice(units[name])
            values = spectra()[name] * factor
            attributes: dict[str, Any] = {}
            if rng.random() < 0.3:
                scale, offset = rng.choice([0.5, 2.0]), rng.choice([0.0, 1.0, -0.5])
                values = (values - offset) / scale
                attributes |= {"scale_factor": rng.choice([scale, np.float32(scale), np.array([scale])])}
                attributes |= {"add_offset": offset} if offset or rng.random() < 0.5 else {}
            exact = _stored(values, rng, FLOATS)
            if rng.random() < 0.3:
                attributes[rng.choice(["_FillValue", "missing_value"])] = exact["data"].dtype.type(99)
            if unit:
                written = rng.choice([unit, np.bytes_(unit), np.array([unit.encode()]), f" {unit} "])
                attributes[rng.choice(["units", "units", "unit"])] = written
            dataset = group.create_dataset(name, **exact)
            dataset.attrs.update(attributes)
            if rng.random() < 0.3:
                dataset.attrs["long_name"] = rng.choice(["x", np.bytes_("x"), np.zeros(3), 5])


def spectra() -> dict[str, np.ndarray[Any, Any]]:
    """Return the datasets of one field, of numbers that float32 holds exactly."""
    k = np.array([0.25, 0.5, 1.0])
    return {
        "k": k,
        "delta2": np.array([512.0, 1024.0, 2048.0]),
        "variance": np.array([256.0, 1024.0, 4096.0]),
        "k_window": np.array([0.25, 0.5, 0.75, 1.0]),
        "window": np.array([[1.0, 0, 0, 0], [0.0, 0.5, 0.5, 0], [0, 0, 0.25, 0.75]]),
    }


def check_spectra(seed: int, folder: Path) -> None:
    """Write spectra in an unusual form, and compare what the probe reads with the numbers that went in."""
    from astroemu_probes.spectra_21cm import read_fields

    rng = random.Random(seed)
    path = folder / "unusual.h5"
    unusual_spectra(path, rng)
    (found,) = read_fields(Catalog("unusual", path))
    expected = spectra()
    assert found.redshift == 8.0
    for name in ("k", "delta2", "k_window", "window"):
        np.testing.assert_allclose(getattr(found, name), expected[name], rtol=1e-12, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(np.diag(found.covariance), expected["variance"], rtol=1e-12)


def rewritten(source: Path, target: Path, rng: random.Random, numbers: Callable[[str], bool]) -> None:
    """Copy an HDF5 file, with some arrays of numbers in another type, byte order, or with filters."""
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for name in names:
            if isinstance(file[name], h5py.Dataset) and numbers(name) and rng.random() < 0.7:
                values, attributes = file[name][()].astype(float), dict(file[name].attrs)
                del file[name]
                file.create_dataset(name, **_stored(values, rng, FLOATS)).attrs.update(attributes)
        if rng.random() < 0.3:
            file.attrs["remark"] = "by hand"


def make(folder: Path) -> dict[str, Path]:
    """Write plain samples and a plain training set, of numbers that float32 holds exactly, and return their paths."""
    rng = np.random.default_rng(0)
    theta = rng.integers(-50, 50, (40, 2)) / 8
    one = rng.integers(-50, 0, 40) / 4
    paths = {"samples": folder / "samples.h5", "training": folder / "training.h5"}
    Samples(("a", "b"), theta, one, one, one, "emcee", 50.0, True, "made", 100, log_birth=one - 1).save(
        paths["samples"]
    )
    axis = Axis("z", np.arange(5.0))
    observables = {"line": Observable("line", (axis,), "mK"), "number": Observable("number")}
    values = {"line": theta[:, :1] * axis.values, "number": theta.sum(axis=1)}
    TrainingSet(("a", "b"), theta, observables, values, {"seed": 1}).save(paths["training"])
    return paths


def check_rewritten(seed: int, folder: Path, plain: dict[str, Path]) -> None:
    """Write samples or a training set in another form, and compare with the plain file."""
    rng = random.Random(seed)
    kind = rng.choice(sorted(plain))
    path = folder / "rewritten.h5"
    rewritten(plain[kind], path, rng, lambda name: name != "metadata")
    if kind == "samples":
        before, after = Samples.load(plain[kind]), Samples.load(path)
        for name in ("theta", "log_likelihood", "log_prior", "log_weight", "log_birth"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert (after.names, after.ess, after.reason) == (before.names, before.ess, before.reason)
    else:
        first, second = TrainingSet.load(plain[kind]), TrainingSet.load(path)
        np.testing.assert_array_equal(second.theta, first.theta)
        assert second.observables == first.observables and second.metadata == first.metadata
        for name, values in first.values.items():
            np.testing.assert_array_equal(second.values[name], values)


def checks(folder: Path) -> dict[str, Callable[[int], None]]:
    """Return the checks of one seed by the kind of file."""
    sources, plain = read_sources(), make(folder)
    return {
        "configuration": lambda seed: check_configuration(seed, folder, sources),
        "table": lambda seed: check_table(seed, folder),
        "spectra": lambda seed: check_spectra(seed, folder),
        "rewritten": lambda seed: check_rewritten(seed, folder, plain),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=["configuration", "table", "spectra", "rewritten"], help="only this kind")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    options = parser.parse_args()
    found, failed, start = Counter[str](), [], time.monotonic()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        known = checks(Path(folder))
        kinds = [options.kind] if options.kind else list(known)
        for seed in range(options.seed, options.seed + options.n):
            if time.monotonic() - start > options.seconds:
                break
            kind = kinds[seed % len(kinds)]
            try:
                known[kind](seed)
                found[kind] += 1
            except Exception:
                failed.append(seed)
                found["FAILED"] += 1
                if len(failed) <= 20:
                    print(f"seed {seed}, {kind}:\n{traceback.format_exc(limit=-3)}", flush=True)
    print(f"{sum(found.values())} unusual files from seed {options.seed}: {dict(found)}")
    print(f"failed seeds: {failed[:100]}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
