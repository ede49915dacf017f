"""A deployment on this machine: the image of the unzipped bundle, nginx as the platform has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bundle import rehearsal
from deploy.bundle.build import build
from deploy.bundle.rehearsal import RehearsalFailed, rehearse
from scoring.models import discover
from tests.support import installed

pytestmark = [pytest.mark.slow, pytest.mark.container]


@pytest.fixture(scope="module", autouse=True)
def nginx() -> None:
    """Skip without nginx; fail in continuous integration."""
    installed("nginx", package="nginx-light")


def test_the_bundle_deploys_and_deploys_again_without_a_lost_request(
    bundle: Path, tmp_path: Path, bundled_image: str
) -> None:
    """Built from the unzipped folder, it answers through nginx: pages, predictions, our 404, 413; a
    second container takes over under load, and what nginx says alone is a problem document."""
    told: list[str] = []
    assert rehearse(bundle, tmp_path, bundled_image, told.append) > 100
    assert any("none lost" in line for line in told)


@pytest.mark.long
def test_the_containers_start_with_the_bundles_settings(
    tree: Path, tmp_path: Path, bundled_image: str
) -> None:
    """Another default model and no pages: what is expected of the answers follows."""
    last = list(discover())[-1]
    target = tmp_path / "bundle.zip"
    build(target, root=tree, settings=f"MODELS={last} PAGES=off")
    (tmp_path / "rehearsal").mkdir()
    assert rehearse(target, tmp_path / "rehearsal", bundled_image, lambda _: None) > 100


def test_a_start_that_is_refused_fails_the_rehearsal(
    tree: Path, tmp_path: Path, bundled_image: str
) -> None:
    """The reason is in the service's own words."""
    target = tmp_path / "bundle.zip"
    build(target, root=tree, settings="WORKERS=zero")
    (tmp_path / "rehearsal").mkdir()
    with pytest.raises(RehearsalFailed, match="does not start: .*WORKERS='zero'"):
        rehearse(target, tmp_path / "rehearsal", bundled_image, lambda _: None)


@pytest.mark.long
def test_lost_requests_fail_the_rehearsal(
    bundle: Path, tmp_path: Path, bundled_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nginx is never told of the new container, it has nobody to ask once the old one has
    stopped: the first lost request and nginx's own 503 are named."""
    monkeypatch.setattr(rehearsal, "_reload", lambda _: None)
    with pytest.raises(RehearsalFailed, match=r"^[1-9]\d* requests were lost: HTTP 503"):
        rehearse(bundle, tmp_path, bundled_image, lambda _: None)
