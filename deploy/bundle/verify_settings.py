"""The checks of what a bundle tells the platform: its options, its health, its proxy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from deploy.bundle import options
from deploy.bundle.archive import Bundle
from serving.settings import Settings

MAX_BODY_BYTES: Final = Settings.model_fields["max_body_bytes"].default


def known_options(bundle: Bundle) -> Iterator[str]:
    """A misspelt option is refused after the upload, or never noticed."""
    found_options, unreadable = bundle.settings
    yield from unreadable
    seen: dict[tuple[str, str], str] = {}
    for file, namespace, name, value in found_options:
        place = f"{file}: {namespace} / {name}"
        if found := options.wrong(namespace, name, value):
            yield f"{file}: {found}"
        if isinstance(value, bool | float | int):
            yield f"{place}: write the value as a text, in quotes"
        if (namespace, name) in seen:
            yield f"{place} is set in {seen[namespace, name]} already"
        seen[namespace, name] = file
        if name == "ConfigDocument":
            try:
                json.loads(str(value))
            except ValueError:
                yield f"{place} is not JSON"


def health_path(bundle: Bundle) -> Iterator[str]:
    """By default the platform asks for the page for people, and counts callers' mistakes."""
    found = {(namespace, name): value for _, namespace, name, value in bundle.settings[0]}
    for place in (
        ("aws:elasticbeanstalk:application", "Application Healthcheck URL"),
        ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath"),
    ):
        if found.get(place) != "/ping":
            yield f"{' / '.join(place)} is {found.get(place)}, not /ping"
    rules = found.get(("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument"), "")
    if not re.search(r'"ApplicationRequests4xx":\s*\{"Enabled":\s*false\}', str(rules)):
        yield "no rule keeps 4xx answers from counting against the environment's health"


def body_size(bundle: Bundle) -> Iterator[str]:
    """The limit of nginx itself is 1 MB and its answer a page of HTML."""
    files = bundle.below(".platform/nginx/conf.d/")
    bare = re.sub(r"#.*", "", "\n".join(bundle.text(file) for file in files))
    sizes = re.findall(r"\bclient_max_body_size\s+([^;\s]+)\s*;", bare)
    if sizes != [str(MAX_BODY_BYTES)]:
        yield f"client_max_body_size is {sizes or 'not set'}, MAX_BODY_BYTES is {MAX_BODY_BYTES}"
    if (
        f"the body is larger than {MAX_BODY_BYTES} bytes" not in bare
        or "error_page 413" not in bare
    ):
        yield f"nginx's 413 is not a problem document that names {MAX_BODY_BYTES} bytes"
    for file, _, name, value in bundle.settings[0]:
        if name == "MAX_BODY_BYTES" and [str(value)] != sizes:
            yield f"{file}: MAX_BODY_BYTES is set to {value}, and nginx stops at {sizes}"
