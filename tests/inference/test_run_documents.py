"""The JSON files of a run folder are checked when they are read, whoever wrote them."""

from __future__ import annotations

import json
import math

import pytest
from helpers import assert_refused, summary_of

from astroemu.errors import RunFolderError
from astroemu.inference.run_documents import read_resolved, read_summary, read_table
from astroemu.io.files import write_json

WHOLE = summary_of(("tau_e",), wall_seconds=1.5)
RESOLVED = {"path": "/a/fit.toml", "configuration": {"probes": {}, "parameters": {}}}
UNREAD = {("cite", "summary.json"), *((word, "samples.h5") for word in ("cite", "compare", "rerun"))}
INPUT = {"path": "/a/tau.ecsv", "sha256": "0" * 64, "size": 3, "file": "inputs/0/tau.ecsv"}


def test_what_is_whole_is_read(tmp_path):
    write_json(tmp_path / "summary.json", {**WHOLE, "of_the_future": 1})
    assert read_summary(tmp_path / "summary.json") == {**WHOLE, "of_the_future": 1}
    write_json(tmp_path / "resolved.json", RESOLVED)
    assert read_resolved(tmp_path / "resolved.json") == {**RESOLVED, "inputs": []}


@pytest.mark.case(1)
def test_infinities_survive(tmp_path):
    content = {**RESOLVED, "configuration": {"probes": {"p": {"k_max": math.inf, "low": -math.inf}}}}
    write_json(tmp_path / "resolved.json", content)
    assert read_resolved(tmp_path / "resolved.json")["configuration"] == content["configuration"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", 1.5),
        ("seed", True),
        ("sampler", 3),
        ("converged", "yes"),
        ("ess", math.nan),
        ("log_evidence", math.inf),
        ("parameters", []),
        ("parameters", {"tau_e": {"mean": 1.0}}),
        ("parameters", {"tau_e": {**WHOLE["parameters"]["tau_e"], "std": "wide"}}),
        ("evaluations", {"evaluated": 4}),
        ("inputs", {"catalog tau": None}),
        ("citations", "one"),
        ("diagnostics", [1]),
        ("best_sample", {"tau_e": [1.0]}),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path, key, value):
    file = tmp_path / "summary.json"
    write_json(file, {**WHOLE, key: value})
    with pytest.raises(RunFolderError, match=rf"summary\.json is damaged: .*{key}"):
        read_summary(file)


@pytest.mark.parametrize("key", sorted({*WHOLE} - {"provenance"}))
def test_a_missing_key_is_named(tmp_path, key):
    file = tmp_path / "summary.json"
    write_json(file, {k: v for k, v in WHOLE.items() if k != key})
    with pytest.raises(RunFolderError, match=f"the key '{key}' is missing"):
        read_summary(file)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"path": 3}, "path"),
        ({"path": "a\0b"}, "path"),
        ({"configuration": []}, "configuration"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [{**INPUT, "file": "../../mine"}]}, "leads out of the run folder"),
        ({"inputs": [{**INPUT, "file": "/etc/passwd"}]}, "leads out of the run folder"),
        ({"inputs": [{**INPUT, "sha256": "short"}]}, "sha256"),
        ({"inputs": [{**INPUT, "size": None}]}, "size"),
        ({"inputs": [{"path": "a"}]}, "missing"),
    ],
)
def test_a_damaged_configuration_is_named(tmp_path, change, word):
    file = tmp_path / "resolved.json"
    write_json(file, {**RESOLVED, **change})
    with pytest.raises(RunFolderError, match=rf"resolved\.json is damaged: .*{word}"):
        read_resolved(file)


@pytest.mark.attack("run folder", "JSON files that are folders, dangling links, not UTF-8, or nested 100,000 deep")
def test_what_is_no_file_of_json_is_refused(tmp_path):
    odd = tmp_path / "odd.json"
    odd.mkdir()
    with pytest.raises(RunFolderError, match=r"odd\.json is not a file"):
        read_table(odd)
    odd.rmdir()
    odd.symlink_to("nowhere")
    with pytest.raises(RunFolderError, match=r"odd\.json is not a file"):
        read_table(odd)
    odd.unlink()
    for content, word in ((b"\xff{}", "UTF-8"), (b'{"a":' * 100_000, "nested"), (b'{"a": 1, "a": 2}', "twice")):
        odd.write_bytes(content)
        with pytest.raises(RunFolderError, match=word):
            read_table(odd)


@pytest.mark.attack("run folder", "samples, a summary or a configuration of another kind, by every command")
@pytest.mark.parametrize("name", ["summary.json", "resolved.json", "samples.h5"])
def test_commands_refuse_odd_folders_in_one_line(tmp_path, name):
    for file, content in (("summary.json", WHOLE), ("resolved.json", RESOLVED)):
        (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "samples.h5").write_bytes(b"")
    (tmp_path / name).write_text("[" * 5000)
    for words in (("report",), ("cite",), ("compare",), ("rerun",), ("export", "--to", "csv")):
        if (words[0], name) not in UNREAD:
            assert_refused(words[0], str(tmp_path), *words[1:])
