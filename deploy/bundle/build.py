"""The tree as one zip, the same bytes every time for the same files."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pathspec

from scoring.artifact.manifest import MANIFEST
from scoring.process.atomic_files import replacing
from serving.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
PLATFORM: Final = Path("deploy", "elastic-beanstalk")
MODEL_FILES: Final = "web-service/scoring/models"
POLICIES: Final = {
    "RollingWithAdditionalBatch": "rolling.config",
    "TrafficSplitting": "traffic-splitting.config",
    "Immutable": "immutable.config",
}
PORT: Final[int] = Settings.model_fields["port"].default
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time; files' own would differ
_SECRET: Final = re.compile(r"([A-Z][A-Z0-9_]*)=(arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+)")
_SETTING: Final = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")


class BundleError(Exception):
    """The bundle cannot be made; the message is one line that says what to do."""


def build(
    target: Path,
    *,
    root: Path = ROOT,
    models_dir: Path | None = None,
    models: Collection[str] = (),
    policy: str = "RollingWithAdditionalBatch",
    image: str = "",
    settings: str = "",
    secrets: str = "",
    tell: Callable[[str], Any] = print,
) -> list[str]:
    """Write the bundle to `target` and return the names in it, sorted.

    It holds the `models` (none named: all that `choose_models` finds) as they are in `models_dir`
    (None: the folder of `root`). `policy` is how a new version replaces the old one. With `image`,
    the bundle only names an image in a registry (Dockerrun, version 1) instead of holding what
    builds one. `settings` are NAME=value words for the service's environment, `secrets` NAME=arn
    words for what Secrets Manager or Parameter Store keeps. `tell` is called with a line for each
    model that is left out. Raises BundleError.
    """
    files = dict(_platform_files(root / PLATFORM, policy))
    files |= {".ebextensions/50-environment.config": _environment(settings, secrets)}
    if image:
        files["Dockerrun.aws.json"] = _dockerrun(image)
    else:
        chosen, untrained = choose_models(models_dir or root / "models", models, root)
        for name in untrained:
            tell(f"there is no model '{name}', which is left out; `{_training(name)}` makes it")
        files |= {name: path.read_bytes() for name, path in _tree(root, models_dir, chosen).items()}
    modes = {name: 0o755 if _executable(root, name) else 0o644 for name in files}
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as out, zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on any system: it says how to read the mode
            entry.external_attr = (stat.S_IFREG | modes[name]) << 16
            archive.writestr(entry, files[name], compresslevel=9)
    return sorted(files)


def included(root: Path) -> list[str]:
    """Return the files below `root` that .ebignore lets in, sorted, as `eb deploy` chooses them."""
    ignored = _ignored(root)
    found = []
    for folder, folders, names in os.walk(root):
        below = Path(folder).relative_to(root)
        # not entered, as git does: a virtual environment has a hundred thousand files
        folders[:] = sorted(f for f in folders if not ignored.match_file(f"{below / f}/"))
        found += [(below / name).as_posix() for name in names]
    return sorted(name for name in found if not ignored.match_file(name))


def _ignored(root: Path) -> pathspec.GitIgnoreSpec:
    lines = (root / ".ebignore").read_text(encoding="utf-8").splitlines()
    return pathspec.GitIgnoreSpec.from_lines(lines)


def choose_models(
    models_dir: Path, named: Collection[str] = (), root: Path = ROOT
) -> tuple[list[str], list[str]]:
    """Return the models that a bundle holds, and those that it leaves out for want of an artifact.

    Those `named` are held; none named: those of the code that have an artifact in `models_dir`.
    Raises BundleError where a named one has no artifact, or no model has one.
    """
    known = [path.stem for path in sorted((root / MODEL_FILES).glob("[!_]*.py"))]
    for name in named:
        if name not in known:
            there = ", ".join(known)
            raise BundleError(f"MODELS names '{name}', which is not a model; there are: {there}")
    trained = [name for name in known if (models_dir / name / MANIFEST).is_file()]
    chosen = [name for name in known if name in (named or trained)]
    missing = [name for name in chosen or known if name not in trained]
    if missing:
        folder = models_dir / missing[0]
        shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
        raise BundleError(
            f"no model in '{shown}': every instance would train its own; "
            f"`{_training(missing[0])}` makes one, or ship an image (EB_IMAGE=...)"
        )
    return chosen, [] if named else [name for name in known if name not in trained]


def _training(name: str) -> str:
    return f"python train.py {name} [--data FILE]"


def _tree(root: Path, models_dir: Path | None, chosen: Collection[str]) -> dict[str, Path]:
    """Return the files that an instance builds the image of, by their names in the bundle.

    Of a model that is not `chosen` there is no file: the image would train it, or not start.
    """
    files = {name: root / name for name in included(root)}
    if models_dir is not None:
        files = {name: path for name, path in files.items() if not name.startswith("models/")}
        ignored = _ignored(root)
        for path in models_dir.rglob("*"):
            name = f"models/{path.relative_to(models_dir).as_posix()}"
            if path.is_file() and not ignored.match_file(name):
                files[name] = path
    of_a_model = re.compile(rf"(?:models/|{MODEL_FILES}/(?=[^/_][^/]*\.py$))([^/.]+)")
    owners = {name: of_a_model.match(name) for name in files}
    return {
        name: path
        for name, path in files.items()
        if not (owner := owners[name]) or owner[1] in chosen
    }


def _platform_files(platform: Path, policy: str) -> Iterator[tuple[str, bytes]]:
    if policy not in POLICIES:
        raise BundleError(f"EB_POLICY={policy} is unknown; must be one of {', '.join(POLICIES)}")
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


def _executable(root: Path, name: str) -> bool:
    for folder in (root / PLATFORM, root):
        if (folder / name).is_file():
            return bool((folder / name).stat().st_mode & stat.S_IXUSR)
    return False
