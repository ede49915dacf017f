"""Other model servers, each in a virtual environment of its own under benchmarks/.venv-NAME."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Server
from scoring.models import Model

_HERE = Path(__file__).resolve().parent
_COMMON = ("scikit-learn==1.9.1", "flask")


@dataclass(frozen=True)
class Peer:
    """What it needs, how it is started, where it answers. `{bin}` is its environment's folder."""

    title: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    path: str


PEERS = {
    "litserve": Peer(
        "LitServe",
        ("litserve",),
        ("{bin}/python", "benchmarks/rivals/peer_litserve.py", "{port}"),
        "/predict",
    ),
    "bentoml": Peer(
        "BentoML",
        ("bentoml",),
        ("{bin}/bentoml", "serve", "benchmarks.rivals.peer_bentoml:Rides", "--port", "{port}"),
        "/predict",
    ),
    "mlserver": Peer(
        "MLServer, custom runtime",
        ("mlserver",),
        ("{bin}/python", "benchmarks/rivals/peer_mlserver.py", "{port}"),
        "/v2/models/ride/infer",
    ),
    "mlflow": Peer(
        "mlflow models serve",
        ("mlflow==3.17.2",),
        ("{bin}/python", "benchmarks/rivals/peer_mlflow.py", "{port}"),
        "/invocations",
    ),
}


def installed(pair: Path) -> tuple[list[Server], dict[str, str]]:
    """Return the servers of those that can be installed, and why the others cannot."""
    found, failed = [], {}
    for name, peer in PEERS.items():
        folder = _HERE / f".venv-{name}"
        try:
            _install(folder, peer)
        except subprocess.CalledProcessError as error:
            failed[f"{peer.title}, ride"] = (error.stderr or b"").decode().strip()[-300:]
            continue
        # `{port}` is for the server to fill in
        command = tuple(word.replace("{bin}", str(folder / "bin")) for word in peer.command)
        environ = {"PAIR": str(pair), "MODEL": "ride"}
        found.append(Server(peer.title, command, path=peer.path, environ=environ, wrapped=True))
    return found, failed


def wrapped(server: Server, model: Model) -> bytes:
    """Return the example as the peer at this path takes it."""
    example = dict(model.example)
    shapes = {
        "/invocations": {"dataframe_records": [example]},
        "/v2/models/ride/infer": {
            "inputs": [
                {"name": k, "shape": [1], "datatype": "FP64", "data": [v]}
                for k, v in example.items()
            ]
        },
    }
    return json.dumps(shapes.get(server.path, {"ride": example})).encode()


def _install(folder: Path, peer: Peer) -> None:
    if (folder / "done").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *_COMMON, *peer.packages], check=True, capture_output=True)
    (folder / "done").touch()
