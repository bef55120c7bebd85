"""``astroemu reweight`` on the default configuration, beside a fit of the same data."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import command

from astroemu.run import RunFolder


@pytest.mark.slow
def test_without_a_probe_it_agrees_with_a_fit(tmp_path):
    """The optical depth is dropped; means and widths within five errors of the two runs' effective samples."""
    pytest.importorskip("ultranest")
    options = ("--sampler", "ultranest", "--no-report", "--set", "samplers.ultranest.live_points=200")
    for name, further in (("all", ()), ("fitted", ("--without", "optical_depth"))):
        code, _, error = command("fit", *options, *further, "--out", str(tmp_path / name))
        assert code == 0, error
    to = ("--out", str(tmp_path / "weighted"), "--min-ess", "200", "--no-report")
    code, _, error = command("reweight", str(tmp_path / "all"), "--without", "optical_depth", *to)
    assert code == 0, error
    weighted, fitted = (RunFolder.open(tmp_path / name).samples() for name in ("weighted", "fitted"))
    error = fitted.std() * np.sqrt(1 / weighted.ess + 1 / fitted.ess)
    assert np.all(np.abs(weighted.mean() - fitted.mean()) < 5 * error)
    assert np.all(np.abs(weighted.std() - fitted.std()) < 5 * error)
    errors = np.hypot(weighted.log_evidence_err, fitted.log_evidence_err)
    assert abs(weighted.log_evidence - fitted.log_evidence) < 3 * errors
