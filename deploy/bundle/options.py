"""The options of Elastic Beanstalk that a bundle of ours may set, as options.yaml lists them.

The platform refuses a misspelt name only after the upload, and a misspelt namespace not always.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ENVIRONMENT: Final = "aws:elasticbeanstalk:application:environment"
SECRETS: Final = "aws:elasticbeanstalk:application:environmentsecrets"

_ARN: Final = re.compile(r"arn:aws[a-z-]*:(secretsmanager|ssm):[a-z0-9-]+:\d{12}:\S+")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_LOGIN: Final = re.compile(r"://[^/@\s]*:[^/@\s]*@")  # of an address
_CONFIDENTIAL: Final = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_KEY")
_FILE: Final = re.compile(r"_(FILE|PATH)$")  # a variable that names a file holds no secret itself

_KNOWN: Final = Path(__file__).with_name("options.yaml")


class Known(NamedTuple):
    """What options.yaml holds."""

    namespaces: Mapping[str, Sequence[str]]
    choices: Mapping[str, Sequence[str]]
    ranges: Mapping[str, tuple[int, int]]


@cache
def known() -> Known:
    """Return the known options, and the values that they take."""
    return Known(**yaml.safe_load(_KNOWN.read_text(encoding="utf-8")))


def settings(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Return namespace, name and value of every option that a .config file sets.

    The platform reads two forms, a mapping and a list.
    """
    found = document.get("option_settings") if isinstance(document, dict) else None
    if isinstance(found, list):
        for entry in found:
            yield str(entry.get("namespace")), str(entry.get("option_name")), entry.get("value")
    for namespace, options in found.items() if isinstance(found, dict) else ():
        for name, value in options.items():
            yield namespace, name, value


def wrong(namespace: str, name: str, value: Any) -> str | None:
    """Return what is wrong with one option and how to mend it, or None."""
    place = f"{namespace} / {name}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if namespace in (ENVIRONMENT, SECRETS):
        return _wrong_variable(place, namespace, name, text)
    namespaces, choices, ranges = known()
    if namespace not in namespaces:
        return f"{place}: unknown namespace; known are {', '.join(namespaces)}"
    if name not in namespaces[namespace]:
        return f"{place}: unknown option; known are {', '.join(namespaces[namespace])}"
    if name in choices and text not in choices[name]:
        return f"{place}: '{text}' must be one of {', '.join(choices[name])}"
    low, high = ranges.get(name, (0, 0))
    if name in ranges and not (text.isdigit() and low <= int(text) <= high):
        return f"{place}: '{text}' must be a whole number from {low} to {high}"
    return None


def _wrong_variable(place: str, namespace: str, name: str, text: str) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{place}: not a name for an environment variable"
    if namespace == SECRETS and not _ARN.fullmatch(text):
        return f"{place}: must be the ARN of a secret or a parameter, never the secret itself"
    confidential = _CONFIDENTIAL.search(name) and not _FILE.search(name)
    if namespace == ENVIRONMENT and (confidential or _LOGIN.search(text)):
        return (
            f"{place}: a secret in the open; keep it in Secrets Manager and name it in EB_SECRETS"
        )
    return None
