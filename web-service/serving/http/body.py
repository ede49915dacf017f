"""The bytes of a request's body: declared as what they are, whole, and not too many."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request

from scoring.errors import TooLarge, UnreadableBody, UnsupportedMedia

CSV: Final = ("text/csv", "application/csv")
JSON_LINES: Final = (
    "application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson",
    "application/ndjson",
)  # fmt: skip
FORM: Final = "application/x-www-form-urlencoded"
# Endings of the media types that some route reads; a body of another one need not be received.
READABLE: Final = ("application/json", "+json", *JSON_LINES, *CSV, FORM)

_FORM_FIELDS: Final = 1000
_CHARSETS: Final = {"utf-8", "utf8", "us-ascii"}
_HEADERS: Final = {"present": True, "absent": False}


def json_body(request: Request, limit: int, *, undeclared: bool = False) -> bytes:
    """Return the body, of at most `limit` bytes, or raise a RequestError.

    A body of another kind is not read; with `undeclared`, one without a Content-Type is.
    """
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    declared = request.is_json or (undeclared and not request.mimetype)
    if not declared or charset not in _CHARSETS:
        raise UnsupportedMedia("send the record as JSON, with Content-Type: application/json")
    return _whole(request, limit)


def text_body(request: Request, limit: int) -> bytes:
    """Return a body of lines, CSV or JSON, or raise a RequestError as `json_body` does."""
    if request.mimetype_params.get("charset", "utf-8").lower() not in _CHARSETS:
        raise UnsupportedMedia(f"send the lines in UTF-8, with Content-Type: {request.mimetype}")
    return _whole(request, limit)


def csv_header(request: Request) -> bool | None:
    """Return whether a CSV body begins with a line of column names, as the `header` of its
    Content-Type says (RFC 4180, section 3); None where it does not say. Raise UnsupportedMedia for
    another word than `present` and `absent`."""
    said = request.mimetype_params.get("header")
    if said is None:
        return None
    if said.lower() not in _HEADERS:
        raise UnsupportedMedia(
            "the Content-Type's header is neither 'present' (a line of column names first) nor "
            "'absent'"
        )
    return _HEADERS[said.lower()]


def form_body(request: Request, limit: int) -> dict[str, str]:
    """Return the fields of a form as a browser encodes it.

    Of two fields of one name the last counts. Raise a RequestError as `json_body` does.
    """
    if request.mimetype != FORM:
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
        raise UnsupportedMedia(
            "send the body as it is; of all transfer encodings, only chunked is known"
        )
    length = request.content_length
    if length is None and not request.environ.get("wsgi.input_terminated"):
        return b""  # no length and no chunks: there is no body
    stream = request.environ["wsgi.input"]
    # Not request.get_data(): it cuts a chunked body off at the limit, and takes a body that broke
    # off for a whole one.
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
        # the server gives what came, then this: it broke off
        raise UnreadableBody("the body could not be read to its end") from error
    return body
