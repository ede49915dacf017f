"""The bytes of a request's body: declared as what they are, whole, and not too many."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import Flask, Request, Response, request
from gunicorn.http.errors import ParseException

from scoring.errors import TooLarge, UnreadableBody, UnsupportedMedia

# Most clients send all of their body before they listen, and would see a broken connection instead
# of the answer that says why. So what is too large is thrown away as it comes: this much, so long.
_DISCARDED_BYTES: Final = 64 * 1024 * 1024
_DISCARDED_S: Final = 5.0

_FORM_FIELDS: Final = 1000


def json_body(request: Request, limit: int) -> bytes:
    """Gives the body, of at most `limit` bytes, or raises a RequestError. A body of another kind is
    not read."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if not request.is_json or charset not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("send the record as JSON, with Content-Type: application/json")
    return _whole(request, limit)


def form_body(request: Request, limit: int) -> dict[str, str]:
    """Gives the fields of a form that a page sent, as the browser encodes it, the last of two of
    the same name; raises a RequestError as `json_body` does."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("this is for the home page's form; programs POST to /predict")
    text = _whole(request, limit).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS)
    except ValueError as error:
        raise TooLarge(f"more than {_FORM_FIELDS} fields in one form") from error
    return dict(pairs)


def _whole(request: Request, limit: int) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("send the body as it is, without a Content-Encoding")
    codings = request.headers.get("Transfer-Encoding", "chunked").lower()
    if codings != "chunked":
        raise UnsupportedMedia("send the body as it is, without a Transfer-Encoding but chunked")
    length = request.content_length
    if length is None and not request.environ.get("wsgi.input_terminated"):
        return b""  # no length and no chunks: there is no body
    stream = request.environ["wsgi.input"]
    # Not request.get_data(): it cuts a chunked body off at the limit, and takes one that broke off
    # for one that is whole.
    too_large = length is not None and length > limit
    body = b"" if too_large else _read(stream, limit + 1 if length is None else length)
    if too_large or len(body) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes")
    if length is not None and len(body) < length:
        raise UnreadableBody(f"the body ended after {len(body)} of {length} bytes")
    return body


def _read(stream: Any, size: int) -> bytes:
    try:
        body: bytes = stream.read(size)
    except OSError as error:
        # gunicorn reads chunks as we ask for them: a malformed one shows here
        raise UnreadableBody("the body could not be read to its end") from error
    return body


def init_app(app: Flask) -> None:
    """Has every body that an error leaves unread, a page's that is not there as well as one that is
    too large, thrown away after the answer."""

    @app.after_request
    def discard_the_rest(response: Response) -> Response:
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            response.call_on_close(partial(_discard, request.environ))
        return response


def _discard(environ: dict[str, Any]) -> None:
    end = time.monotonic() + _DISCARDED_S
    left = _DISCARDED_BYTES
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return  # a test's request, which nobody sends
    with contextlib.suppress(OSError):
        while left > 0 and (seconds := end - time.monotonic()) > 0:
            connection.settimeout(seconds)
            piece = environ["wsgi.input"].read(min(left, 65536))
            left = left - len(piece) if piece else 0
    connection.settimeout(None)


class FramedBody:
    """A gunicorn request's body, for the hook `pre_request`, that ends a connection out of step.

    After a malformed chunk nobody knows where the next request begins, and gunicorn would answer
    what follows as if it were one. It does close the connection when the rest of a body does not
    come in time: so a body that is malformed once never comes again.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._broken = False

    def read(self, size: int | None = None) -> bytes:
        """Gives at most `size` bytes; raises TimeoutError from a malformed chunk on."""
        if self._broken:
            raise TimeoutError
        try:
            data: bytes = self._body.read(size)
        except (ParseException, OSError) as error:
            self._broken = True
            raise TimeoutError from error
        return data
