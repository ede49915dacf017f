"""The state of a model, as monitoring's report has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pipeline.champions import champion_of
from pipeline.errors import PipelineError, UsageError
from pipeline.run import Asked
from pipeline.shared.store import Store
from scoring.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from monitoring import report

KIND: Final = "monitoring"
STORE: Final = "MONITORING_STORE"
_LEVELS: Final = ("quiet", "warning", "alarm")


def look(asked: Asked, store: Store) -> None:
    """Add an event where the report's state is at least the one that is waited for: one a day for
    each version that serves. Raises PipelineError where there is no report."""
    config = asked.config.watch
    champion = champion_of(asked.model, asked.environ)
    if config.monitoring == "off" or champion is None:
        return
    made = report_of(asked, config.monitoring_hours)
    if _LEVELS.index(made.state) < _LEVELS.index(config.monitoring):
        return
    day = made.window.end // 24
    identity = f"{KIND}:{champion.sha256[:12]}:{made.state}:{day}"
    words = "; ".join(one.sentence for one in made.findings if one.state != "quiet")
    store.add_event(asked.model.name, KIND, identity, f"{made.state} of monitoring: {words}")


def report_of(asked: Asked, hours: int, end: int | None = None) -> report.Report:
    """Return monitoring's report of the hours before `end`, else before the last whole one, against
    the training. Raises PipelineError where monitoring's store does not answer."""
    from monitoring import (  # scipy: not for other commands
        errors,
        report,
        store,
        trainings,
        windows,
    )

    champion = [f"models:/{asked.model.registered_name}@champion"]
    registered = asked.environ.get("MLFLOW_TRACKING_URI")
    try:
        found = store.Store(place_of(asked.environ))
        settings = RegistrySettings.from_env(asked.environ)
        trainings.note(found, settings, champion if registered else [])
        end = windows.hour_of(None) if end is None else end
        return report.report(found, asked.model.name, hours, end, "training")
    except errors.MonitoringError as error:
        raise PipelineError(f"there is no report: {error}") from None


def place_of(environ: Mapping[str, str]) -> str:
    """Return where monitoring's store is. Raises UsageError where that is not said."""
    if not (place := environ.get(STORE)):
        raise UsageError(f"{STORE} is not set: it names the store of `python -m monitoring`")
    return place
