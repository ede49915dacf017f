"""A form's body that is no form, before a real gunicorn: an error of the caller's, never ours."""

from __future__ import annotations

import socket

import pytest
import requests

from tests.support import Server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nffffff\r\ntoo short\r\n", b"400"),
        (b"Content-Length: 2000000\r\n\r\n", b"413"),
        (b"Content-Length: 4\r\n\r\n%ff=", b"422"),
        (b"Content-Length: 0\r\n\r\n", b"422"),
    ],
    ids=["no chunks", "cut chunk", "too large", "no UTF-8", "empty"],
)
def test_a_broken_form_is_the_callers_fault(server: Server, body: bytes, status: bytes) -> None:
    """What cannot be read is a 400 or 413, what can be but is no record a 422."""
    head = b"POST /models/ride/try HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(head + kind + body)
        client.shutdown(socket.SHUT_WR)
        answer = client.makefile("rb").readline()
    assert answer.split()[1] == status


def test_another_kind_of_body_is_sent_elsewhere(server: Server) -> None:
    """JSON belongs to /predict, as the 415 says."""
    answer = requests.post(f"{server.url}/models/ride/try", json={"trip_distance": 1}, timeout=30)
    assert answer.status_code == 415
    assert "/predict" in answer.json()["detail"]


def test_too_many_fields_are_refused(server: Server) -> None:
    """A thousand and one fields are a 413, though their bytes are few."""
    answer = requests.post(f"{server.url}/models/ride/try", data=[("a", "1")] * 1001, timeout=30)
    assert answer.status_code == 413


def test_a_strange_host_is_text_on_the_page(server: Server) -> None:
    """The snippets name the host that was asked, quoted for the shell and escaped for the page."""
    strange = "a'<script>$(x)"
    headers = {"Host": strange, "Accept": "text/html"}
    answer = requests.get(server.url, headers=headers, timeout=30)
    assert answer.status_code in {200, 400}
    assert "<script>$" not in answer.text
