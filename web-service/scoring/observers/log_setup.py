"""The prediction log that settings ask for."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from scoring.errors import SettingsError
from scoring.observers.log_files import Files
from scoring.observers.log_lines import Lines
from scoring.observers.log_settings import PredictionLogSettings
from scoring.observers.prediction_log import PredictionLog
from scoring.predictor import Predictor


def open_log(
    settings: PredictionLogSettings,
    predictors: Sequence[Predictor],
    counted: Callable[[int, int], None],
) -> PredictionLog | None:
    """Return the log that is asked for; raises SettingsError where it cannot be kept as asked.

    `counted(written, dropped)` is told how many lines were written, and how many were not.
    """
    if settings.prediction_log is None:
        return None
    fields = {name for predictor in predictors for name in predictor.model.record.model_fields}
    fields |= set(settings.prediction_log_id)
    for setting in ("prediction_log_omit", "prediction_log_hash"):
        # a misspelt name would put into the log what must not be there
        for name in getattr(settings, setting):
            if name not in fields:
                raise SettingsError(
                    f"{setting.upper()} names '{name}', which no model has as a field; "
                    f"the fields are: {', '.join(sorted(fields))}"
                )
    if settings.prediction_log_hash and not settings.prediction_log_secret:
        raise SettingsError(
            "PREDICTION_LOG_HASH needs PREDICTION_LOG_SECRET, of 16 characters or more"
        )
    files = Files(
        settings.prediction_log,
        max_bytes=settings.prediction_log_max_bytes,
        keep=settings.prediction_log_keep,
    )
    try:
        files.check()
    except OSError as error:
        what = error.strerror
        if error.errno == errno.ELOOP:
            what = "it is a symbolic link, which is not followed"
        raise SettingsError(f"PREDICTION_LOG={settings.prediction_log}: {what}") from error
    lines = Lines(
        settings.prediction_log_omit,
        settings.prediction_log_hash,
        settings.prediction_log_secret or "",
    )
    return PredictionLog(
        files,
        lines,
        counted,
        wanted=settings.prediction_log_id,
        refusals=settings.prediction_log_refused == "on",
    )
