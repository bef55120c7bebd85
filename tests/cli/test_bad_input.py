"""Every bad input: one paragraph, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import sys

import pytest

import astroemu
from astroemu.cli import main

DEFAULT = astroemu.load_configuration("reionization").path.read_text()


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["astroemu", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


CASES = {
    "unknown key at the top": ("title =", "titel =", ["titel", "'title'"]),
    "unknown key of a probe": (
        "modelling_fraction",
        "modeling_fraction",
        ["modeling_fraction", "'modelling_fraction'"],
    ),
    "unknown key of a sampler": ("walkers = 64", "walkrs = 64", ["walkrs", "'walkers'"]),
    "unknown key of a parameter": ("low = 38.0", "lowe = 38.0", ["log10_l_x", "'low'"]),
    "unknown key of an emulator": ("[emulators.acg]", "[emulators.acg]\nfil = 1", ["emulators.acg.fil", "'file'"]),
    "wrong type": ("seed = 1", 'seed = "one"', ["seed", "integer"]),
    "wrong type of a probe's option": ("modelling_fraction = 0.2", "modelling_fraction = [1]", ["modelling_fraction"]),
    "missing catalog": ('"hera_h1c_idr3"', '"absent.h5"', ["absent.h5", "no file"]),
    "unknown catalog": ('"hera_h1c_idr3"', '"hera_h1c_idr4"', ["hera_h1c_idr4", "'hera_h1c_idr3'"]),
    "prior wider than the box": ("low = 38.0", "low = 37.0", ["log10_l_x", "[37, 42]", "[38, 42]", "truncate_prior"]),
    "unknown probe": ("[probes.optical_depth]", "[probes.optical_dept]", ["optical_dept", "'optical_depth'"]),
    "unknown sampler table": ("[samplers.emcee]", "[samplers.emce]", ["emce", "'emcee'"]),
    "nobody provides": (
        "[emulators.acg]",
        '[emulators.acg]\nprovides = ["x_hi"]',
        ["delta21_sq", "power_spectrum_21cm"],
    ),
    "does not provide": ("[emulators.acg]", '[emulators.acg]\nprovides = ["x_h"]', ["x_h", "'x_hi'"]),
    "parameter given twice": ("[parameters.alpha_x]", "[parameters.alpha_star]", ["alpha_star", "twice"]),
    "parameter that nobody uses": ("[parameters.alpha_x]", "[parameters.alpha_y]", ["alpha_x", "alpha_y"]),
    "unknown emulator": ("[emulators.acg]", "[emulators.agc]", ["agc", "'acg'"]),
    "unknown reference": ('"McGreer+2015"', '"McGreer+2051"', ["McGreer+2051", "'McGreer+2015'"]),
    "redshift beyond the emulator": ("= [6.0, 7.0, 8.0]", "= [4.0]", ["uv_luminosity_function", "[6, 10]"]),
    "empty prior": ("low = 38.0", "low = 43.0", ["log10_l_x", "below"]),
    "odd walkers": ("walkers = 64", "walkers = 63", ["samplers.emcee", "even"]),
    "not TOML": ("title =", "title", ["not valid TOML"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_configuration(name, tmp_path, monkeypatch, capsys):
    old, new, words = CASES[name]
    assert old in DEFAULT
    file, out = tmp_path / "bad.toml", tmp_path / "run"
    file.write_text(DEFAULT.replace(old, new, 1))
    code, message = run(monkeypatch, capsys, "fit", file, "--out", out)
    assert code == 2 and "Traceback" not in message and message.count("\n") == 1
    assert "bad.toml" in message
    for word in words:
        assert word in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("samplers.emcee.walkers", ["key=value"]),
        ("samplers.emcee.walker=32", ["'walkers'"]),
        ("seed.x=1", ["seed"]),
        ("truncate_prior=perhaps", ["truncate_prior"]),
    ],
)
def test_a_bad_override(override, words, tmp_path, monkeypatch, capsys):
    code, message = run(monkeypatch, capsys, "fit", "--set", override, "--out", tmp_path / "run")
    assert code == 2 and all(word in message for word in words)


def test_files_and_folders_that_are_not_there(tmp_path, monkeypatch, capsys):
    for arguments in (
        ["fit", tmp_path / "none.toml"],
        ["fit", "--sampler", "emce"],
        ["report", tmp_path],
        ["train", "train_acg", "--data", tmp_path / "none.h5", "--out", tmp_path / "out.h5"],
        ["validate", tmp_path / "none.h5", "--data", tmp_path / "none.h5"],
    ):
        code, message = run(monkeypatch, capsys, *arguments)
        assert code == 2 and message.startswith("astroemu: ") and "Traceback" not in message


@pytest.mark.parametrize(
    "content", [b"", b"no HDF5 here", b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x8c\x06posix."]
)
def test_an_emulator_file_that_is_none(content, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.h5").write_bytes(content)
    file = tmp_path / "bad.toml"
    file.write_text(DEFAULT.replace("[emulators.acg]", '[emulators.acg]\nfile = "mine.h5"'))
    code, message = run(monkeypatch, capsys, "fit", file, "--out", tmp_path / "run")
    assert code == 2 and "mine.h5" in message and "not an emulator file" in message


def test_a_truncated_emulator(tmp_path, monkeypatch, capsys):
    from astroemu.runtime.plugins import TRAINED, locate

    whole = locate(TRAINED, "acg").read_bytes()
    (tmp_path / "mine.h5").write_bytes(whole[: len(whole) // 2])
    code, message = run(monkeypatch, capsys, "validate", tmp_path / "mine.h5", "--data", tmp_path / "x.h5")
    assert code == 2 and "mine.h5" in message


def test_a_catalog_whose_checksum_fails(tmp_path, monkeypatch, capsys):
    import dataclasses

    import astroemu_catalogs

    changed = tmp_path / "tau.ecsv"
    changed.write_text(astroemu_catalogs.OPTICAL_DEPTH.path.read_text().replace("0.0544", "0.0644"))
    monkeypatch.setattr(
        astroemu_catalogs, "OPTICAL_DEPTH", dataclasses.replace(astroemu_catalogs.OPTICAL_DEPTH, path=changed)
    )
    code, message = run(monkeypatch, capsys, "fit", "--out", tmp_path / "run")
    assert code == 2 and "optical_depth" in message and "SHA-256" in message
    assert not (tmp_path / "run").exists()
