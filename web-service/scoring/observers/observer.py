"""`PredictionObserver`, which sees every prediction after it was made, and several as one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from scoring.errors import InvalidRecords
from scoring.predictor import Predictor, Scored

_log = logging.getLogger(__name__)


class Caller(NamedTuple):
    """Whose predictions they are, as the logs name it."""

    request_id: str
    key: str | None = None  # the name of the API key that it came with
    ids: Sequence[str] = ()  # one for each record, where every one is a request of its own
    carried: Sequence[Mapping[str, str]] = ()  # ids that each record carried along, where wanted


NO_CALLER: Final = Caller("")
_LONGEST_ID: Final = 128


def carried(value: object, wanted: Sequence[str]) -> dict[str, str]:
    """Return the ids that a JSON value carries along under these names, as texts; those that are
    neither a text nor a whole number, or too long, are left out."""
    if not isinstance(value, dict):
        return {}
    return {
        name: str(found)
        for name in wanted
        if type(found := value.get(name)) in (str, int) and len(str(found)) <= _LONGEST_ID
    }


class PredictionObserver(Protocol):
    """Called once for each request, batch or event that a model answered or refused.

    `wanted` names the ids beside a record's fields that are handed on as `Caller.carried`.

    It is called between the prediction and its answer, from several threads at once: it must take
    some microseconds at most, and leave what takes longer to a thread of its own.
    """

    @property
    def wanted(self) -> tuple[str, ...]: ...  # noqa: D102

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, caller: Caller
    ) -> None:
        """Take note of the predictions of one request of `caller`, which took `seconds`."""

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        """Take note of a request that was refused for its records."""

    def stop(self) -> None:
        """Finish what is pending: nothing more is predicted in this process."""


class Observers:
    """Several observers as one, which never raises.

    Where an observer does, the others are called all the same; the first failure of each kind is
    logged with its traceback.
    """

    def __init__(self, *observers: PredictionObserver) -> None:
        self._observers = observers
        self.wanted = tuple(name for observer in observers for name in observer.wanted)
        self._logged: set[tuple[str, str]] = set()  # observer and exception

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, caller: Caller
    ) -> None:
        """Tell every observer of the predictions of one request, which took `seconds`."""
        for observer in self._observers:
            try:
                observer.answered(predictor, scored, seconds, caller)
            except Exception as failure:  # noqa: BLE001  # whatever it is, the prediction is right
                self._failed(observer, failure)

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        """Tell every observer of a request that was refused for its records."""
        for observer in self._observers:
            try:
                observer.refused(predictor, error)
            except Exception as failure:  # noqa: BLE001  # the refusal is the answer
                self._failed(observer, failure)

    def stop(self) -> None:
        """Stop every observer."""
        for observer in self._observers:
            try:
                observer.stop()
            except Exception as failure:  # noqa: BLE001  # the others are to be stopped too
                self._failed(observer, failure)

    def _failed(self, observer: PredictionObserver, error: Exception) -> None:
        kind = type(observer).__name__, type(error).__name__
        if kind not in self._logged:
            self._logged.add(kind)
            _log.error("%s failed; predictions go on", kind[0], exc_info=error)
