"""The image that ships: built from a clean tree, and one container of it.

Under xdist each worker asks for the image by a tag of its own, one after the other: all but the
first find every step in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import clean_tree
from tests.support.containers import Container, answering


@pytest.fixture(scope="session")
def image(build: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image as a fresh clone builds it, which trains its models on the bundled sample."""
    return build(clean_tree(tmp_path_factory.mktemp("context")), "--build-arg", "REVISION=c0ffee")


@pytest.fixture(scope="session")
def running(image: str) -> Iterator[Container]:
    """A container as `docker run -p 9696:9696` starts it, shared by the tests that only ask."""
    with answering(image) as container:
        yield container
