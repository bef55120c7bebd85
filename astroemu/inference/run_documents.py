"""The JSON files of a run folder, checked when they are read.

They may come from another machine, another version or another hand. Nothing that reads a run has to expect a missing
key or a value of another kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from astroemu.errors import AstroemuError, RunFolderError
from astroemu.io.files import read_json
from astroemu.runtime.options import validate_options
from astroemu.sampling.statistics import QUANTILES

#: Statistics that every parameter and derived number has.
_STATISTICS = ("mean", "std", *QUANTILES)


def _complete(table: dict[str, float | None]) -> dict[str, float | None]:
    missing = [key for key in _STATISTICS if key not in table]
    if missing:
        raise ValueError(f"{missing[0]!r} is missing")
    return table


def _usable_path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("it is not a path")
    return text


def _relative(text: str) -> str:
    path = Path(_usable_path(text))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("it leads out of the run folder")
    return text


#: A number, or nothing: files of earlier versions have null for what is not finite.
Number = float | None
Finite = Annotated[float, Field(allow_inf_nan=False)]
Statistics = Annotated[dict[str, Number], AfterValidator(_complete)]
Text = Annotated[str, AfterValidator(_usable_path)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    file: Annotated[str, AfterValidator(_relative)] | None


class _Resolved(_Document):
    """``resolved.json``"""

    path: Text
    configuration: dict[str, JsonValue]
    inputs: list[_Input] = []


class _Evaluations(_Document):
    evaluated: Annotated[int, Field(ge=0)]
    outside_emulator_range: Annotated[int, Field(ge=0)]
    not_finite: Annotated[int, Field(ge=0)]
    fraction_outside: Finite


class _Summary(_Document):
    """``summary.json``"""

    title: str
    sampler: str
    seed: Annotated[int, Field(ge=0)]
    parameters: dict[str, Statistics]
    derived: dict[str, Statistics]
    log_evidence: Finite | None
    log_evidence_err: Finite | None
    n_likelihood: Annotated[int, Field(ge=0)]
    wall_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    ess: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    converged: bool
    converged_reason: str
    best_sample: dict[str, Number]
    best_log_likelihood: dict[str, Number]
    evaluations: _Evaluations
    diagnostics: dict[str, JsonValue]
    versions: dict[str, str]
    inputs: dict[str, str]
    citations: list[str]
    provenance: dict[str, JsonValue] = {}
    profile: dict[str, JsonValue] = {}
    reweighted: dict[str, JsonValue] = {}
    fixed: dict[str, Number] = {}
    remarks: list[str] = []


def read_resolved(path: Path) -> dict[str, Any]:
    """Return the content of ``resolved.json``.

    Returns
    -------
    dict
        ``path`` (of the configuration), ``configuration`` and ``inputs``.

    Raises
    ------
    RunFolderError
        If it is damaged. The message names the file and the key.
    """
    content = _read(path, _Resolved)
    return {"inputs": [], **content}


def read_summary(path: Path) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Raises
    ------
    RunFolderError
        As for :func:`read_resolved`.
    """
    return _read(path, _Summary)


def read_table(path: Path) -> dict[str, Any]:
    """Return a JSON file of a run folder whose content is a table.

    Raises
    ------
    RunFolderError
        If it cannot be read or is no table.
    """
    try:
        content = read_json(path)
    except AstroemuError as error:
        raise RunFolderError(str(error)) from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} is damaged: it holds no table")
    return content


def _read(path: Path, schema: type[BaseModel]) -> dict[str, Any]:
    content = read_table(path)
    try:
        validate_options(schema, content, f"{path} is damaged")
    except AstroemuError as error:
        raise RunFolderError(str(error)) from None
    except (RecursionError, ValueError, OverflowError) as error:
        raise RunFolderError(f"{path} is damaged: {error}") from None
    return content
