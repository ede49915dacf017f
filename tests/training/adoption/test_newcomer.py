"""From a foreign pickle and its CSV to a running page: two commands, and nothing by hand."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tests.support import ROOT, environment, serving
from tests.training.sketch.tables import features, tips, write_notebook

pytestmark = pytest.mark.slow

# as a person types them into the page's form, and what the notebook made of them
TYPED = {"from_zone": "2", "to_zone": "3", "Vendor_Name": "CMT", "fare": "31.5", "passengers": "2"}
ALONE = pd.DataFrame(
    [{"from_zone": 2, "to_zone": 3, "Vendor Name": "CMT", "fare": 31.5, "passengers": 2}]
)


def test_two_commands_make_a_page(tmp_path: Path) -> None:
    """A regression of somebody's notebook: its prediction is on the page, in the browser's form and
    by JSON, and the card says how good it is."""
    dv, fitted = write_notebook(tmp_path, RandomForestRegressor(5, random_state=1))
    tips().to_csv(tmp_path / "tips.csv", index=False)
    answer, card = by_two_commands(tmp_path, "tip", "tips.csv")
    [expected] = fitted.predict(dv.transform(features(ALONE)))
    assert answer["tip"] == pytest.approx(expected)
    assert "RMSE" in card


@pytest.mark.long
def test_two_commands_make_a_page_of_classes(tmp_path: Path) -> None:
    """Three words: the likeliest is on the page, with the others behind it."""
    fare = tips()["fare"]
    size = np.where(fare < 20, "small", np.where(fare < 40, "middle", "large"))
    dv, fitted = write_notebook(tmp_path, RandomForestClassifier(5, random_state=1), share=size)
    table = tips().drop(columns=["tip", "tip_cents"]).assign(size=size)
    table.to_csv(tmp_path / "sizes.csv", index=False)
    answer, card = by_two_commands(tmp_path, "size", "sizes.csv")
    [shares] = fitted.predict_proba(dv.transform(features(ALONE)))
    assert answer["probabilities"] == pytest.approx(
        dict(zip(fitted.classes_.tolist(), shares, strict=True))
    )
    assert "Log loss" in card


def by_two_commands(folder: Path, target: str, table: str) -> tuple[dict[str, Any], str]:
    """Return what the page answers to TYPED, which is what JSON answers, and the model's card."""
    mine = {"MODEL_CODE": str(folder)}
    words = ["mine", "notebook.pkl", "--data", table, "--target", target, "--output", "models"]
    done = subprocess.run(
        [sys.executable, "-m", "training.adopt", *words], cwd=folder, check=False,
        env=environment(PYTHONPATH=f"{ROOT / 'web-service'}:{ROOT}", **mine),
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with serving(folder / "models", folder / "log", MODELS="mine", WORKERS="1", **mine) as server:
        browser = {"Accept": "text/html"}
        home = requests.get(f"{server.url}/", headers=browser, timeout=30)
        assert home.status_code == 200
        for name in TYPED:
            assert f'id="mine-{name}"' in home.text
        page = requests.post(f"{server.url}/models/mine/try", data=TYPED, timeout=30).text
        [shown] = re.findall(r'<code id="mine-json" data-live>(.*?)</code>', page, re.DOTALL)
        answer: dict[str, Any] = json.loads(html.unescape(shown))
        record = {name: json.loads(text) if name != "Vendor_Name" else text
                  for name, text in TYPED.items()}  # fmt: skip
        assert requests.post(f"{server.url}/predict", json=record, timeout=30).json() == answer
        card = requests.get(f"{server.url}/models/mine/card", headers=browser, timeout=30).text
        document = requests.get(f"{server.url}/openapi.json", timeout=30).json()
    assert "MineRecord" in document["components"]["schemas"]
    return answer, card
