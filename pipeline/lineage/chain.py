"""What a run's metrics were made of, stage by stage, down to the archive and the occluders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.data.manifest import read_manifest
from pipeline.data.shards import HASHES
from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.lineage.links import BAD, BROKEN, OK, Link, check, check_all
from pipeline.options.sources import SourceFiles
from pipeline.provenance import code_hash

Record = dict[str, Any]
Origin = tuple[str, tuple[Link, ...]]
"""A note on how a file was made, and what it was made of."""
Follow = Callable[[Path, Record], Origin]


class Lineage:
    """Follows the records below a folder of results; each is read once."""

    def __init__(self, results: Path, sources: SourceFiles) -> None:
        self._results = results
        self._sources = sources
        self._followed: dict[tuple[Path, str | None], Link] = {}

    def metrics(self, path: Path, recorded: str | None) -> Link:
        """The metrics of a run, and all that they were made of."""
        return self._record(path, recorded, self._metrics)

    def _record(self, path: Path, recorded: str | None, follow: Follow) -> Link:
        """A JSON file; what it names is followed only where it is as recorded itself."""
        if (path, recorded) not in self._followed:
            link = check(path, recorded)
            if link.state in BAD:
                link = link._replace(note="what it was made of is not followed")
            else:
                link = _followed(link, path, follow)
            self._followed[path, recorded] = link
        return self._followed[path, recorded]

    def _metrics(self, path: Path, record: Record) -> Origin:
        folder, hashes, embedding = path.parent, record["hashes"], record["embedding"]
        features = check(folder / "features.npz", hashes["features"])
        note = f"{embedding['device']}, {_code('evaluation.embed', embedding)}"
        tested = self._shards(record["dataset"], embedding["shards"])
        return _code("evaluation.score", record), (
            check(folder / "queries.csv", hashes["queries"]),
            features._replace(note=note, made_of=(tested,)),
            self._record(folder / "run.json", record["run"], self._run),
        )

    def _run(self, path: Path, record: Record) -> Origin:
        folder, hashes = path.parent, record["hashes"]
        made_of = [
            check(folder / "weights.safetensors", hashes["weights"]),
            check(folder / "history.csv", hashes.get("history")),
            self._shards(record["dataset"], hashes["shards"]),
        ]
        if hashes["pretrained"]:
            weights = Path(record["options"]["backbone"]["weights"])
            made_of.append(check(weights, hashes["pretrained"], source=True))
        if hashes.get("truth"):
            drawn = self._results / record["dataset"] / "truth.npz"
            made_of.append(check(drawn, hashes["truth"]))
        if hashes["bank"]:
            bank = self._results / "occluders" / "bank" / HASHES
            made_of.append(self._record(bank, hashes["bank"], self._bank))
        return _run_note(record), tuple(made_of)

    def _shards(self, dataset: str, recorded: str) -> Link:
        path = self._results / dataset / "shards" / HASHES
        return self._record(path, recorded, self._packed)

    def _packed(self, path: Path, record: Record) -> Origin:
        dataset, made_of = path.parent.parent, record["made_of"]
        manifest = check(dataset / "manifest.csv", made_of["manifest"])
        if manifest.state == OK:
            table = read_manifest(dataset / "manifest.csv")
            images = dict(zip(table["path"], table["sha256"], strict=True))
            found = check_all(dataset / "images", images, source=True)
            manifest = manifest._replace(made_of=(found,))
        return _code("data.shards", made_of), (
            _files(path.parent, record),
            manifest,
            self._record(dataset / "ingest.json", made_of["ingest"], self._ingest),
        )

    def _ingest(self, path: Path, record: Record) -> Origin:
        dataset, archive = path.parent.name, record["archive"]
        place = Path(self._sources.archives.get(dataset, archive["name"]))
        made_of = [check(place, archive["sha256"], source=True)]
        if record["lists"]:
            lists = Path(self._sources.lists.get(dataset, "lists"))
            made_of.append(check_all(lists, record["lists"], source=True))
        return f"of {archive['name']}, {_code('data.ingest', record)}", tuple(made_of)

    def _bank(self, path: Path, record: Record) -> Origin:
        folder, made_of = path.parent.parent, record["made_of"]
        return _code("occluders.select", made_of), (
            _files(path.parent, record),
            check(folder / "masks.jsonl", made_of["masks"]),
            self._record(folder / "masks.json", made_of["segmentation"], self._masks),
        )

    def _masks(self, path: Path, record: Record) -> Origin:
        images = check_all(Path(self._sources.occluders), record["images"], source=True)
        if record["checkpoint"] is None:
            return _code("occluders.sa1b", record), (images,)
        checkpoint = check(Path(self._sources.sam_checkpoint), record["checkpoint"], source=True)
        return f"SAM {record['sam']}, {_code('occluders.segment', record)}", (checkpoint, images)


def _followed(link: Link, path: Path, follow: Follow) -> Link:
    try:
        note, made_of = follow(path, read_json(path))
    except (ValueError, KeyError, TypeError, InputError) as error:
        return link._replace(state=BROKEN, note=f"cannot be followed: {error!r}")
    return link._replace(note=note, made_of=made_of)


def _files(folder: Path, record: Record) -> Link:
    """All that a folder's shards.json lists."""
    return check_all(folder, {name: facts["sha256"] for name, facts in record["files"].items()})


def _run_note(record: Record) -> str:
    """How, where and when a run was trained."""
    commit = record["commit"] or "outside of git"
    changes = " with changes" if record["dirty"] else ""
    return (
        f"{record['variant']}, seed {record['seed']}, on {record['dataset']}; {record['device']}, "
        f"{record['precision']}, {record['started']} to {record['finished']}, "
        f"{record['seconds'] / 3600:.3f} device-hours; {commit}{changes}, "
        f"{_code('training.train', record)}"
    )


def _code(stage: str, record: Record) -> str:
    """Whether the stage's code is still what it was then: not an error, but worth knowing."""
    same = record["code"] == code_hash(f"pipeline.{stage}")
    return "by this code" if same else f"by other code, {record['code']}"
