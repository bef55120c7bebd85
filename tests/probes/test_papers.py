import numpy as np
import pytest
from astropy.table import Table

from astroemu.errors import ConfigurationError
from astroemu_probes.papers import rows_of_papers

TABLE = Table({"reference": ["A", "B", "A", "C"], "z": [5.0, 6.0, 7.0, 8.0]})


def test_rows_of_the_papers_in_the_range_are_found():
    found = rows_of_papers(TABLE, "table", ("A", "B"), 5.5, 7.0)
    assert np.array_equal(found, [False, True, True, False])


@pytest.mark.parametrize(
    ("references", "z_min", "words"),
    [(("Z",), 0.0, "'table' has no 'Z'"), (("A", "B"), 6.5, "nothing of 'B'"), ((), 0.0, "nothing of 'references'")],
)
def test_a_paper_without_rows_is_refused(references, z_min, words):
    with pytest.raises(ConfigurationError, match=words):
        rows_of_papers(TABLE, "table", references, z_min, 9.0)
