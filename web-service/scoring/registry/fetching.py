"""A registry's version as a folder of the cache, for a command: asked for, downloaded, validated.

Apart from `resolve`, as what a registry is asked with takes longer to import than the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from scoring.errors import SettingsError
from scoring.models import Model
from scoring.registry.cache import ModelCache, RegistryCache, VersionRef
from scoring.registry.client import Client
from scoring.registry.download import Downloader, Validate
from scoring.registry.errors import FetchFailed, RegistryUnavailable
from scoring.registry.poller import QUESTION_SECONDS
from scoring.registry.settings import RegistrySettings
from scoring.registry.time_limit import TimeLimitReached, time_limit

_log = logging.getLogger(__name__)


def fetched(
    model: Model, selector: str, uri: str, settings: RegistrySettings, validate: Validate
) -> tuple[Path, VersionRef]:
    """Return the folder of the version that a selector means (an alias, or `v3`), and what the
    registry calls it. Raises as `resolve.fetch` does, which words the URI."""
    if not settings.mlflow_tracking_uri:
        raise SettingsError(f"{uri} needs MLFLOW_TRACKING_URI, the address of the MLflow server")
    registry_cache = RegistryCache(settings)
    registry_cache.prepare([model.name])
    cache = registry_cache.for_model(model.name)
    client = Client(settings)
    try:
        with time_limit(QUESTION_SECONDS):
            ref, tags = client.find(model.registered_name, selector)
    except (RegistryUnavailable, TimeLimitReached) as error:
        reason = str(error) or f"{client.shown} took more than {QUESTION_SECONDS:g} s to answer"
        cached = cache.find_number(selector[1:]) if selector[0] == "v" else None
        if cached is None:
            raise RegistryUnavailable(reason) from error
        _log.warning("%s; %s is taken from the cache", reason, uri)
        digest, ref = cached
    else:
        digest = cache.find(ref) or _download(model, cache, ref, tags, client, settings, validate)
    cache.touch(digest)
    return cache.versions / digest, ref


def _download(
    model: Model,
    cache: ModelCache,
    ref: VersionRef,
    tags: Mapping[str, str],
    client: Client,
    settings: RegistrySettings,
    validate: Validate,
) -> str:
    began = time.monotonic()
    try:
        digest = Downloader(settings, client, validate).download(model, cache, ref, tags)
        cache.prune(settings.registry_keep)
    except OSError as error:
        raise FetchFailed(f"it cannot be stored in REGISTRY_CACHE: {error.strerror}") from error
    _log.info("%s was downloaded in %.1f s", ref.title, time.monotonic() - began)
    return digest
