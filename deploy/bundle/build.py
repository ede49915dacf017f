"""The tree as one zip, the same bytes every time for the same files."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pathspec

ROOT: Final = Path(__file__).resolve().parents[2]
PLATFORM: Final = Path("deploy", "elastic-beanstalk")
POLICIES: Final = {
    "RollingWithAdditionalBatch": "rolling.config",
    "TrafficSplitting": "traffic-splitting.config",
    "Immutable": "immutable.config",
}
PORT: Final = 9696
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time; files' own would differ
_SECRET: Final = re.compile(r"([A-Z][A-Z0-9_]*)=(arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+)")
_SETTING: Final = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")


class BundleError(Exception):
    """The bundle cannot be made; the message is one line that says what to do."""


def build(
    target: Path,
    *,
    root: Path = ROOT,
    policy: str = "RollingWithAdditionalBatch",
    image: str = "",
    settings: str = "",
    secrets: str = "",
) -> list[str]:
    """Writes the bundle to `target` and gives the names in it, sorted.

    `policy` is how a new version replaces the old one. With `image`, the bundle only names an image
    in a registry (Dockerrun, version 1) instead of holding what builds one. `settings` are
    NAME=value words for the service's environment, `secrets` NAME=arn words for what Secrets
    Manager or Parameter Store keeps. Raises BundleError.
    """
    files = dict(_platform_files(root / PLATFORM, policy))
    files |= {".ebextensions/50-environment.config": _environment(settings, secrets)}
    if image:
        files["Dockerrun.aws.json"] = _dockerrun(image)
    else:
        _need_models(root)
        files |= {name: (root / name).read_bytes() for name in included(root)}
    modes = {name: 0o755 if _executable(root, name) else 0o644 for name in files}
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w") as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # Unix, on any system: it says how to read the mode
                entry.external_attr = (stat.S_IFREG | modes[name]) << 16
                archive.writestr(entry, files[name], compresslevel=9)
        Path(aside).chmod(0o644)
        Path(aside).replace(target)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return sorted(files)


def included(root: Path) -> list[str]:
    """Gives the files below `root` that .ebignore lets in, sorted, as `eb deploy` would choose
    them."""
    lines = (root / ".ebignore").read_text(encoding="utf-8").splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    found = []
    for folder, folders, names in os.walk(root):
        below = Path(folder).relative_to(root)
        # not entered, as git does: a virtual environment has a hundred thousand files
        folders[:] = sorted(f for f in folders if not ignored.match_file(f"{below / f}/"))
        found += [(below / name).as_posix() for name in names]
    return sorted(name for name in found if not ignored.match_file(name))


def _platform_files(platform: Path, policy: str) -> Iterator[tuple[str, bytes]]:
    if policy not in POLICIES:
        raise BundleError(f"EB_POLICY={policy} is not known; there are: {', '.join(POLICIES)}")
    yield (
        ".ebextensions/10-deployment.config",
        (platform / "policies" / POLICIES[policy]).read_bytes(),
    )
    for top in (".ebextensions", ".platform"):
        for path in sorted((platform / top).rglob("*")):
            if path.is_file():
                yield path.relative_to(platform).as_posix(), path.read_bytes()


def _environment(settings: str, secrets: str) -> bytes:
    chosen = _words(settings, _SETTING, "EB_SETTINGS", "NAME=value")
    kept = _words(secrets, _SECRET, "EB_SECRETS", "NAME=arn:aws:secretsmanager:...")
    spaces: Mapping[str, dict[str, str]] = {
        "aws:elasticbeanstalk:application:environment": {"LOG_LEVEL": "info"} | chosen,
        "aws:elasticbeanstalk:application:environmentsecrets": kept,
    }
    lines = ["# The service's environment variables; made by EB_SETTINGS and EB_SECRETS."]
    lines += ["option_settings:"]
    for space, values in spaces.items():
        if values:
            lines.append(f"  {space}:")
            # JSON's texts are YAML's
            lines += [f"    {name}: {json.dumps(value)}" for name, value in sorted(values.items())]
    return "\n".join([*lines, ""]).encode()


def _words(text: str, pattern: re.Pattern[str], variable: str, form: str) -> dict[str, str]:
    found = {}
    for word in text.split():
        match = pattern.fullmatch(word)
        if match is None:
            name = word.partition("=")[0]
            raise BundleError(f"{variable}: '{name}' is not of the form {form}, divided by spaces")
        found[match[1]] = match[2]
    return found


def _dockerrun(image: str) -> bytes:
    told = {
        "AWSEBDockerrunVersion": "1",
        "Image": {"Name": image, "Update": "true"},
        "Ports": [{"ContainerPort": PORT}],
    }
    return (json.dumps(told, indent=2) + "\n").encode()


def _need_models(root: Path) -> None:
    for path in sorted((root / "web-service" / "scoring" / "models").glob("[!_]*.py")):
        if not (root / "models" / path.stem / "manifest.json").is_file():
            raise BundleError(
                f"there is no model 'models/{path.stem}': every instance would train its own; "
                "`make train` makes one, or ship an image (EB_IMAGE=...)"
            )


def _executable(root: Path, name: str) -> bool:
    for folder in (root / PLATFORM, root):
        if (folder / name).is_file():
            return bool((folder / name).stat().st_mode & stat.S_IXUSR)
    return False
