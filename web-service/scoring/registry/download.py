"""Bring one version into the cache: download to a staging folder, validate, then store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scoring.artifact.manifest import FILE_NAME, MANIFEST, readable_files
from scoring.models import Model
from scoring.registry.cache import ModelCache, VersionRef
from scoring.registry.client import Client
from scoring.registry.errors import FetchFailed, VersionRejected
from scoring.registry.settings import RegistrySettings
from scoring.registry.stores import fetch, open_store
from scoring.registry.time_limit import TimeLimitReached, time_limit
from scoring.registry.validation import validate_in_subprocess

_MAX_MANIFEST: Final = 64 * 1024 * 1024  # bytes

# Returns the digest of the version in a folder, or raises VersionRejected or FetchFailed.
Validate = Callable[[Model, Path, VersionRef], str]


class Downloader:
    """Brings versions of one registry into its cache."""

    def __init__(
        self,
        settings: RegistrySettings,
        client: Client,
        validate: Validate = validate_in_subprocess,
    ) -> None:
        self._settings = settings
        self._client = client
        self._validate = validate

    def download(
        self, model: Model, cache: ModelCache, ref: VersionRef, tags: Mapping[str, str]
    ) -> str:
        """Return the digest under which the version now lies in `cache`, validated.

        Raises a RegistryError, or OSError where the cache cannot be written.
        """
        limit = self._settings.registry_download_seconds
        with cache.staging_dir() as folder:
            try:
                with time_limit(limit):
                    self._copy_files(model, ref, tags, folder)
            except TimeLimitReached:
                raise FetchFailed(f"the download took longer than {limit:g} s") from None
            digest = self._validate(model, folder, ref)
            cache.store(folder, digest, ref)
        return digest

    def _copy_files(
        self, model: Model, ref: VersionRef, tags: Mapping[str, str], folder: Path
    ) -> None:
        most = self._settings.registry_max_bytes
        store = open_store(self._client.artifact_uri(ref), self._client, self._settings)
        listed = store.list()
        if MANIFEST in listed:
            smaller = min(most, _MAX_MANIFEST)
            text = fetch(store, MANIFEST, listed[MANIFEST], folder, limit=smaller).read_bytes()
            _check_tag(tags, text)
            for name in _files_of(text):
                fetch(store, name, listed.get(name), folder, limit=most)
            return
        readable = readable_files(model)
        name = next((name for name in readable if name in listed), "")
        if not name:
            raise VersionRejected(f"it holds none of {MANIFEST}, {', '.join(readable)}")
        fetch(store, name, listed[name], folder, limit=most)


def _check_tag(tags: Mapping[str, str], manifest: bytes) -> None:
    """Compare the manifest with the digest that our training registers as a tag."""
    expected = tags.get("manifest_sha256")
    digest = hashlib.sha256(manifest).hexdigest()
    if expected and expected != digest:
        raise VersionRejected(
            f"its {MANIFEST} has the sha256 {digest[:12]}..., its tag says {expected[:12]}...: it "
            "was overwritten after it was registered"
        )


def _files_of(manifest: bytes) -> list[str]:
    """Return the names of the files of the pair, its compiled form and its profile, as far as it
    has them."""
    try:
        content = json.loads(manifest)
        parts = [content.get("compiled"), content.get("profile_file")]
        names = [content["file"], *(part["file"] for part in parts if part)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        names = [None]
    if not all(isinstance(name, str) and re.fullmatch(FILE_NAME, name) for name in names):
        raise VersionRejected(f"its {MANIFEST} names no file that can be fetched")
    if MANIFEST in names or len({*names}) < len(names):
        raise VersionRejected(f"its {MANIFEST} names no file that can be fetched")
    return names
