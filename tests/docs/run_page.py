"""Run the blocks of one page in the current folder: python run_page.py PAGE [whole]"""

from __future__ import annotations

import importlib
import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pages import blocks


def main(page: str, whole: bool) -> None:
    namespace = {"__name__": "page"}
    for block in blocks(Path(page)):
        if block.what.startswith("file "):
            path = Path(block.what.removeprefix("file ").strip())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.what.startswith(("parse", "fragment")) or block.language == "toml":
            continue
        elif block.language == "sh":
            environment = dict(os.environ)
            if block.what == "quick" and not whole:
                environment["ASTROEMU_DOCS_QUICK"] = "1"
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{block}: exit code {done.returncode}\n{done.stdout[-3000:]}")
            site.addsitedir(sysconfig.get_paths()["purelib"])  # so that what the block installed is found
            importlib.invalidate_caches()
        else:
            try:
                exec(compile(block.text, str(block), "exec"), namespace)
            except Exception as error:
                raise RuntimeError(f"{block}: {type(error).__name__}: {error}") from error


if __name__ == "__main__":
    main(sys.argv[1], len(sys.argv) > 2)
