"""A page in the browser on which the parameters of a model are moved, and its predictions follow.

Bokeh serves it, from the extra ``explore``. It is imported when a page is made.
"""

from __future__ import annotations

from astroemu.report.explore.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]
