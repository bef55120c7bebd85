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


def test_the_table_of_memory_is_up_to_date():
    text = (REPOSITORY / "docs" / "speed.md").read_text(encoding="utf-8")
    assert text == SCRIPT["with_memory"](text), "run: python docs/scripts/measured.py"


def test_memory_has_a_table_in_its_unit(tmp_path):
    row = {"group": "record", "title": "written", "points": 10_000_000, "peak": 132.4, "more": 2.0, "microseconds": 0.7}
    (tmp_path / "memory.json").write_text(json.dumps({"imports": 130.4, "rows": [row | {"file": 95.0}]}))
    page = "# Speed\n<!-- memory: written by docs/scripts/measured.py -->\nold\n<!-- end of memory -->\nMore\n"
    text = SCRIPT["with_memory"](page, tmp_path)
    assert "| written | 10,000,000 | 132 | 2 | 0.7 |" in text and "10,000,000 likelihoods has 95 MB" in text
    assert "old" not in text and text.endswith("<!-- end of memory -->\nMore\n") and "peak [MB]" in text
    assert SCRIPT["with_memory"](text, tmp_path) == text


def test_posteriors_have_their_section(tmp_path):
    fit = {
        "configuration": "like_21cmmc", "sampler": "emcee", "seconds": 20.0, "likelihoods": 200_000, "converged": True,
        "effective_samples": 4000.0, "effective_samples_per_second": 200.0, "log_evidence": None,
        "log_evidence_err": None,
    }  # fmt: skip
    peer = {
        "ours": fit, "run": fit | {"seconds": 300.0}, "stretch": fit | {"likelihoods": 1_000_000, "converged": False},
        "microseconds": {"1": 9000.0, "500": 1200.0}, "product": 1200.0,
        "agreement": {"draws": 500, "share": 0.9, "shift": 0.03},
    }  # fmt: skip
    found = {"fits": [fit], "left_out": {"like_21cmmc, multinest": "no library"}, "peer": peer}
    (tmp_path / "posteriors.json").write_text(json.dumps(found))
    text = SCRIPT["page"](tmp_path)
    assert "| `like_21cmmc`, `emcee` | 20.0 | 200,000 | 4,000 | 200.0 | yes | none |" in text
    assert "takes 15 times less time" in text and "1,200 microseconds for each, in batches of 500" in text
    assert "The product of the two is 1,200 s, 60 times as long. It was\n  not run." in text
    assert "stretch moves (not converged)" in text and "multinest (no library)" in text


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
