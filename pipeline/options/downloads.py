"""The section `downloads`: files to fetch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Section, Sha256


class DownloadOptions(Section):
    """A file to fetch: your own, or another URL for a known file."""

    url: Annotated[str, Field(pattern="^https?://")]
    sha256: Sha256 | None = None
    """Verified before use; null: the hash of the known file, else a warning with the hash found."""


class FetchOptions(Section):
    """Options of the stage fetch."""

    url: str
    digest: Annotated[str, Field(pattern="^(md5|sha256):[0-9a-f]{8,64}$")] | None = None
    """Algorithm and hash, or the first digits of it; null: unknown."""
    terms: str = ""
    """The publisher's terms of use."""
