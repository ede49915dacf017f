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
    """Makes the features of one record."""
    if NAME != "ride":
        return record
    zones = f"{record['PULocationID']}_{record['DOLocationID']}"
    return {"PU_DO": zones, "trip_distance": record["trip_distance"]}


@app.post("/predict")
def predict() -> Any:
    """Answers one record, or a list of them."""
    sent = request.get_json()
    rows = [prepared(record) for record in (sent if isinstance(sent, list) else [sent])]
    x = vectorizer.transform(rows)
    if NAME == "ride":
        answers = [{"duration": float(y)} for y in model.predict(x)]
    else:
        chances = model.predict_proba(x)[:, 1]
        answers = [{"churn_probability": float(p), "churn": bool(p >= 0.5)} for p in chances]
    return jsonify(answers if isinstance(sent, list) else answers[0])
