"""What can go wrong on the way of a request, and before the first one.

    body --decode--> JSON --validate--> records --score--> answer
         NotJson          InvalidRecords         (anything else: 500, logged whole)

    settings --> SettingsError     models/ --> ArtifactError      both stop the start

A `RequestError` is the caller's fault, knows its HTTP status and says what to do about it. A
`StartError` is one clear line for the person who starts the service.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

# Why a field is bad, in few words that never become more: the metrics count by them.
Reason = Literal["missing", "type", "range", "choice", "repeated", "other"]


class _Line(NamedTuple):
    field: str
    problem: str


class FieldError(_Line):
    """One bad field: where it is (`trip_distance`, `[42].trip_distance`) and what is wrong, for
    people and, as its `reason`, for counting."""

    reason: Reason = "other"

    @classmethod
    def because(cls, reason: Reason, field: str, problem: str) -> FieldError:
        """Gives one with its reason."""
        made = cls(field, problem)
        made.reason = reason
        return made


class RequestError(Exception):
    """The request cannot be answered as it is; `detail` says why and what would work."""

    status: ClassVar[int]
    retry_after_s: ClassVar[int] = 0  # when it is worth another try; 0: it is not

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class NotJson(RequestError):
    """The body is no JSON text (RFC 8259)."""

    status = 400


class NotCsv(RequestError):
    """The body is declared as CSV and is none (RFC 4180)."""

    status = 400


class UnreadableBody(RequestError):
    """The body's bytes broke off or were framed wrongly."""

    status = 400


class UnreadableTarget(RequestError):
    """What is asked for is no address."""

    status = 400


class BadSignature(RequestError):
    """A webhook that its sender did not sign, or that came late or twice."""

    status = 401


class Unauthorised(RequestError):
    """The request brings no API key, or none that is known."""

    status = 401


class Forbidden(RequestError):
    """The API key is for something else."""

    status = 403


class UnknownModel(RequestError):
    """No model of that name is served."""

    status = 404


class TooLarge(RequestError):
    """More bytes or more records than one request may hold."""

    status = 413


class UnsupportedMedia(RequestError):
    """The body is declared as something other than plain JSON."""

    status = 415


class TooSlow(RequestError):
    """The request took longer to come than it may."""

    status = 408


class Overloaded(RequestError):
    """More is in line than will be answered soon."""

    status = 503
    retry_after_s = 1


class NotReady(RequestError):
    """The service cannot be sent requests now."""

    status = 503
    retry_after_s = 1


class UnknownExpectation(RequestError):
    """The caller expects what no server of ours knows."""

    status = 417


class InvalidRecords(RequestError):
    """JSON, but no valid record: `errors` names every bad field."""

    status = 422


class InvalidQuery(RequestError):
    """A parameter behind the question mark has a value that it does not take."""

    status = 422


class StartError(Exception):
    """The service cannot start; the message is one line that says what to do."""


class SettingsError(StartError):
    """An environment variable holds a value that cannot be used."""


class ArtifactError(StartError):
    """A model's files are missing, damaged, foreign or do not fit this service."""
