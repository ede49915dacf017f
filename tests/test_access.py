"""A real gunicorn behind keys and TLS, and its traces at a real collector's door."""

from __future__ import annotations

import datetime
import hashlib
import http.client
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scoring.models import discover
from tests.support import Server, post, serving, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)


def line(name: str, scope: str, key: str) -> str:
    return f"{name} {scope} sha256:{hashlib.sha256(key.encode()).hexdigest()}\n"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_keys_hold_on_both_ways_and_change_without_a_restart(
    models_dir: Path, tmp_path: Path
) -> None:
    """A record alone and an array are refused alike; the log names whose key it was; a key that
    is taken out of the file is refused soon."""
    file = tmp_path / "keys"
    file.write_text(line("shop", "predict", "one") + line("ops", "admin", "two"))
    with serving(models_dir, tmp_path / "log", WORKERS="1", API_KEYS_FILE=str(file)) as server:
        url = f"{server.url}/predict"
        for value in (EXAMPLE, [EXAMPLE] * 500):
            assert post(url, value).status_code == 401
            assert post(url, value, bearer("wrong")).status_code == 401
            assert post(url, value, bearer("one")).status_code == 200
        assert post(url, EXAMPLE).content == post(url, [EXAMPLE] * 500).content
        aside = tmp_path / "new"
        aside.write_text(line("ops", "admin", "two") + line("other", "predict", "three"))
        aside.replace(file)
        wait_for(lambda: post(url, EXAMPLE, bearer("one")).status_code == 401, "the key to go")
        assert post(url, EXAMPLE, bearer("three")).status_code == 200

        def named() -> set[str | None]:
            log = [json.loads(text) for text in server.log.read_text().splitlines()]
            return {entry.get("key") for entry in log if entry["event"] == "request"}

        wait_for(lambda: named() == {None, "shop", "other"}, "the log")
        assert "Bearer" not in server.log.read_text()


# --- TLS, by gunicorn's own options


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, Any] | None = None
) -> tuple[x509.Certificate, Any]:
    """Writes `name`.pem and `name`.key, signed by `issuer` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made, key


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, and a server's and a client's signed by it."""
    folder = tmp_path_factory.mktemp("pki")
    authority = certificate(folder, "authority")
    certificate(folder, "server", authority)
    certificate(folder, "client", authority)
    certificate(folder, "stranger")
    return folder


def context(pki: Path, client: str | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=pki / "authority.pem")
    if client:
        made.load_cert_chain(pki / f"{client}.pem", pki / f"{client}.key")
    return made


def ask(server: Server, tls: ssl.SSLContext) -> tuple[int, Any]:
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=tls, timeout=30)
    try:
        answers = []
        for value in (EXAMPLE, EXAMPLE):  # the second on the kept connection
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/predict", json.dumps(value), headers)
            response = connection.getresponse()
            answers.append((response.status, json.loads(response.read())))
    finally:
        connection.close()
    assert answers[0] == answers[1]
    return answers[0]


def test_tls_is_gunicorns(models_dir: Path, tmp_path: Path, pki: Path) -> None:
    """--certfile and --keyfile, in GUNICORN_CMD_ARGS for a container; plain HTTP gets nothing."""
    arguments = f"--certfile {pki}/server.pem --keyfile {pki}/server.key"
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": arguments}
    with serving(models_dir, tmp_path / "log", verify=pki / "authority.pem", **more) as server:
        status, answer = ask(server, context(pki))
        assert (status, "duration" in answer) == (200, True)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{server.port}/ping", timeout=30)
        with pytest.raises(ssl.SSLError):
            ask(server, ssl.create_default_context())
        assert "Traceback" not in server.log.read_text()


def test_mutual_tls_lets_in_whom_the_authority_signed(
    models_dir: Path, tmp_path: Path, pki: Path
) -> None:
    """--ca-certs and --cert-reqs 2: a certificate is asked for, and another authority's is none."""
    arguments = (
        f"--certfile {pki}/server.pem --keyfile {pki}/server.key "
        f"--ca-certs {pki}/authority.pem --cert-reqs 2"
    )
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": arguments}
    both = (pki / "client.pem", pki / "client.key")
    ready = {"verify": pki / "authority.pem", "certificate": both}
    with serving(models_dir, tmp_path / "log", **ready, **more) as server:
        assert ask(server, context(pki, "client"))[0] == 200
        for nobody in (None, "stranger"):
            with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
                ask(server, context(pki, nobody))
        assert ask(server, context(pki, "client"))[0] == 200


# --- traces


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An address that takes OTLP over HTTP, and the spans that it has been sent."""
    spans: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server calls it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                pytest.fail("not asked for")
            sent = ExportTraceServiceRequest.FromString(body)
            spans.extend(
                (resource.resource, span)
                for resource in sent.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
        server.shutdown()


def test_a_trace_goes_on_in_the_log_and_at_the_collector(
    models_dir: Path, tmp_path: Path, collector: tuple[str, list[Any]]
) -> None:
    """The caller's trace id is in the log and in the span, whose parent is the caller's; without
    one, or with an ill-formed one, a new trace begins."""
    address, spans = collector
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with serving(models_dir, tmp_path / "log", WORKERS="1", **more) as server:
        headers = {"traceparent": f"00-{trace}-{parent}-01"}
        assert post(f"{server.url}/predict", EXAMPLE, headers).status_code == 200
        assert post(f"{server.url}/predict/churn", {}, headers).status_code == 422
        assert (
            post(f"{server.url}/predict", EXAMPLE, {"traceparent": "00-0-0-0"}).status_code == 200
        )
        wait_for(lambda: len([s for _, s in spans if "predict" in s.name]) == 3, "the spans")
        log = [json.loads(text) for text in server.log.read_text().splitlines()]
    predicted = [(resource, span) for resource, span in spans if "predict" in span.name]
    assert [span.name for _, span in predicted[:2]] == ["POST /predict", "POST /predict/<name>"]
    assert [span.trace_id.hex() == trace for _, span in predicted] == [True, True, False]
    assert [span.parent_span_id.hex() for _, span in predicted] == [parent, parent, ""]
    attributes = {a.key: a.value for a in predicted[0][1].attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["model.name"].string_value == "ride"
    named = {a.key: a.value.string_value for a in predicted[0][0].attributes}
    assert named["service.name"] == "prediction-service"
    logged = [entry["trace_id"] for entry in log if entry.get("route", "").startswith("/predict")]
    assert logged == [span.trace_id.hex() for _, span in predicted]
