"""Errors of a request, and of the start of the service.

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
        """Make the error with its reason."""
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
    """The body is not a JSON text (RFC 8259)."""

    status = 400


class NotCsv(RequestError):
    """The body is declared as CSV and cannot be read as such (RFC 4180)."""

    status = 400


class UnreadableBody(RequestError):
    """The body ended early, or its chunks were framed wrongly."""

    status = 400


class UnreadableTarget(RequestError):
    """The request target is not a valid URL path."""

    status = 400


class BadSignature(RequestError):
    """The webhook is not signed by its sender, is too old, or was received before."""

    status = 401


class Unauthorised(RequestError):
    """The request has no API key, or an unknown one."""

    status = 401


class Forbidden(RequestError):
    """The API key does not allow this route or model."""

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
    """The request took longer than TIMEOUT to arrive."""

    status = 408


class Overloaded(RequestError):
    """The limit of requests in flight or of connections is reached."""

    status = 503
    retry_after_s = 1


class NotReady(RequestError):
    """The service is stopping and should be sent no further requests."""

    status = 503
    retry_after_s = 1


class UnknownExpectation(RequestError):
    """The Expect header names something other than 100-continue."""

    status = 417


class InvalidRecords(RequestError):
    """The JSON is not a valid record: `errors` names every bad field."""

    status = 422


class InvalidQuery(RequestError):
    """A query parameter has an unknown value."""

    status = 422


class StartError(Exception):
    """The service cannot start; the message is one line that says what to do."""


class SettingsError(StartError):
    """An environment variable holds a value that cannot be used."""


class ArtifactError(StartError):
    """A model's files are missing, damaged, not an artifact, made for another version of the
    service, or cannot be written."""
