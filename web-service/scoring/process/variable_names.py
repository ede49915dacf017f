"""Find environment variables whose names are almost those of settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Final

from scoring.errors import SettingsError

_LEAST: Final = 6  # letters of a setting; HOST, PORT and PAGES are close to too much
_ALIKE: Final = 0.83  # MODLES and MODELS
_ALIKE_OF_OTHERS: Final = 0.93  # many names that begin so are other programs' own
_BEGINNING: Final = 0.8  # of a name that was cut short: MLFLOW_TRACKING_USER
# What other servers call a setting of ours, without `_` and a plural's S. Whoever sets API_KEY
# believes that a key is asked for.
_ELSEWHERE: Final = {
    "ALLOWEDORIGIN": "CORS_ORIGINS",
    "APIKEY": "API_KEYS_FILE",
    "APITOKEN": "API_KEYS_FILE",
    "CORSALLOWORIGIN": "CORS_ORIGINS",
    "CORSALLOWEDORIGIN": "CORS_ORIGINS",
    "CORSORIGINWHITELIST": "CORS_ORIGINS",
    "GUNICORNWORKER": "WORKERS",
    "MAXCONTENTLENGTH": "MAX_BODY_BYTES",
    "MLFLOWURI": "MLFLOW_TRACKING_URI",
}
_OTHERS: Final = ("MLFLOW_", "AWS_", "OTEL_", "GUNICORN_")
# What stands at the end of a name and says in which form the value comes.
_ENDS: Final = frozenset(
    {
        "FILE", "FILES", "PATH", "DIR", "DIRECTORY", "FOLDER", "URL", "URI", "BYTES", "SIZE", "MB",
        "SECONDS", "SECS", "SEC", "S", "MS", "TIMEOUT",
    }
)  # fmt: skip
# Kubernetes and Docker make these of the names of services and links.
_MADE_NAME: Final = re.compile(r".*_(SERVICE_(HOST|PORT.*)|PORT_[0-9]+_.*)")
_MADE_VALUE: Final = ("tcp://", "udp://")


def check_names(environ: Mapping[str, str], settings: Collection[str]) -> None:
    """Raise SettingsError for names in `environ` that are almost those of `settings`.

    Somebody who misspells PREDICTION_LOG believes that predictions are logged.
    """
    close = near_misses(environ, settings)
    if close:
        lines = [f"{name} is not a setting: is {meant} meant?" for name, meant in close.items()]
        raise SettingsError(f"{'; '.join(lines)} Else unset it where the service runs")


def near_misses(environ: Mapping[str, str], settings: Collection[str]) -> Mapping[str, str]:
    """Return the setting that is probably meant, by each name of `environ` that is close to one."""
    names = [setting for setting in settings if len(setting) >= _LEAST]
    plain = {_plain(setting): setting for setting in names}
    close = {}
    for name, value in sorted(environ.items()):
        if name in settings or _MADE_NAME.fullmatch(name) or value.startswith(_MADE_VALUE):
            continue
        meant = (
            plain.get(_plain(name))
            or _but_for_its_end(name, names)
            or _closest(name, names)
            or _cut_short(name, names)
        )
        theirs = _ELSEWHERE.get(_plain(name).removesuffix("S"), "")
        if not meant and not environ.get(theirs):
            meant = theirs  # what a client sends may stand beside the file of keys
        if meant and meant in settings:
            close[name] = meant
    return close


def _closest(name: str, settings: Collection[str]) -> str | None:
    cutoff = _ALIKE_OF_OTHERS if name.startswith(_OTHERS) else _ALIKE
    alike = [setting for setting in settings if setting[0] == name[:1]]
    return next(iter(difflib.get_close_matches(name, alike, n=1, cutoff=cutoff)), None)


def _but_for_its_end(name: str, settings: Collection[str]) -> str | None:
    """Return the setting that is the same without its last word, or with another unit as such:
    API_KEYS for API_KEYS_FILE, MODELS_PATH for MODELS_DIR, KEEP_ALIVE_SECONDS for KEEP_ALIVE."""
    if name.startswith(_OTHERS):
        return None
    body, _, last = name.upper().rpartition("_")
    if not body:
        return None
    parts = {setting: setting.rpartition("_") for setting in settings}
    for setting, (start, _, end) in parts.items():
        if start == name.upper() or (start == body and {last, end} <= _ENDS):
            return setting
    return body if body in parts and last in _ENDS else None


def _cut_short(name: str, settings: Collection[str]) -> str | None:
    for setting in settings:
        if setting.startswith(name) and len(name) >= _BEGINNING * len(setting):
            return setting
    return None


def _plain(name: str) -> str:
    return name.upper().replace("_", "")
