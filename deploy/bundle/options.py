"""The options of Elastic Beanstalk that a bundle of ours may set, as options.yaml lists them: a
misspelt name is refused by the platform only after the upload, a namespace sometimes never.
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


_KNOWN: Final = Path(__file__).with_name("options.yaml")


class Known(NamedTuple):
    """What options.yaml holds."""

    namespaces: Mapping[str, Sequence[str]]
    choices: Mapping[str, Sequence[str]]
    ranges: Mapping[str, tuple[int, int]]


@cache
def known() -> Known:
    """Gives the options that there are, and what they may be set to."""
    return Known(**yaml.safe_load(_KNOWN.read_text(encoding="utf-8")))


def settings(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Gives namespace, name and value of every option that a .config file sets, in either of the
    two forms that the platform reads."""
    found = document.get("option_settings") if isinstance(document, dict) else None
    if isinstance(found, list):
        for entry in found:
            yield str(entry.get("namespace")), str(entry.get("option_name")), entry.get("value")
    for namespace, options in found.items() if isinstance(found, dict) else ():
        for name, value in options.items():
            yield namespace, name, value


def wrong(namespace: str, name: str, value: Any) -> str | None:
    """Gives what is wrong with one option, and how to mend it; None where nothing is."""
    place = f"{namespace} / {name}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if namespace in (ENVIRONMENT, SECRETS):
        return _wrong_variable(place, namespace, name, text)
    namespaces, choices, ranges = known()
    if namespace not in namespaces:
        return f"{place}: there is no such namespace; see deploy/bundle/options.yaml"
    if name not in namespaces[namespace]:
        return f"{place}: there is no such option; there are {', '.join(namespaces[namespace])}"
    if name in choices and text not in choices[name]:
        return f"{place}: '{text}' is none of {', '.join(choices[name])}"
    low, high = ranges.get(name, (0, 0))
    if name in ranges and not (text.isdigit() and low <= int(text) <= high):
        return f"{place}: '{text}' is no whole number from {low} to {high}"
    return None


def _wrong_variable(place: str, namespace: str, name: str, text: str) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{place}: this is no name for an environment variable"
    if namespace == SECRETS and not _ARN.fullmatch(text):
        return f"{place}: expected the ARN of a secret or a parameter, never the secret itself"
    if namespace == ENVIRONMENT and (_CONFIDENTIAL.search(name) or _LOGIN.search(text)):
        return (
            f"{place}: a secret in the open; keep it in Secrets Manager and name it in EB_SECRETS"
        )
    return None
