"""A fit on a disk that becomes full: nothing that was computed is lost, and nothing half is left."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import no_file_above

from astroemu.errors import AstroemuError
from astroemu.inference.fitting import fit
from astroemu.sampling.samples import Samples


@pytest.mark.attack("full disk", "a fit: no space for the inputs, the record, the samples or the summary")
def test_a_fit_on_a_full_disk_goes_on_when_there_is_space(tau, tmp_path):
    whole, _ = fit(tau, out=tmp_path / "whole")
    samples = whole.samples_file.stat().st_size
    out = tmp_path / "run"
    seen = set()
    for size in (200, samples - 1):
        with no_file_above(size), pytest.raises(AstroemuError, match="File too large") as caught:
            fit(tau, out=out, resume=True)
        assert str(out) in str(caught.value)
        left = {path.name for path in out.iterdir()} if out.exists() else set()
        assert not [name for name in left if name.endswith(".part")] and "summary.json" not in left
        if "samples.h5" in left:
            Samples.load(out / "samples.h5")
        seen |= left
    assert "likelihoods.record" in seen
    recalled = (out / "likelihoods.record").stat().st_size
    assert recalled > 0
    folder, _ = fit(tau, out=out, resume=True)
    np.testing.assert_array_equal(folder.samples().theta, whole.samples().theta)
    assert folder.summary()["evaluations"]["recalled"] > 0
