"""Each check of a bundle sees what it is for: a bundle is broken in every way, one at a time."""

from __future__ import annotations

import copy
import functools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from detect_secrets.plugins.base import RegexBasedDetector

from deploy.bundle import verify
from deploy.bundle.verify import CHECKS, problems

Files = dict[str, tuple[bytes, int]]  # content and mode

SERVICE = ".ebextensions/01-service.config"
CAPACITY = ".ebextensions/02-capacity.config"
ENVIRONMENT = ".ebextensions/50-environment.config"
LIMITS = ".platform/nginx/conf.d/10_limits.conf"
HOOK = ".platform/hooks/postdeploy/10_answers.sh"
DOCKERRUN = (
    b'{"AWSEBDockerrunVersion": "1", "Image": {"Name": "it:1"}, "Ports": [{"ContainerPort": 9696}]}'
)


@pytest.fixture(scope="module", autouse=True)
def _each_text_is_searched_once() -> Iterator[None]:
    """The bundles differ in one file: what was found in the others' texts is kept."""

    def kept(detector: RegexBasedDetector) -> RegexBasedDetector:
        search = detector.analyze_string
        detector.analyze_string = functools.cache(lambda text: (*search(text),))  # type: ignore[method-assign,assignment]
        return detector

    detectors = [kept(copy.copy(found)) for found in verify._detectors()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "_detectors", lambda: detectors)
        yield


def rewritten(bundle: Path, target: Path, change: Callable[[Files], Any]) -> Path:
    """Return a copy of the bundle after `change` of its files."""
    with zipfile.ZipFile(bundle) as old:
        files = {i.filename: (old.read(i), i.external_attr >> 16) for i in old.infolist()}
    change(files)
    with zipfile.ZipFile(target, "w") as new:
        for name, (content, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            new.writestr(info, content)
    return target


def put(name: str, content: bytes = b"", mode: int = 0o100644) -> Callable[[Files], Any]:
    return lambda files: files.update({name: (content, mode)})


def drop(start: str) -> Callable[[Files], Any]:
    return lambda files: [files.pop(name) for name in list(files) if name.startswith(start)]


def swap(name: str, old: str, new: str) -> Callable[[Files], Any]:
    def change(files: Files) -> None:
        content, mode = files[name]
        assert old.encode() in content, f"{name} has no {old}"
        files[name] = (content.replace(old.encode(), new.encode()), mode)

    return change


def both(*changes: Callable[[Files], Any]) -> Callable[[Files], Any]:
    return lambda files: [change(files) for change in changes]


def by_image(content: bytes) -> Callable[[Files], Any]:
    return both(drop("Dockerfile"), put("Dockerrun.aws.json", content))


def option(line: str) -> Callable[[Files], Any]:
    """Add an option to the files: `namespace|name: value`."""
    namespace, _, rest = line.partition("|")
    text = f"option_settings:\n  {namespace}:\n    {rest}\n"
    return put(".ebextensions/90-more.config", text.encode())


def variable(line: str) -> Callable[[Files], Any]:
    """Set a variable of the service: `NAME: value`."""
    return option(f"aws:elasticbeanstalk:application:environment|{line}")


def in_a_folder(files: Files) -> None:
    for name in list(files):
        files[f"prediction-service/{name}"] = files.pop(name)


CASES = [
    ("layout", in_a_folder, "is in a folder"),
    ("layout", drop("Dockerfile"), "it holds neither"),
    ("layout", put("Dockerrun.aws.json", DOCKERRUN), "it holds Dockerfile and Dockerrun"),
    ("layout", drop("Pipfile.lock"), "Pipfile.lock is missing"),
    ("layout", drop(".platform/nginx/"), ".platform/nginx/conf.d/ is empty or missing"),
    ("names", put("../evil"), "unpacked elsewhere"),
    ("names", put(".ebextensions/notes.yaml"), "only *.config is read"),
    ("compose file", put("docker-compose.yml"), "start no nginx"),
    ("compose file", put("compose.override.yaml"), "start no nginx"),
    ("secrets", put(".env", b"A=1"), ".env"),
    ("secrets", put("web-service/server.pem"), "server.pem"),
    ("secrets", put("training/x.py", b"KEY = 'AKIAABCDEFGHIJKLMNOP'"), "AWS Access Key"),
    ("secrets", put("x", b"-----BEGIN RSA PRIVATE KEY-----"), "Private Key"),
    ("secrets", put("x", b"url=https://me:hunter2@mlflow.example/"), "Basic Auth Credentials"),
    ("port", swap("Dockerfile", "\nEXPOSE 9696\n", "\n"), "0 instead of one"),
    ("port", swap("Dockerfile", "\nEXPOSE 9696\n", "\nEXPOSE 9696\nEXPOSE 80\n"), "2 instead"),
    ("port", swap("Dockerfile", "\nEXPOSE 9696\n", "\nEXPOSE ${PORT}\n"), "one number"),
    ("port", by_image(DOCKERRUN.replace(b"9696}]", b"9696}, {}]")), "2 instead of one"),
    ("exec form", swap("Dockerfile", '\nCMD ["env",', "\nCMD env "), "shell"),
    ("exec form", swap("Dockerfile", "\nCMD [", '\nENTRYPOINT sh\nCMD ['), "ENTRYPOINT sh"),
    ("exec form", swap("Dockerfile", "\nCMD [", "\n#CMD ["), "no CMD"),
    ("image name", by_image(DOCKERRUN.replace(b"it:1", b"it")), "another image tomorrow"),
    ("image name", by_image(DOCKERRUN.replace(b"it:1", b"r:5000/it")), "another image tomorrow"),
    ("image name", by_image(DOCKERRUN.replace(b'"1",', b'"2",')), "not of version 1"),
    ("image name", by_image(b"[]"), "names no image"),
    ("hooks", put(HOOK, b"#!/bin/bash\n", 0o100644), "not executable"),
    ("hooks", put(HOOK, b"#!/bin/bash\r\n", 0o100755), "Windows' line ends"),
    ("hooks", put(HOOK, b"exit 0\n", 0o100755), "does not begin with #!"),
    ("hooks", put(".platform/hooks/after/x.sh", b"#!/bin/sh\n", 0o100755), "hooks are in prebuild"),
    ("known options", swap(SERVICE, "StreamLogs", "StreamLog"), "unknown option; known are Delete"),
    ("known options", swap(SERVICE, "cloudwatch:logs:health", "cloudwatch:health"), "namespace"),
    ("known options", swap(CAPACITY, "LoadBalanced", "LoadBallanced"), "must be one of"),
    ("known options", swap(CAPACITY, 'MaxSize: "8"', 'MaxSize: "many"'), "must be a whole number"),
    ("known options", swap(CAPACITY, 'MaxSize: "8"', "MaxSize: 8"), "in quotes"),
    ("known options", swap(SERVICE, '"Version":1}', '"Version":1'), "is not JSON"),
    ("known options", put(".ebextensions/x.config", b"a: [b"), "is not YAML"),
    ("known options", option('aws:autoscaling:asg|MinSize: "3"'), "02-capacity.config already"),
    (
        "known options",
        option("aws:elasticbeanstalk:application:environment|MLFLOW_TRACKING_PASSWORD: hunter2"),
        "a secret in the open",
    ),
    (
        "known options",
        option("aws:elasticbeanstalk:application:environmentsecrets|TOKEN: hunter2"),
        "the ARN of a secret",
    ),
    (
        "known options",
        option("aws:elasticbeanstalk:application:environment|LOG LEVEL: info"),
        "not a name for an environment variable",
    ),
    ("health path", swap(SERVICE, "HealthCheckPath: /ping", "HealthCheckPath: /"), "not /ping"),
    ("health path", swap(SERVICE, "Application Healthcheck URL: /ping", "{}"), "None, not /ping"),
    ("health path", swap(SERVICE, 'Requests4xx":{"Enabled":false', 'Requests4xx":{"Enabled":true'),
     "keeps 4xx answers from counting"),
    ("body size", swap(LIMITS, "client_max_body_size 1048576", "client_max_body_size 10m"), "10m"),
    ("body size", swap(LIMITS, "client_max_body_size", "#client_max_body_size"), "not set"),
    ("body size", drop(".platform/nginx/conf.d/elasticbeanstalk/"), "not a problem document"),
    ("body size", swap(ENVIRONMENT, 'LOG_LEVEL: "info"', 'MAX_BODY_BYTES: "99"'), "set to 99"),
    ("models", drop("models/ride/manifest.json"), "every instance would train"),
    ("models", drop("models/churn/model_C=1.0.bin"), "its manifest names it"),
    ("environment", swap("Dockerfile", "\nEXPOSE 9696\n", "\nEXPOSE 8080\n"), "in at port 8080"),
    ("environment", by_image(DOCKERRUN.replace(b"9696", b"80")), "requests come in at port 80"),
    ("environment", swap("Dockerfile", "\nEXPOSE", "\nENV HOST=::1 PAGES=on\nEXPOSE"), "HOST=::1"),
    ("environment", swap("Dockerfile", "\nEXPOSE", "\nENV PORT 8080\nEXPOSE"), "PORT=8080"),
    *[
        ("environment", variable(line), line.partition(":")[0] + "=")
        for line in ("PORT: '8080'", "HOST: 127.0.0.1", "METRICS_PORT: '9696'", "WORKERS: zero",
                     "MODEL_FALLBACK: yes", "LOG_LEVEL: INFO", "GRACEFUL_TIMEOUT: '10'",
                     "MLFLOW_TRACKING_URI: sqlite:///mlflow.db", "API_KEYS_FILE: /run/keys.json",
                     "MODELS_DIR: /elsewhere", "PREDICTION_LOG: /var/log/predictions")
    ],
    ("environment", variable("MODELS: tips"), "not a model; there are"),
    ("models", put("models/ride/lin_reg.bin", b"another"), "the sha256 differs"),
    ("models", put("models/ride/scorer.json", b"{}"), "the sha256 differs"),
]  # fmt: skip


@pytest.fixture(scope="module")
def small(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle without what is large in it, pictures and hashes: it is read fifty times."""

    def change(files: Files) -> None:
        files["Pipfile.lock"] = (b"{}", 0o100644)
        for name in [name for name in files if name.endswith((".png", ".csv", ".parquet"))]:
            del files[name]

    return rewritten(bundle, tmp_path_factory.mktemp("small") / "bundle.zip", change)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "change", "says"), CASES, ids=[f"{check}: {says}" for check, _, says in CASES]
)
def test_a_broken_bundle_is_seen(
    small: Path, tmp_path: Path, check: str, change: Callable[[Files], Any], says: str
) -> None:
    """The check that is meant for it names what is wrong and how to mend it."""
    found = problems(rewritten(small, tmp_path / "broken.zip", change))
    lines = [problem for problem in found if problem.check == check]
    assert any(says in problem.what for problem in lines), [*map(str, found)]
    assert all(problem.mend for problem in lines)
    assert "hunter2" not in "".join(map(str, found))


def test_every_check_is_broken_once() -> None:
    """A new check has a case, too; the size's and the zip's are below."""
    names = {check.__name__.replace("_", " ") for check in CHECKS}
    assert names == {check for check, _, _ in CASES} | {"size"}


@pytest.mark.slow
def test_too_large_a_bundle_is_seen(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's limit, made small."""
    monkeypatch.setattr(verify, "MAX_BYTES", 1000)
    assert [problem.check for problem in problems(bundle)] == ["size"]


def test_a_file_that_is_no_zip_is_seen(tmp_path: Path) -> None:
    """Cut short on its way, or not there at all."""
    (tmp_path / "cut.zip").write_bytes(b"PK")
    for name in ("cut.zip", "none.zip"):
        [problem] = problems(tmp_path / name)
        assert "is not a zip" in problem.what


@pytest.mark.slow
def test_a_list_of_options_is_read_as_well(bundle: Path, tmp_path: Path) -> None:
    """The platform's older form, a list of namespace, option_name and value."""
    text = b"option_settings:\n- namespace: aws:autoscaling:asg\n  option_name: Min\n  value: '2'\n"
    change = put(".ebextensions/x.config", text)
    [problem] = problems(rewritten(bundle, tmp_path / "x.zip", change))
    assert "aws:autoscaling:asg / Min: unknown option" in problem.what
