"""The best of the usual ways: FastAPI with a pydantic record, an async route, scikit-learn."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from fastapi import FastAPI

from scoring.models import Answer, discover

MODEL = discover()[os.environ["MODEL"]]
Body = MODEL.record
with Path(os.environ["PAIR"]).open("rb") as file:
    vectorizer, estimator = pickle.load(file)

app = FastAPI()


async def predict(record) -> Answer:  # type: ignore[no-untyped-def]
    """Answer one validated record."""
    x = vectorizer.transform([MODEL.features(record)])
    if MODEL.task == "classification":
        return MODEL.answer(float(estimator.predict_proba(x)[0, 1]), MODEL.threshold)
    return MODEL.answer(float(estimator.predict(x)[0]), MODEL.threshold)


predict.__annotations__["record"] = Body  # the class is known only now
app.post("/predict", response_model=None)(predict)
