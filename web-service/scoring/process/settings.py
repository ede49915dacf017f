"""Settings that come from environment variables, and those that every way to use a model shares."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from scoring.errors import SettingsError
from scoring.process.secret_values import is_secret, of_environment
from scoring.process.variable_names import check_names
from scoring.values.pydantic_errors import message

_PROJECT: Final = Path(__file__).resolve().parents[3]
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHOWN: Final = 200  # characters of a value in a message


def comma_separated(value: object) -> object:
    """Return the parts of a text between its commas, stripped; anything else as it is."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


class EnvironmentSettings(BaseModel):
    """Frozen settings; each field is the environment variable of its name in capitals."""

    model_config = ConfigDict(frozen=True)

    # Variables that another program of ours reads in the same environment: no misspelling of these.
    of_others: ClassVar[tuple[str, ...]] = ()
    # Those that say how a thing is done, by the one that asks for the thing.
    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings in `environ`; an empty value, or only spaces, counts as not set.

        Raises SettingsError with one line that names each bad variable, and each whose name is
        almost that of a setting, or which is set in vain.
        """
        cls.check_environment(environ)
        values = {name: environ.get(name.upper(), "").strip() for name in cls.model_fields}
        given = {name: value for name, value in values.items() if value}
        wrong = {
            name: "must not hold a line break or another control character"
            for name, value in given.items()
            if _CONTROL.search(value)
        }
        try:
            settings = cls.model_validate({name: given[name] for name in given.keys() - wrong})
        except ValidationError as error:
            lines = error.errors(include_url=False)
            wrong |= {str(line["loc"][0]): message(line) for line in lines}
        if wrong:
            problems = [
                f"{name.upper()}={printable(name, given[name])}: {wrong[name]}"
                for name in given
                if name in wrong
            ]
            raise SettingsError("; ".join(problems))
        for needed, details in cls.details_of.items():
            in_vain = [name for name in details if name.lower() in given]
            if in_vain and needed.lower() not in given:
                raise SettingsError(
                    f"{' and '.join(in_vain)} {'is' if len(in_vain) == 1 else 'are'} set in vain "
                    f"without {needed}: set {needed} too, or unset {' and '.join(in_vain)}"
                )
        return settings

    @classmethod
    def check_environment(cls, environ: Mapping[str, str]) -> None:
        """Raise SettingsError for variables that are set in vain, as far as that can be known."""
        own = [name.upper() for name in cls.model_fields]
        check_names({n: v for n, v in environ.items() if n not in cls.of_others}, own)

    @classmethod
    def anchored(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """Return each variable of `environ` that names a path, with what is relative to the working
        folder as absolute: for a process that is about to work in another."""
        found = {}
        for name, field in cls.model_fields.items():
            value = environ.get(name.upper(), "").strip()
            if value and name == "model_code":
                paths = [part.strip() for part in value.split(os.pathsep) if part.strip()]
                paths = [p if p.startswith("~") else str(Path(p).absolute()) for p in paths]
                found[name.upper()] = os.pathsep.join(paths)
            elif value and _is_path(field.annotation):
                found[name.upper()] = str(Path(value).absolute())
        return found

    def secrets(self) -> set[str]:
        """Return the texts that must not be logged, in every form in which they may appear."""
        values = {name: str(value) for name, value in self if value is not None}
        return of_environment(values)


def _model_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError(
            f"{value!r} is not a model's name: those are in lower case, several are separated by "
            "commas, and none follows the last comma"
        )
    return value


def _is_path(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, Path)
    return any(_is_path(part) for part in get_args(annotation))


class ModelSettings(EnvironmentSettings):
    """Which models are used, and how much is logged."""

    models: Annotated[
        tuple[Annotated[str, AfterValidator(_model_name)], ...],
        BeforeValidator(comma_separated),
    ] = Field(
        default=(),
        description="Models to serve, separated by commas; the first one answers `POST /predict`.",
    )
    models_dir: Path = Field(
        default=_PROJECT / "models",
        description="Folder with one folder for each model; `models` next to `web-service`.",
    )
    model_code: str | None = Field(
        default=None, description="Folders with model files of your own, separated by `:`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`auto` writes JSON lines, and text on a terminal."
    )


def without_credentials(uri: str) -> str:
    """Return an address without the user and password that it may hold."""
    return re.sub(r"//[^/]*@", "//", uri)


def printable(name: str, value: Any) -> str:
    """Return a setting's value as an error message may show it."""
    if is_secret(name):
        return "(not shown)"
    shown = without_credentials(value)[:_SHOWN] if isinstance(value, str) else value
    return f"{shown!r}{'...' if isinstance(value, str) and len(value) > _SHOWN else ''}"
