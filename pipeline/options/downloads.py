"""The section `downloads`: files to fetch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Section, Sha256


class DownloadOptions(Section):
    """A file to fetch: one of your own, or another address of one that is known by name."""

    url: Annotated[str, Field(pattern="^https?://")]
    sha256: Sha256 | None = None
    """Checked before use; null: what is known of the file, else a warning says what was found."""


class FetchOptions(Section):
    """What fetching needs to know of a file."""

    url: str
    digest: Annotated[str, Field(pattern="^(md5|sha256):[0-9a-f]{8,64}$")] | None = None
    """Algorithm and hash; the first digits are enough. null: none is known."""
    terms: str = ""
    """What its publisher asks of those who use it."""
