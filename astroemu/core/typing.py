"""Type aliases that several modules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A float64 array. Docstrings give its shape.
FloatArray = NDArray[np.float64]
