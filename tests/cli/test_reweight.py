"""``astroemu reweight`` on the default configuration, beside a fit of the same data."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import command

from astroemu.inference.run_folder import RunFolder

HERA = 'probes.power_spectrum_21cm={catalog = "hera_h1c_idr3", modelling_fraction = 0.2}'


def assert_agree(weighted, fitted):
    """Means and widths within five errors of the effective samples, the evidence within three of its own."""
    error = fitted.std() * np.sqrt(1 / weighted.ess + 1 / fitted.ess)
    assert np.all(np.abs(weighted.mean() - fitted.mean()) < 5 * error)
    assert np.all(np.abs(weighted.std() - fitted.std()) < 5 * error)
    errors = np.hypot(weighted.log_evidence_err, fitted.log_evidence_err)
    assert abs(weighted.log_evidence - fitted.log_evidence) < 3 * errors


@pytest.mark.slow
def test_it_agrees_with_a_fit(tmp_path):
    """HERA is added to a run without it; dropped, it leaves too few samples, which are right all the same."""
    pytest.importorskip("ultranest")
    options = ("--sampler", "ultranest", "--no-report", "--set", "samplers.ultranest.live_points=200")
    for name, further in (("all", ()), ("without", ("--without", "power_spectrum_21cm"))):
        code, _, error = command("fit", *options, *further, "--out", str(tmp_path / name))
        assert code == 0, error
    added = ("reweight", str(tmp_path / "without"), "--set", HERA, "--out", str(tmp_path / "added"), "--no-report")
    assert command(*added)[0] == 0
    dropped = ("reweight", str(tmp_path / "all"), "--without", "power_spectrum_21cm", "--no-report")
    code, _, error = command(*dropped, "--out", str(tmp_path / "dropped"))
    assert code == 2 and "effective samples are left" in error
    assert command(*dropped, "--out", str(tmp_path / "dropped"), "--min-ess", "5")[0] == 0
    runs = {name: RunFolder.open(tmp_path / name).samples() for name in ("all", "without", "added", "dropped")}
    assert_agree(runs["added"], runs["all"])
    assert_agree(runs["dropped"], runs["without"])
    assert runs["added"].converged and not runs["dropped"].converged
