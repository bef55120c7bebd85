"""The folder of a run: what went in, what came out.

    RUN/configuration.toml   the configuration as given
    RUN/resolved.json        the same with every override applied, and where it was read from
    RUN/identity.json        what must match for the run to be resumed, and what may differ
    RUN/likelihoods.record   while it runs: every likelihood so far (astroemu.sampling.replay)
    RUN/samples.h5           posterior samples
    RUN/summary.json         the result in numbers, with versions and checksums
    RUN/*.png, RUN/table.txt made by the report
    RUN/rerun.json           in a repetition: how it compares with the run (astroemu.analysis.rerun)

A folder that holds a finished run is never written into again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astroemu.errors import RunFolderError
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.io.files import write_json
from astroemu.io.untrusted import read_text
from astroemu.sampling.samples import Samples


class RunFolder:
    """One run on disk.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path) -> RunFolder:
        """Make the folder of a new run.

        Raises
        ------
        RunFolderError
            If it already holds anything, or cannot be made.
        """
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path} already holds a run or other files; nothing was changed. "
                "Choose another folder with --out, or remove this one"
            )
        cls._make(path)
        return cls(path)

    @staticmethod
    def _make(path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"cannot make the folder {path}: {error.strerror}") from None

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of a finished run.

        Raises
        ------
        RunFolderError
            If it does not hold one.
        """
        folder = cls(path)
        for needed in (folder.samples_file, folder.summary_file, folder.resolved_file):
            if not needed.is_file():
                raise RunFolderError(f"{folder.path} does not hold a finished run: {needed.name} is missing")
        return folder

    @classmethod
    def fresh(cls, parent: Path, name: str) -> RunFolder:
        """Make the first free folder of ``name``, ``name-2``, ``name-3``, ..."""
        return cls.create(cls.free(parent, name))

    @classmethod
    def free(cls, parent: Path, name: str) -> Path:
        """The path of the first of ``name``, ``name-2``, ``name-3``, ... that holds nothing."""
        return _numbered(parent, name)[-1]

    @classmethod
    def last(cls, parent: Path, name: str) -> RunFolder:
        """Return the last folder of ``name``, ``name-2``, ... that holds anything; the first if none does."""
        return cls(_numbered(parent, name)[-2:][0])

    def resume(self, identity: RunFingerprint) -> bool:
        """Make sure that this run can go on here, or start.

        Returns
        -------
        bool
            Whether there is a run to go on with.

        Raises
        ------
        RunFolderError
            If the folder holds another run, or something else.
        """
        begun = {"configuration.toml", "resolved.json"}  # killed while these were written
        if not self.path.exists() or (self.path.is_dir() and {file.name for file in self.path.iterdir()} <= begun):
            self._make(self.path)
            return False
        identity.demand_same(RunFingerprint.load(self.identity_file), self.path)
        return True

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.summary_file.is_file()

    @property
    def samples_file(self) -> Path:
        return self.path / "samples.h5"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def resolved_file(self) -> Path:
        return self.path / "resolved.json"

    @property
    def configuration_file(self) -> Path:
        return self.path / "configuration.toml"

    @property
    def identity_file(self) -> Path:
        return self.path / "identity.json"

    @property
    def record_file(self) -> Path:
        return self.path / "likelihoods.record"

    def start(self, configuration: Configuration, resolved: Mapping[str, Any], identity: RunFingerprint | None) -> None:
        """Write what goes in; the identity last, so that its presence means a run that can be resumed.

        A run that no sampler makes has none.
        """
        shutil.copyfile(configuration.source, self.configuration_file)
        self._json(self.resolved_file, resolved)
        if identity is not None:
            identity.save(self.identity_file)

    def finish(self, samples: Samples, summary: Mapping[str, Any]) -> None:
        """Write what came out; the summary last, so that its presence means a finished run."""
        samples.save(self.samples_file, summary["provenance"])
        self._json(self.summary_file, summary)

    def samples(self) -> Samples:
        """Read the samples."""
        return Samples.load(self.samples_file)

    def summary(self) -> dict[str, Any]:
        """Read the summary."""
        return self._read_json(self.summary_file)

    def configuration(self) -> Configuration:
        """Return the configuration as it was run."""
        resolved = self._read_json(self.resolved_file)
        if not isinstance(resolved.get("configuration"), dict) or not isinstance(resolved.get("path"), str):
            raise RunFolderError(f"{self.resolved_file} lacks the configuration or its path")
        copy = self.configuration_file if self.configuration_file.is_file() else None
        return configuration_from(resolved["configuration"], Path(resolved["path"]), copy)

    @staticmethod
    def _read_json(path: Path) -> dict[str, Any]:
        try:
            content = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise RunFolderError(f"{path} is damaged: {error}") from None
        if not isinstance(content, dict):
            raise RunFolderError(f"{path} is damaged: it holds no table")
        return content

    def _json(self, path: Path, value: Mapping[str, Any]) -> None:
        write_json(path, value)


def _numbered(parent: Path, name: str) -> list[Path]:
    """The folders ``name``, ``name-2``, ... that hold anything, and the first that does not."""
    found = [parent / name]
    while found[-1].exists() and (not found[-1].is_dir() or any(found[-1].iterdir())):
        found.append(parent / f"{name}-{len(found) + 1}")
    return found
