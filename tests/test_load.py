"""The load generator tells a lost answer from a connection that was never taken."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.load import Fate, Load, Request
from tests.support import free_port, wait_for

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
ASKED = [Request.of("/predict", {})]

Talk = Callable[[socket.socket], None]


def reset(connection: socket.socket) -> None:
    """Have the connection end with a reset as it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def take_request(connection: socket.socket) -> bool:
    """Read a whole request of `ASKED`; return whether there was one."""
    with connection.makefile("rb") as stream:
        while (line := stream.readline()) not in (b"", b"\r\n"):
            pass
        return bool(line and stream.read(2))


def answering(*parts: bytes) -> Talk:
    """Return what sends each of `parts` once a request has come, and then hangs up."""

    def talk(connection: socket.socket) -> None:
        for part in parts:
            if not take_request(connection):
                return
            connection.sendall(part)

    return talk


def resetting(connection: socket.socket) -> None:
    take_request(connection)
    reset(connection)


def hanging_up(connection: socket.socket) -> None:
    take_request(connection)


@pytest.fixture
def listen() -> Iterator[Callable[[Talk], tuple[str, int]]]:
    """Start a server that treats each of its connections in one way, one after the other."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(talk: Talk) -> tuple[str, int]:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def work() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    talk(connection)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        host, port = listening.getsockname()
        return host, port

    yield start
    for one in sockets:
        one.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() would not
        one.close()
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize(
    ("talk", "fate"),
    [
        (resetting, Fate.UNACCEPTED),
        (hanging_up, Fate.UNACCEPTED),
        (answering(WHOLE, b""), Fate.CLOSED),
        (answering(WHOLE[:9]), Fate.BROKEN),
        (answering(WHOLE[:30]), Fate.BROKEN),
        (answering(WHOLE[:-1]), Fate.BROKEN),
        (answering(b"no HTTP at all\r\n"), Fate.BROKEN),
    ],
    ids=["reset", "hung up", "kept, then closed", "in its first line", "in its head", "in its body",
         "garbage"],
)  # fmt: skip
def test_a_failure_is_told_by_how_far_the_request_got(
    listen: Callable[[Talk], tuple[str, int]], talk: Talk, fate: Fate
) -> None:
    """Before any byte on a new connection, before any on a kept one, or within the answer."""
    with Load(listen(talk), ASKED, clients=1) as load:
        wait_for(lambda: load.failures, "a failure")
    assert {failure.fate for failure in load.failures} == {fate}
    assert bool(load.total()) == (fate is Fate.CLOSED)


def test_nobody_who_listens_is_no_loss() -> None:
    """A refused connection ends the client that is to ask until then."""
    load = Load(("127.0.0.1", free_port()), ASKED, clients=2, until_refused=True)
    with load:
        load.join()
    assert [failure.fate for failure in load.failures] == [Fate.REFUSED] * 2
    assert not load.answers


def test_an_announced_close_is_followed_by_another_connection(
    listen: Callable[[Talk], tuple[str, int]],
) -> None:
    """Nothing fails, and answers are counted by request and status."""
    asked = [Request.of("/a", {}), Request.of("/b?c=1", {}, name="/b")]
    with Load(listen(answering(WHOLE, LAST)), asked, clients=1) as load:
        wait_for(lambda: load.total() >= 8, "answers")
    assert load.failures == []
    assert set(load.answers) == {("/a", 200), ("/b", 200)}
    assert load.everybody_has(8)


def test_a_wrong_answer_is_kept(listen: Callable[[Talk], tuple[str, int]]) -> None:
    """The check sees status, headers and body, and its words are kept."""
    address = listen(answering(LAST))
    with Load(address, ASKED, clients=1, check=lambda a: f"{a.status} {a.body!r}") as load:
        wait_for(lambda: load.wrong, "an answer")
    assert set(load.wrong) == {"200 b'{}'"}
