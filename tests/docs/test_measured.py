"""The page of measured figures agrees with the JSON files."""

from __future__ import annotations

import json
import runpy

from pages import REPOSITORY

SCRIPT = runpy.run_path(str(REPOSITORY / "docs" / "scripts" / "measured.py"))


def test_the_page_is_up_to_date():
    text = (REPOSITORY / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert text == SCRIPT["page"](), "run: python docs/scripts/measured.py"
    figure = json.loads((REPOSITORY / "docs/measured/acg_against_21cmfast.json").read_text())
    assert f"| `tau_e`, absolute | {figure['observables']['tau_e']['absolute_median']:.2g} |" in text


def test_a_calibration_has_its_section(tmp_path):
    share = {"nominal": 0.68, "found": 0.7, "low": 0.6, "high": 0.8}
    found = {
        "quantities": {"alpha_x": {"p_value": 0.2, "corrected": 0.4, "coverage": {"0.68": share}}},
        "coverage": {"0.68": 0.7}, "joint": {"0.68": share}, "fits": 200, "unconverged": 1, "passed": True,
    }  # fmt: skip
    (tmp_path / "calibration.json").write_text(json.dumps(found))
    text = SCRIPT["page"](tmp_path)
    assert (
        "| `alpha_x` | 0.200 | 0.400 | 70.0% |" in text and "200 fits, 1 of them unconverged; verdict: passed" in text
    )


def test_a_benchmark_has_its_section(tmp_path):
    row = {"engine": "numpy", "batch": 1000, "microseconds": 20.0, "of_sgemm": 0.5, "of_peak": 0.625}
    (tmp_path / "bench.json").write_text(json.dumps({"sgemm": 2e11, "dgemm": 1e11, "timings": [row]}))
    assert "| numpy, 1,000 | 20.0 | 50,000 | 50% | 62% |" in SCRIPT["page"](tmp_path)


def test_peers_have_theirs(tmp_path):
    times = {"numpy": 20.0, "another": 50.0}
    (tmp_path / "peers.json").write_text(json.dumps({"timings": [], "peers": {"joint likelihood, 1": times}}))
    assert "| joint likelihood, 1: another | 50.0 | 2.50 |" in SCRIPT["page"](tmp_path)
