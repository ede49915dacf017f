"""From the name that a command is given to an artifact, without a service."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import ArtifactError, SettingsError
from scoring.registry.errors import (
    FetchFailed,
    RegistryUnavailable,
    VersionNotFound,
    VersionRejected,
)
from scoring.registry.resolve import ResolvedModel, fetch, resolve
from scoring.registry.settings import RegistrySettings
from tests.scoring.registry.conftest import Shop
from tests.scoring.registry.mlflow_server import Mlflow
from tests.scoring.registry.rides import RIDE, RIDES
from tests.scoring.registry.scripted import Bench, send, validate_here
from tests.support import write_artifact

CHAMPION, THIRD = "models:/ride-duration@champion", "models:/ride-duration/3"


def had(bench: Bench, uri: str, **more: Any) -> ResolvedModel:
    settings = bench.settings.model_copy(update=more)
    return fetch(uri, settings, validate=validate_here)


@pytest.mark.slow
def test_an_alias_and_a_number_are_folders_in_the_cache(bench: Bench) -> None:
    """Either way the predictor carries the registry's number; a second call downloads nothing."""
    bench.add("3")
    bench.registry.alias = "3"
    found = had(bench, CHAMPION)
    assert found.folder.parent == bench.model_cache.versions
    assert found.load().version == "3"
    assert found.model is RIDE
    bench.registry.asked.clear()
    assert had(bench, THIRD) == found
    assert bench.registry.asked == ["get"]


@pytest.mark.slow
def test_what_serves_is_not_touched(bench: Bench) -> None:
    """A batch that takes another version beside a service changes nothing of it."""
    bench.add("1")
    bench.add("3")
    bench.follow("1")
    had(bench, THIRD)
    assert bench.serving() == "1"


@pytest.mark.slow
def test_a_number_is_had_from_the_cache_while_the_registry_is_away(bench: Bench) -> None:
    """Versions do not change; what an alias means is known to the registry alone."""
    bench.add("3")
    bench.registry.alias = "3"
    found = had(bench, THIRD)
    bench.registry.instead = lambda handler: send(handler, 503, {})
    assert had(bench, THIRD) == found
    with pytest.raises(RegistryUnavailable, match="HTTP 503"):
        had(bench, CHAMPION)
    with pytest.raises(RegistryUnavailable, match="HTTP 503"):
        had(bench, "models:/ride-duration/4")


@pytest.mark.slow
def test_old_versions_make_room(bench: Bench) -> None:
    """Also where no service prunes the cache: REGISTRY_KEEP holds, and the newest one stays."""
    for number in ("1", "2", "3", "4"):
        bench.add(number)
        found = had(bench, f"models:/ride-duration/{number}")
    assert len(list(bench.model_cache.versions.iterdir())) == bench.settings.registry_keep
    assert found.load().version == "4"


@pytest.mark.slow
def test_two_at_the_same_time_are_one_folder(bench: Bench) -> None:
    """A batch and a service may bring the same version: the second leaves the first one's files."""
    bench.add("3")
    results: list[ResolvedModel] = []
    together = threading.Barrier(2, timeout=30)

    def validate(*given: Any) -> str:
        digest = validate_here(*given)
        together.wait()
        return digest

    def get() -> None:
        results.append(fetch(THIRD, bench.settings, validate=validate))

    threads = [threading.Thread(target=get) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert results[0] == results[1]
    assert results[0].load().version == "3"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("models:/ride-duration", "write models:/NAME@ALIAS or models:/NAME/NUMBER"),
        ("models:/ride-duration/latest", "write models:/NAME@ALIAS"),
        ("models:/ride-duration/0", "write models:/NAME@ALIAS"),
        ("models://ride-duration/1", "write models:/NAME@ALIAS"),
        ("models:/tips@champion", "there are: ride-duration"),
    ],
)
def test_a_uri_that_names_no_version_says_how_it_is_written(
    bench: Bench, uri: str, words: str
) -> None:
    """Before anything is asked."""
    with pytest.raises(SettingsError, match=words):
        had(bench, uri)
    assert bench.registry.asked == []


def test_without_a_server_the_variable_is_named() -> None:
    """Nothing to ask."""
    with pytest.raises(SettingsError, match="needs MLFLOW_TRACKING_URI"):
        fetch(CHAMPION, RegistrySettings())


@pytest.mark.slow
def test_what_the_registry_cannot_give_is_said(bench: Bench) -> None:
    """No such alias; files that are refused; no room."""
    with pytest.raises(VersionNotFound):
        had(bench, CHAMPION)
    folder = bench.add("3")
    (folder / "lin_reg.bin").write_bytes(b"other")
    with pytest.raises(VersionRejected, match="sha256"):
        had(bench, THIRD)
    (folder / "lin_reg.bin").unlink()
    with pytest.raises(FetchFailed, match="not there any more"):
        had(bench, THIRD)
    assert list(bench.model_cache.versions.iterdir()) == []


def test_a_name_and_a_folder_are_read_where_they_are(tmp_path: Path) -> None:
    """No registry is needed for what lies on the disk."""
    write_artifact(RIDE, tmp_path)
    settings = RegistrySettings(models_dir=tmp_path)
    by_name, by_folder = (resolve(which, settings) for which in ("ride", str(tmp_path / "ride")))
    assert by_name == by_folder
    assert by_name.load().version == by_name.load().manifest.sha256[:12]


def test_what_is_neither_says_so(tmp_path: Path) -> None:
    """A misspelt name, an empty folder, a broken manifest, an unknown model."""
    settings = RegistrySettings()
    with pytest.raises(SettingsError, match="'rides' is neither a model"):
        resolve("rides", settings)
    with pytest.raises(ArtifactError, match="No such file"):
        resolve(str(tmp_path), settings)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="is not the manifest"):
        resolve(str(tmp_path), settings)
    write_artifact(RIDE, tmp_path)
    with pytest.raises(ArtifactError, match="not known here"):
        resolve(str(tmp_path / "ride"), settings, {"churn": RIDE})


@pytest.mark.slow
def test_a_version_of_a_real_server_answers(shop: Shop, mlflow_url: Mlflow, tmp_path: Path) -> None:
    """Client, store and validation are the service's own."""
    number = shop.register()
    shop.promote(number)
    settings = RegistrySettings(
        mlflow_tracking_uri=mlflow_url.url, registry_cache=tmp_path / "cache"
    )
    found = resolve(f"models:/ride-duration@{shop.alias}", settings)
    predictor = found.load()
    assert predictor.version == number
    answers = [answer["duration"] for answer in predictor.many(RIDES).answers]
    assert answers == pytest.approx(shop.answers[number])
