"""The folder of a run: its inputs and its results.

    RUN/configuration.toml   the configuration as given
    RUN/resolved.json        the configuration after all overrides, and the path that it was read from
    RUN/identity.json        what must match for the run to be resumed, and what may differ
    RUN/likelihoods.record   during the run: all likelihoods so far (astroemu.sampling.replay)
    RUN/samples.h5           posterior samples
    RUN/summary.json         numerical results, versions and checksums
    RUN/*.png, RUN/table.txt written by the report
    RUN/rerun.json           in a repeated run: comparison with the original (astroemu.analysis.rerun)

The results of a finished run are never overwritten.
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
        """Create the folder of a new run and return it.

        Raises
        ------
        RunFolderError
            If the folder is not empty or cannot be created.
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
            raise RunFolderError(f"cannot create the folder {path}: {error.strerror}") from None

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return the folder of a finished run.

        Raises
        ------
        RunFolderError
            If a file of a finished run is missing.
        """
        folder = cls(path)
        for needed in (folder.samples_file, folder.summary_file, folder.resolved_file):
            if not needed.is_file():
                raise RunFolderError(f"{folder.path} does not hold a finished run: {needed.name} is missing")
        return folder

    @classmethod
    def fresh(cls, parent: Path, name: str) -> RunFolder:
        """Create and return the first free folder of ``name``, ``name-2``, ``name-3``, ..."""
        return cls.create(cls.free(parent, name))

    @classmethod
    def free(cls, parent: Path, name: str) -> Path:
        """Return the path of the first of ``name``, ``name-2``, ``name-3``, ... that is empty or missing."""
        return _numbered(parent, name)[-1]

    @classmethod
    def last(cls, parent: Path, name: str) -> RunFolder:
        """Return the last folder of ``name``, ``name-2``, ... that is not empty; the first if all are."""
        return cls(_numbered(parent, name)[-2:][0])

    def resume(self, identity: RunFingerprint) -> bool:
        """Check that a run with this fingerprint can be resumed or started here.

        Returns
        -------
        bool
            True if there is a run to resume.

        Raises
        ------
        RunFolderError
            If the folder holds another run or other files.
        """
        begun = {"configuration.toml", "resolved.json"}  # a run that was killed while it wrote these
        if not self.path.exists() or (self.path.is_dir() and {file.name for file in self.path.iterdir()} <= begun):
            self._make(self.path)
            return False
        identity.demand_same(RunFingerprint.load(self.identity_file), self.path)
        return True

    @property
    def finished(self) -> bool:
        """True if the run is finished."""
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
        """Write the inputs. The fingerprint comes last: if it is present, the run can be resumed.

        Parameters
        ----------
        configuration : Configuration
        resolved : mapping
            Content of ``resolved.json``.
        identity : RunFingerprint or None
            None for a run that no sampler made, such as a reweighted one.
        """
        shutil.copyfile(configuration.source, self.configuration_file)
        self._json(self.resolved_file, resolved)
        if identity is not None:
            identity.save(self.identity_file)

    def finish(self, samples: Samples, summary: Mapping[str, Any]) -> None:
        """Write the results. The summary comes last: if it is present, the run is finished."""
        samples.save(self.samples_file, summary["provenance"])
        self._json(self.summary_file, summary)

    def samples(self) -> Samples:
        """Return the samples."""
        return Samples.load(self.samples_file)

    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        return self._read_json(self.summary_file)

    def configuration(self) -> Configuration:
        """Return the configuration of the run, with all overrides."""
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
    """Return the folders ``name``, ``name-2``, ... that are not empty, then the first that is."""
    found = [parent / name]
    while found[-1].exists() and (not found[-1].is_dir() or any(found[-1].iterdir())):
        found.append(parent / f"{name}-{len(found) + 1}")
    return found
