"""A deployment on this machine: the image of the unzipped bundle, nginx as the platform has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from deploy.bundle import rehearsal
from deploy.bundle.rehearsal import RehearsalFailed, rehearse
from tests.test_container import docker

pytestmark = [pytest.mark.slow, pytest.mark.container]


@pytest.fixture(scope="module", autouse=True)
def nginx() -> None:
    """Skips without nginx; in CI that is a failure."""
    if not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
        reason = "nginx is not installed: apt-get install nginx-light"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def test_the_bundle_deploys_and_deploys_again_without_a_lost_request(
    bundle: Path, tmp_path: Path, bundled_image: str
) -> None:
    """Built from the unzipped folder, it answers through nginx: pages, predictions, our 404, 413; a
    second container takes over under load, and what nginx says alone is a problem document."""
    told: list[str] = []
    assert rehearse(bundle, tmp_path, bundled_image, told.append) > 100
    assert any("none lost" in line for line in told)


def test_lost_requests_fail_the_rehearsal(
    bundle: Path, tmp_path: Path, bundled_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old container stopped before nginx knows of the new one: that is seen."""

    def too_early(folder: Path) -> None:
        # nginx goes on with the old address
        for container in docker("ps", "-q", "--filter", f"ancestor={bundled_image}").split()[1:]:
            docker("kill", container)

    monkeypatch.setattr(rehearsal, "_reload", too_early)
    monkeypatch.setattr(rehearsal, "_START_S", 10)
    with pytest.raises(RehearsalFailed, match="requests were lost|waited|exit code"):
        rehearse(bundle, tmp_path, bundled_image, lambda _: None)
