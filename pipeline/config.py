"""`pipeline.toml`: for each model, which data, what is refused, how it is trained."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import UsageError
from scoring.values.pydantic_errors import first_error

FILE: Final = Path("pipeline.toml")

_Share = Annotated[float, Field(ge=0, le=1)]
_Above = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Part):
    """Where new data comes from where `--data` names none."""

    folder: str | None = None  # of Parquet and CSV files, or s3://...; unset: published months
    months: Annotated[int, Field(ge=1, le=120)] = 2  # to learn from, before the one held out
    mirror: str | None = None  # an address that has the months as their publisher has them
    late_months: Annotated[int, Field(ge=1, le=120)] = 6  # by then the publisher has published
    ask_hours: Annotated[float, Field(ge=0)] = 6.0  # how long an answer of the publisher holds
    held_out: Annotated[float, Field(gt=0, lt=0.5)] = 0.2  # of the rows, where they are split
    learn_refused: bool = False  # from files that `check` refused, too


class Check(_Part):
    """What new data must be like. Rows and drift are those of the newest file."""

    min_rows: Annotated[int, Field(ge=1)] = 50
    rows: tuple[_Above, _Above] = (0.2, 5.0)  # of the mean of the files before
    max_dropped: _Share = 0.2  # share of rows that are no valid record
    max_missing: _Share = 0.1  # share of rows in which one field is missing
    max_psi: _Above = 0.1  # of a field, where the difference is more than chance


class Train(_Part):
    """How a candidate is made: the options of train.py."""

    estimator: str | None = None
    parameters: dict[str, str | int | float | bool] = {}
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    max_minutes: _Above = 120.0
    max_memory_mb: Annotated[int, Field(ge=256)] | None = None


class Search(_Part):
    """How long parameters are looked for before a candidate is trained: train.py's `--search`, of
    `train.estimator` where that is named, else of the quick ones."""

    trials: Annotated[int, Field(ge=0)] = 0  # 0: the parameters are those of `train`
    timeout_minutes: _Above = 30.0  # then the best so far is trained
    jobs: Annotated[int, Field(ge=1)] = 1  # processes that try at once
    space: tuple[str, ...] = ()  # NAME=VALUES, in place of the estimator's own
    max_us: _Above | None = None  # microseconds for one record; more cannot win
    max_bytes: Annotated[int, Field(ge=1)] | None = None

    @field_validator("space")
    @classmethod
    def _is_said_here(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if "=" not in text:  # a file's content would be in no step's key
                raise ValueError(f"'{text}' is not NAME=VALUES, as max_depth=2..6")
        return texts


class Gate(_Part):
    """What a candidate must be to serve."""

    margin: _Share = 0.0  # by which it may be worse than the champion in the deciding metric
    limits: dict[str, float] = {}  # metric -> value that it must not be worse than
    segments: tuple[str, ...] = ()  # fields in each of whose values it is compared
    segment_margin: _Share = 0.1
    segment_rows: Annotated[int, Field(ge=10)] = 200  # fewer say nothing
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    max_us: _Above | None = None  # microseconds for one record


class Promote(_Part):
    """Who lets a candidate serve."""

    approve: bool = False  # wait for `--approve`


class Watch(_Part):
    """When `watch` runs a model."""

    cron: tuple[str, ...] = ()  # as cron's first five fields, by the clock of `timezone`
    timezone: str = "UTC"
    new_data: bool = True  # a month, a file, an object, or other bytes of one
    look_minutes: _Above = 10.0  # from one look at the data, or the report, to the next
    monitoring: Literal["off", "warning", "alarm"] = "off"  # the state from which on it runs
    monitoring_hours: Annotated[int, Field(ge=1)] = 24  # the report's window
    debounce_seconds: Annotated[float, Field(ge=0)] = 60.0  # without another trigger
    cooldown_minutes: Annotated[float, Field(ge=0)] = 60.0  # after a run
    retry_minutes: _Above = 10.0  # after a run that failed
    min_new_rows: Annotated[int, Field(ge=0)] = 0
    max_a_week: Annotated[int, Field(ge=1)] = 7

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        from cronsim import CronSim, CronSimError

        for text in texts:
            try:
                comes = len(text.split()) == 5 and next(CronSim(text, datetime.now(UTC)), None)
            except CronSimError:
                comes = None
            if not comes:
                raise ValueError(f"'{text}' is no time in cron's five fields, as 30 5 * * 1")
        return texts

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, ZoneInfoNotFoundError):
            raise ValueError(f"there is no time zone '{name}', as Europe/Berlin") from None
        return name


class Observe(_Part):
    """How long a new champion is watched; the one before comes back at an alarm."""

    hours: Annotated[float, Field(ge=0)] = 24.0  # 0: not at all
    window_hours: Annotated[int, Field(ge=1)] = 1  # of a report; an alarm needs two of them


class Keep(_Part):
    """What stays in runs/MODEL/steps/."""

    runs: Annotated[int, Field(ge=0)] = 30  # the last ones whose steps stay; 0: all


class Config(_Part):
    """All of one model."""

    data: Data = Data()
    check: Check = Check()
    train: Train = Train()
    search: Search = Search()
    gate: Gate = Gate()
    promote: Promote = Promote()
    watch: Watch = Watch()
    observe: Observe = Observe()
    keep: Keep = Keep()

    @model_validator(mode="after")
    def _names_an_estimator(self) -> Config:
        own = self.search.space or self.train.parameters
        if self.search.trials and own and not self.train.estimator:
            raise ValueError("search.space and train.parameters need train.estimator in a search")
        return self


def models(path: Path | None) -> list[str]:
    """Return the names that a file has something to say of; without a path, `pipeline.toml`."""
    place = path or FILE
    return list(_found(place)) if path or place.exists() else []


def read(path: Path | None, model: str) -> Config:
    """Return what a file says of a model; without a path, of `pipeline.toml` where it is there.
    Raises UsageError with the first thing that is wrong in it."""
    place = path or FILE
    found = _found(place) if path or place.exists() else {}
    try:
        return Config.model_validate(found.get(model, {}))
    except ValidationError as error:
        raise UsageError(f"{place}: [{model}] {first_error(error)}") from None


def _found(place: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {place}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{place} cannot be read: {error}") from None
