"""The model that a command names."""

from __future__ import annotations

from pipeline.errors import UsageError
from scoring.models import Model, discover, refused


def model_of(name: str) -> Model:
    """Return a model by its name. Raises UsageError where there is none, or its file is refused."""
    if name in (reasons := refused()):
        raise UsageError(reasons[name])
    models = discover()
    if name not in models:
        raise UsageError(f"there is no model '{name}'; there are {', '.join(models)}")
    return models[name]
