"""The frame of the page (``page.html``), and the style of the parts inside it (``parts.css``).

The frame tells the browser to load nothing from another address, whatever a setting of Bokeh says.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
#: A template of Jinja.
PAGE = (_HERE / "page.html").read_text(encoding="utf-8")
#: Style inside Bokeh's parts, which do not see the style of the page.
PARTS = (_HERE / "parts.css").read_text(encoding="utf-8")
