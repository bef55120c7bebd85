"""Measure how long a picture of `astroemu explore` takes to follow a slider: python docs/scripts/explore_latency.py

Every slider of the default configuration is moved in small steps, in a headless Chromium. The time runs from a move to
the end of the first frame with the new curves in all pictures. It needs `pip install playwright` and a Chromium, such
as Debian's package.
"""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
from playwright.sync_api import sync_playwright

import astroemu

#: Moves of each slider, in steps of a hundredth of its length.
MOVES = 12
#: Moves a slider step by step. Each time runs until all figures are painted, and the next frame of the browser begins.
DRAG = """
async ([name, steps]) => {
  const document = Bokeh.documents[0];
  const slider = document.get_model_by_name(name), curves = document.get_model_by_name("curves");
  const times = [];
  for (let i = 0; i < steps; i++) {
    const begin = performance.now();
    await new Promise(painted => {
      const changed = () => {
        curves.properties.data.change.disconnect(changed);
        requestAnimationFrame(() => requestAnimationFrame(painted));
      };
      curves.properties.data.change.connect(changed);
      slider.value = slider.start + (0.3 + 0.01 * i) * (slider.end - slider.start);
    });
    times.push(performance.now() - begin);
  }
  return times;
}
"""


def main() -> None:
    """Print the median, the 95th percentile and the longest time in milliseconds."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no Chromium: apt-get install chromium")
    model = astroemu.load_model("reionization")
    explorer = astroemu.explore(model)
    begin = os.getloadavg()[0]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(explorer.url)
        page.get_by_text("ln L, total").wait_for()
        page.wait_for_timeout(2000)
        page.evaluate(DRAG, [f"slider_{model.names[0]}", MOVES])  # the first moves compile the browser's code
        times = [t for name in model.names for t in page.evaluate(DRAG, [f"slider_{name}", MOVES])]
        browser.close()
    explorer.stop()
    median, late = np.quantile(times, [0.5, 0.95])
    print(f"{len(times)} moves of the sliders of {model.name}, {len(os.sched_getaffinity(0))} cores, load {begin:.1f}")
    numbers = f"median {median:.0f} ms, 95 % below {late:.0f} ms, longest {max(times):.0f} ms"
    print(f"from the move to the painted frame: {numbers}")


if __name__ == "__main__":
    main()
