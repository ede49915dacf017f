"""The way of the tutorials: Flask, the pickled DictVectorizer and the model, no validation."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request

NAME = os.environ["MODEL"]
with Path(os.environ["PAIR"]).open("rb") as file:
    vectorizer, model = pickle.load(file)

app = Flask("tutorial")


def prepared(record: dict[str, Any]) -> dict[str, Any]:
    """Make the features of one record."""
    if NAME != "ride":
        return record
    zones = f"{record['PULocationID']}_{record['DOLocationID']}"
    return {"PU_DO": zones, "trip_distance": record["trip_distance"]}


def answers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is answered to rows of features, scored in one pass."""
    x = vectorizer.transform(rows)
    if NAME == "ride":
        return [{"duration": float(y)} for y in model.predict(x)]
    chances = model.predict_proba(x)[:, 1]
    return [{"churn_probability": float(p), "churn": bool(p >= 0.5)} for p in chances]


@app.post("/predict")
def predict() -> Any:
    """Answer one record as the tutorials do, or each of a list in that way."""
    sent = request.get_json()
    if isinstance(sent, list):
        return jsonify([answers([prepared(record)])[0] for record in sent])
    return jsonify(answers([prepared(sent)])[0])


@app.post("/predict/in-one-pass")
def predict_in_one_pass() -> Any:
    """Answer a list with one call of scikit-learn, which no tutorial does."""
    return jsonify(answers([prepared(record) for record in request.get_json()]))
