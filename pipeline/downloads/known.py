"""Files that are downloaded by name, from their publishers, and files that never are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.data.datasets.occluded_duke import LISTS
from pipeline.errors import InputError
from pipeline.occluders.checkpoints import OFFICIAL
from pipeline.options.downloads import DownloadOptions, FetchOptions
from pipeline.storage import S3

FOLDER = "results/downloads"
"""Folder of downloads: a path in it in the configuration requests the download."""
COPIED = ("archive", "images", "annotations")
"""Last parts of the keys that take such an address; the workflow copies the object."""

_SAM = "https://dl.fbaipublicfiles.com/segment_anything"
_TIMM = "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-vitjx"
_OCCLUDED_DUKE = (
    "https://raw.githubusercontent.com/lightas/Occluded-DukeMTMC-Dataset/"
    "dcba185bb20cbd53d3da2c8a4bfc25aa6971ce1d/Occluded_Duke"
)
_OCCLUDED_REID = "https://github.com/tinajia2012/ICME2018_Occluded-Person-Reidentification_datasets"

# The publishers' file names have the first digits of the MD5s and the SHA-256; the pinned commit
# fixes the lists.
KNOWN: Mapping[str, FetchOptions] = {
    **{
        name: FetchOptions(
            url=f"{_SAM}/{name}", digest=f"md5:{md5}", terms="Segment Anything, Apache 2.0"
        )
        for name, md5 in OFFICIAL.values()
    },
    "jx_vit_base_p16_224-80ecf9dd.pth": FetchOptions(
        url=f"{_TIMM}/jx_vit_base_p16_224-80ecf9dd.pth",
        digest="sha256:80ecf9dd",
        terms="Google's ViT-B/16 (ImageNet) in timm's layout, Apache 2.0",
    ),
    **{
        f"occluded_duke/{split}.list": FetchOptions(
            url=f"{_OCCLUDED_DUKE}/{split}.list",
            digest=f"sha256:{sha256}",
            terms="names only; the images inherit the status of DukeMTMC-reID, which is withdrawn",
        )
        for split, sha256 in LISTS.items()
    },
}

WITHHELD: Mapping[str, str] = {
    "DukeMTMC-reID.zip": "withdrawn by its authors; research use, by those who hold a copy",
    "P-DukeMTMC-reid.zip": "made from DukeMTMC-reID, which its authors withdrew; non-commercial "
    f"academic use under the signed agreement in {_OCCLUDED_REID}",
    "Occluded_REID.zip": "non-commercial academic use; its authors ask every user to sign the "
    f"agreement in {_OCCLUDED_REID}, which also has the file",
    "MSMT17_V1.tar.gz": "handed out by its authors on request only, for research",
}
"""Archives that are withdrawn or restricted, with their terms of use."""


def fetch_options(name: str, own: DownloadOptions | None) -> FetchOptions:
    """Return source and hash of `name`: the known ones, with URL and hash of `own` if given.

    Raises InputError for a withheld file, and for one without URL.
    """
    if name in WITHHELD:
        raise InputError(
            f"{name} is never downloaded ({WITHHELD[name]}): give the path of a copy that you may "
            f"use, such as /data/{name}"
        )
    if own is None and name not in KNOWN:
        raise InputError(
            f"found {name!r}, expected one of {', '.join(KNOWN)}: add an entry of this name with "
            "url and sha256 to downloads, or give the path of a copy"
        )
    if own is None:
        return KNOWN[name]
    known = KNOWN.get(name) or FetchOptions(url=own.url)
    if own.sha256 is None:
        return known.model_copy(update={"url": own.url})
    return FetchOptions(url=own.url, digest=f"sha256:{own.sha256}", terms=known.terms)


def check_paths(paths: Iterable[tuple[str, str]], own: Mapping[str, DownloadOptions]) -> None:
    """Require paths, given with their keys, that exist or can be downloaded.

    Raises InputError for a URL in the place of a path, for an address of an object where none is
    `COPIED`, and as `fetch_options` does.
    """
    for key, path in paths:
        if path.startswith(("http://", "https://")):
            raise InputError(
                f"config: {key}: expected a path, found the URL {path}: add it to downloads as url "
                f"of a new name, and give {FOLDER}/<name> here"
            )
        if path.startswith(S3) and key.rpartition(".")[2] not in COPIED:
            raise InputError(
                f"config: {key}: found {path}, expected a path of this machine: copy the object, "
                f"and give its path; only {', '.join(COPIED)} of a dataset or of occluders take s3://"
            )
        if path.startswith(f"{FOLDER}/"):
            _check_name(key, path.removeprefix(f"{FOLDER}/").rstrip("/"), own)


def _check_name(key: str, name: str, own: Mapping[str, DownloadOptions]) -> None:
    if any(file.startswith(f"{name}/") for file in (*KNOWN, *own)):
        return  # a folder of files
    try:
        fetch_options(name, own.get(name))
    except InputError as error:
        raise InputError(f"config: {key}: {error}") from None
