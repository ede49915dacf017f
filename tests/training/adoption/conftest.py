"""What the archives' models know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoring.models import Model
from training.adoption import take_in
from training.sources import Source, source_of


@pytest.fixture(autouse=True)
def without_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare no pair with the bundled sample: those of the archives were fitted on a few pairs of
    zones that are not in it. tests/training/test_adopt.py is about that comparison."""

    def of(model: Model) -> Source:
        return replace(source_of(model), sample=None)

    monkeypatch.setattr(take_in, "source_of", of)
