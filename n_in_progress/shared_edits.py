"""Edits of existing files for `astroemu explore`: python shared_edits.py TREE

Run it on a tree that already has the patches of "pictures" (runtime/upper.py, model/presented.py) and "noplugin"
(model/panel_curves.py). It stops at the first text that it does not find exactly once, and changes nothing twice.
"""

import sys
from pathlib import Path

TREE = Path(sys.argv[1])


def edit(name, *pairs):
    path = TREE / name
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        if new in text:
            continue
        if text.count(old) != 1:
            sys.exit(f"{name}: found {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


edit("pyproject.toml",
     ("# To watch a training in the browser.\n",
      '# The page of `astroemu explore`.\nexplore = ["bokeh>=3.7"]\n# To watch a training in the browser.\n'),
     ('"bilby>=2.8", "candl-like>=2.2", "cobaya', '"bilby>=2.8", "bokeh>=3.7", "candl-like>=2.2", "cobaya'),
     ('"numpyro>=0.20", "pytest>=8.3"', '"numpyro>=0.20", "playwright>=1.50", "pytest>=8.3"'),
     ("[tool.coverage.run]",
      '[[tool.mypy.overrides]]\nmodule = ["bokeh.*", "tornado.*"] # Bokeh\'s own types do not pass the strict checks\n'
      'follow_imports = "skip"\nignore_missing_imports = true\n\n[tool.coverage.run]'))
edit("constraints.txt",
     ("candl-like==", "bokeh==3.9.2\ncandl-like=="), ("\ngrimp==", "\ngreenlet==3.5.6\ngrimp=="),
     ("\npluggy==", "\nplaywright==1.65.2\npluggy=="), ("\ntqdm==", "\ntornado==6.6.1\ntqdm=="),
     ("\nxarray-einstats==", "\nxyzservices==2026.9.1\nxarray-einstats=="))
edit("docs/commands.md",
     ("| `astroemu fisher` |", "| `astroemu explore` | move the parameters of a model in the browser, and see its predictions change over the data |\n| `astroemu fisher` |"))
edit("docs/index.md", ("\nconfiguration\nsamplers\n", "\nconfiguration\nexplore\nsamplers\n"))
edit("docs/reference.md",
     (".. autoclass:: astroemu.Prior\n",
      ".. autofunction:: astroemu.explore\n.. autoclass:: astroemu.report.explore.Explorer\n   :members: url, port, open, stop\n.. autoclass:: astroemu.Prior\n"))
edit("astroemu/cli/__init__.py",
     ("    doctor,\n", "    doctor,\n    explore,\n"),
     ('        "fisher": fisher.fisher,\n', '        "explore": explore.explore,\n        "fisher": fisher.fisher,\n'))
edit("astroemu/__init__.py",
     ('    "fit": "inference.fitting",\n', '    "explore": "report.explore",\n    "fit": "inference.fitting",\n'),
     ('    "emulator_html": "report.notebook",\n', '    "emulator_html": "report.notebook",\n    "explore": "report.explore",\n'),
     ("    from astroemu.model.model import Model\n",
      "    from astroemu.model.model import Model\n    from astroemu.report.explore import explore\n"))
edit("astroemu/model/presented.py",
     ("    def _repr_html_(self) -> str:",
      '''    def explore(self, samples: Samples | None = None, *, name: str = "", port: int = 0, seed: int = 1) -> Any:
        """Serve a page with one slider per parameter and the pictures of every probe; see :func:`astroemu.explore`.

        A notebook shows the page. Elsewhere, open its ``url`` in a browser of this machine.

        Returns
        -------
        astroemu.report.explore.Explorer

        Raises
        ------
        PluginError
            If Bokeh is not installed.
        ConfigurationError
            If the samples lack a parameter, or the port cannot be used.
        """
        return upper("explore")(self, samples, name=name, port=port, seed=seed)

    def _repr_html_(self) -> str:'''))

# model/panel_curves.py: its two helpers become public, so that a page can keep its matrices.
path = TREE / "astroemu/model/panel_curves.py"
text = path.read_text(encoding="utf-8")
if "def required_by" not in text:
    begin, end = text.index("    wanted: dict[str, Requirement] = {}"), text.index("    try:\n")
    text = text[:begin] + '''    needs = [required_by(model, probe, panel) for panel in panels]
    wanted = {f"{i} {key}": requirement for i, need in enumerate(needs) for key, requirement in need.items()}
    found = model.predict_for(wanted, theta)
    return [
        curve_of(model, probe, panel, {key: found[f"{i} {key}"] for key in needs[i]}, theta)
        for i, panel in enumerate(panels)
    ]


def required_by(model: Model, probe: str, panel: Panel) -> dict[str, Requirement]:
    """Return what the curve of a panel is made of, by names of its own."""
    if isinstance(panel.curve, Requirement):
        return {"": panel.curve}
    return dict(model.probes[probe].requires if panel.requires is None else panel.requires)


def curve_of(model: Model, probe: str, panel: Panel, found: Mapping[str, FloatArray], theta: FloatArray) -> FloatArray:
    """Return the curve ``(n, c)`` of one panel from the values ``(n, size)`` of :func:`required_by`.

    Raises
    ------
    ProbeError
        As :func:`panel_curves`.
    """
    if isinstance(panel.curve, Requirement):
        return found[""]
    predictions = {key: Prediction(value) for key, value in found.items()}
''' + text[end:]
    text = text.replace("from collections.abc import Sequence", "from collections.abc import Mapping, Sequence")
    path.write_text(text, encoding="utf-8")

# cli/explore.py: a run may have plugin files of its own ("noplugin"), whose code runs only if asked for.
if "RUN_PLUGIN_FILES" in (TREE / "astroemu/cli/options.py").read_text(encoding="utf-8"):
    edit("astroemu/cli/explore.py",
         ("import DEFAULT, ENGINE, SET, WITHOUT, load", "import DEFAULT, ENGINE, RUN_PLUGIN_FILES, SET, WITHOUT, load"),
         ("    engine: str | None = ENGINE,\n    set_: list[str] = SET,\n",
          "    engine: str | None = ENGINE,\n    run_plugin_files: bool = RUN_PLUGIN_FILES,\n    set_: list[str] = SET,\n"),
         ("RunFolder.open(run)\n", "RunFolder.open(run, run_plugin_files=run_plugin_files)\n"))
