"""A user's own crops: tables, named identities, photographs, and the checks on them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.data.datasets.folder import parse_own_name
from pipeline.data.manifest import read_manifest
from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.options.data import IngestOptions
from tests.data.stages import refused, run_ingest, run_shard
from tests.miniatures import (
    MINIATURES,
    encode,
    own_folders,
    picture,
    pictures,
    write_folder,
    write_zip,
)

ROWS = [("a", 1, 0, "train"), ("b", 1, 4, "train"), ("c", 2, 0, "train"), ("d", 2, 4, "train")]
ROWS += [("e", 9, 0, "query"), ("f", 9, 4, "gallery"), ("g", 0, 4, "gallery")]
"""Name, id, camera and split of seven images."""
FILES = pictures(f"p/{name}.jpg" for name, *_ in ROWS)


def _table(form: str, head: str = "path,id,camera,split") -> str:
    """Return a table with a line per image; `form` has {name}, {i}, {c} and {split}."""
    lines = [form.format(name=name, i=i, c=c, split=split) for name, i, c, split in ROWS]
    return "\n".join([head, *lines])


PLAIN = _table("p/{name}.jpg,{i},{c},{split}")


OPTIONS = IngestOptions(dataset="folder")


def _crops(tmp_path: Path, table: str | bytes, files: dict[str, bytes]) -> Path:
    data = table if isinstance(table, bytes) else table.encode()
    return write_folder(tmp_path / "crops", files | {"images.csv": data})


def _ingest(tmp_path: Path, table: str | bytes, files: dict[str, bytes] = FILES) -> pd.DataFrame:
    return _ingest_archive(_crops(tmp_path, table, files))


def _ingest_archive(archive: Path) -> pd.DataFrame:
    return read_manifest(run_ingest(archive, OPTIONS))


def _labels(table: pd.DataFrame) -> list[tuple]:
    return list(table[["path", "identity", "camera", "split"]].itertuples(index=False, name=None))


def _refused(tmp_path: Path, table: str | bytes, *reasons: str, files=FILES) -> None:
    refused(_crops(tmp_path, table, files), OPTIONS, *reasons)


EXCEL = "\r\n".join(
    [
        "Split;ID;Path;Camera;;",
        *(f"{split.upper()} ; {i};p\\{name}.jpg;{c};;" for name, i, c, split in ROWS),
        ";;;;;",
        "",
    ]
)


@pytest.mark.parametrize(
    "table",
    [
        EXCEL,
        _table("{name},p/{name}.JPG, {i}, {c},{split}", ",path,id,camera,split"),
        "\n ,\n" + PLAIN,
        _table("./p/{name}.jpg\t{i}.0\t{c}\t{split}\tnote", "path\tid\tcamera\tsplit\tsize"),
        _table("/home/anna/crops/p/{name}.jpg,{i},{c},{split}"),
        _table("C:\\data\\p\\{name}.jpg,{i},{c},{split}"),
        _table("crops/p/{name}.jpg,{i},{c},{split}"),
        _table('"../crops/p/{name}.jpg","00{i}","{c}","{split}"'),
    ],
)
def test_table_variants_give_the_same_manifest(tmp_path: Path, table: str) -> None:
    """Other columns, orders, separators, blanks, cases and path prefixes."""
    expected = _labels(_ingest(tmp_path / "plain", PLAIN))
    assert len(expected) == 7
    assert _labels(_ingest(tmp_path / "other", table)) == expected
    assert read_json(tmp_path / "other/ingest.json") == {"numbers": {}}


def test_exact_path_takes_precedence_over_guessed_prefix(tmp_path: Path) -> None:
    files = pictures([*(f"{name}.jpg" for name, *_ in ROWS), "sub/a.jpg"])
    found = _labels(_ingest(tmp_path, _table("sub/{name}.jpg,{i},{c},{split}"), files))
    assert sorted(path for path, *_ in found) == [*(f"{n}.jpg" for n in "bcdefg"), "sub/a.jpg"]


def test_names_are_numbered_in_sorted_order(tmp_path: Path, capsys) -> None:
    """Identities -1 and 0 are reserved; cameras have no reserved numbers."""
    people = {"1": "person_17", "2": "Zoé", "9": "12345678901234567890", "0": "0"}
    rows = [f"p/{n}.jpg,{people[str(i)]},{'gate' if c else '3'},{s}" for n, i, c, s in ROWS]
    rows.append("p/junk.jpg,-1,gate,gallery")
    table = "\n".join(["path,id,camera,split", *rows])
    found = _ingest(tmp_path, table, FILES | pictures(["p/junk.jpg"]))
    assert [row[1:3] for row in _labels(found)] == [
        *[(2, 1), (2, 2), (3, 1), (3, 2)],
        *[(1, 1), (0, 2), (1, 2)],
    ]
    assert read_json(tmp_path / "ingest.json")["numbers"] == {
        "identity": {"-1": -1, "0": 0, "12345678901234567890": 1, "Zoé": 2, "person_17": 3},
        "camera": {"3": 1, "gate": 2},
    }
    assert "ingest.json: numbered 5 names of identity" in capsys.readouterr().out
    run_shard(tmp_path)
    assert list(ShardReader(tmp_path / "shards", "query").index["identity"]) == [1]


def test_long_numbers_are_unchanged(tmp_path: Path) -> None:
    found = _ingest(tmp_path, PLAIN.replace(",9,", ",12345678901,"))
    assert 12345678901 in set(found["identity"])
    run_shard(tmp_path)
    assert list(ShardReader(tmp_path / "shards", "query").index["identity"]) == [12345678901]


def test_without_camera_column_each_image_has_its_own_camera(tmp_path: Path, capsys) -> None:
    found = _ingest(tmp_path, _table("p/{name}.jpg,{i},{split}", "path,id,split"))
    assert found["camera"].nunique() == 7
    assert "no column camera: every image counts as its own camera" in capsys.readouterr().err


def test_query_copied_to_gallery_keeps_its_camera(tmp_path: Path) -> None:
    """Its copy in the gallery is therefore left out of its ranking."""
    table = _table("p/{name}.jpg,{i},{split}", "path,id,split") + "\np/e.jpg,9,gallery"
    found = _ingest(tmp_path, table)
    assert found[found["path"] == "p/e.jpg"]["camera"].nunique() == 1


def test_dataset_without_training_images_is_accepted(tmp_path: Path) -> None:
    lines = [line for line in PLAIN.splitlines() if "train" not in line]
    assert set(_ingest(tmp_path / "table", "\n".join(lines))["split"]) == {"query", "gallery"}
    files = {k: v for k, v in own_folders().files.items() if not k.startswith("train")}
    archive = write_zip(tmp_path / "a.zip", files)
    found = _ingest_archive(archive)
    assert set(found["split"]) == {"query", "gallery"}


def test_dataset_without_test_images_is_accepted_for_training(tmp_path: Path) -> None:
    lines = [line for line in PLAIN.splitlines() if not line.endswith(("query", "gallery"))]
    assert set(_ingest(tmp_path / "table", "\n".join(lines))["split"]) == {"train"}
    files = {k: v for k, v in own_folders().files.items() if k.startswith("train")}
    archive = write_zip(tmp_path / "a.zip", files)
    found = read_manifest(run_ingest(archive, OPTIONS, required_splits=["train"]))
    assert set(found["split"]) == {"train"}
    run_shard(tmp_path)
    assert len(ShardReader(tmp_path / "shards", "train")) == len(found)
    reason = "found no images of query, gallery, .* as data, with another one as test"
    with pytest.raises(InputError, match=reason):
        run_ingest(archive, OPTIONS, required_splits=["query", "gallery"])


def test_whole_body_queries_are_optional(tmp_path: Path) -> None:
    table = f"{PLAIN}\np/h.jpg,9,0,whole_query"
    found = _ingest(tmp_path / "table", table, FILES | pictures(["p/h.jpg"]))
    assert _labels(found)[-1] == ("p/h.jpg", 9, 0, "whole_query")
    files = own_folders().files | pictures(["whole_query/1_c1_x.jpg"])
    archive = write_zip(tmp_path / "a.zip", files)
    found = _ingest_archive(archive)
    assert set(found["split"]) == {"train", "query", "gallery", "whole_query"}


def test_gallery_without_queries_is_refused(tmp_path: Path) -> None:
    """Even if the dataset is not tested on."""
    files = {k: v for k, v in own_folders().files.items() if not k.startswith("query")}
    archive = write_zip(tmp_path / "a.zip", files)
    with pytest.raises(InputError, match="found no images of query,"):
        run_ingest(archive, OPTIONS, required_splits=["train"])


def test_unicode_forms_of_file_names_match(tmp_path: Path) -> None:
    """macOS writes file names in NFD, most tables are in NFC."""
    table = PLAIN.replace("p/a.jpg", "p/\u00e9.jpg")
    files = {("p/e\u0301.jpg" if k == "p/a.jpg" else k): v for k, v in FILES.items()}
    assert "p/e\u0301.jpg" in set(_ingest(tmp_path, table, files)["path"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("p/none.jpg,1,0,train", "below the table's folder, found 'p/none.jpg'"),
        ("../secret.jpg,1,0,train", "below the table's folder"),
        ("/etc/passwd,1,0,train", "below the table's folder"),
        ("p/h.jpg,,0,train", "a name or a number from -1 as id, found ''"),
        ("p/h.jpg,-7,0,train", "a name or a number from -1 as id, found '-7'"),
        ("p/h.jpg,1,-1,train", "a name or a number from 0 as camera, found '-1'"),
        ("p/h.jpg,1,,train", "a name or a number from 0 as camera, found ''"),
        ("p/h.jpg,1,0,test", "a split of train, query, gallery, whole_query, found 'test'"),
        ("p/h.jpg,1,0", "expected 4 values, found 3"),
        ("p/h.jpg,1,0,train,5", "expected 4 values, found 5"),
        ("p/a.jpg,1,0,train", "found 'p/a.jpg' twice, first on line 2"),
        ("p/a.jpg,9,0,gallery", "found 'p/a.jpg' in gallery, and on line 2 in train"),
        ("p/e.jpg,8,0,gallery", "expected the id and camera of line 6"),
        ("p/noend,1,0,train", "found 'p/noend' (by its content JPEG): rename or convert"),
        ("p/note.txt,1,0,train", "found 'p/note.txt' (by its content no image)"),
    ],
)
def test_invalid_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    more = {"p/h.jpg": picture(1), "p/noend": picture(2), "p/note.txt": b"x"}
    _refused(
        tmp_path, f"{PLAIN}\n{line}", "1 lines are invalid", "line 9: ", reason, files=FILES | more
    )


def test_all_invalid_lines_are_named(tmp_path: Path) -> None:
    _refused(tmp_path, PLAIN.replace(",gallery", ",test"), "2 lines", "line 7: ", "line 8: ")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("file;who\n", "expected the columns path, id, split, camera"),
        ("", "found none"),
        ("path,id,id,split\n", "found path, id, id, split"),
        (PLAIN.replace("p/c", "p/ü").encode("latin-1"), "line 4: expected text in UTF-8"),
    ],
)
def test_invalid_table_is_refused(tmp_path: Path, table: str | bytes, reason: str) -> None:
    _refused(tmp_path, table, "images.csv", reason)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("person_17_c2_0001.jpg", ("person_17", 2)),
        ("Zoé_C1.JPG", ("Zoé", 1)),
        ("0002_c1s1_000451_03.jpg.jpg", ("0002", 1)),
        ("-1_c1.png", ("-1", 1)),
        ("-2_c1.png", None),
        ("person_c3po_c2.jpg", None),
        ("a/b_c1.jpg", None),
        ("_c1.jpg", None),
        ("b_c1.txt", None),
    ],
)
def test_own_file_names_are_parsed(name: str, label: tuple | None) -> None:
    assert parse_own_name(name) == label


def test_own_folders_with_named_people_are_numbered(tmp_path: Path) -> None:
    files = {name.replace("/2_", "/anna_"): data for name, data in own_folders().files.items()}
    archive = write_folder(tmp_path / "crops", files)
    found = _ingest_archive(archive)
    numbers = read_json(tmp_path / "ingest.json")["numbers"]
    assert numbers == {"identity": {"1": 1, "11": 2, "3": 3, "7": 4, "anna": 5}}
    assert set(found["identity"][found["split"] == "train"]) == {2, 4, 5}


def test_rotated_photographs_keep_their_bytes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph = encode(Image.new("RGB", (48, 20), (200, 0, 0)), "JPEG", exif=exif)
    found = _ingest(tmp_path, PLAIN, FILES | {"p/e.jpg": photograph})
    [row] = found[found["path"] == "p/e.jpg"].itertuples()
    assert (row.width, row.height) == (20, 48)
    run_shard(tmp_path)
    reader = ShardReader(tmp_path / "shards", "query")
    assert reader.read(0) == photograph
    assert reader.image(0).shape == (48, 20, 3)


def test_unusual_image_sizes_are_a_warning(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.data.checks.LARGE", 600)
    small, large = (encode(Image.new("RGB", size)) for size in ((9, 12), (20, 31)))
    _ingest(tmp_path, PLAIN, FILES | {"p/a.jpg": small, "p/b.jpg": large})
    warned = capsys.readouterr().err
    assert "1 images are smaller than 16 pixels: p/a.jpg (9 x 12)" in warned
    assert "1 images are larger than 600 pixels in all" in warned
    assert "p/b.jpg (20 x 31)" in warned


def test_training_image_in_test_set_is_refused(tmp_path: Path, capsys) -> None:
    files = FILES | {"p/f.jpg": FILES["p/a.jpg"]}
    reason = "no training image in the test set, found 1: p/a.jpg (train) = p/f.jpg (gallery)"
    _refused(tmp_path, PLAIN, reason, files=files)
    archive = tmp_path / "crops"
    run_ingest(archive, IngestOptions(dataset="folder", checks="warn"))
    assert reason in capsys.readouterr().err


def test_copies_with_other_labels_are_a_warning(tmp_path: Path, capsys) -> None:
    _ingest(tmp_path, PLAIN, FILES | {"p/c.jpg": FILES["p/a.jpg"], "p/f.jpg": FILES["p/e.jpg"]})
    warned = capsys.readouterr().err
    assert "1 images have several identities: p/a.jpg (train) = p/c.jpg (train)" in warned
    assert "1 queries match themselves, by a copy in the gallery under another camera" in warned


def test_queries_without_any_match_are_refused(tmp_path: Path) -> None:
    reason = "none of the 1 queries has a match under another camera in the gallery"
    one_camera = _table("p/{name}.jpg,{i},5,{split}")
    _refused(tmp_path / "one", one_camera, reason, "omit the column camera")
    _refused(tmp_path / "nobody", PLAIN.replace("p/f.jpg,9", "p/f.jpg,8"), reason)
    archive = tmp_path / "one/crops"
    with pytest.raises(InputError, match=reason):
        run_ingest(archive, IngestOptions(dataset="folder", checks="warn"))


def test_identities_with_one_camera_are_a_warning(tmp_path: Path, capsys) -> None:
    rows = "\np/h.jpg,10,0,query\np/i.jpg,10,0,gallery"
    table = PLAIN.replace("p/d.jpg,2,4", "p/d.jpg,2,0") + rows
    _ingest(tmp_path, table, FILES | pictures(["p/h.jpg", "p/i.jpg"]))
    warned = capsys.readouterr().err
    assert "train: 1 identities have one camera only: 2" in warned
    assert "query: 1 identities have one camera only: 10" in warned


def test_distractor_query_is_refused(tmp_path: Path) -> None:
    table = PLAIN.replace("p/e.jpg,9,", "p/e.jpg,0,")
    _refused(tmp_path, table, "query: found identity 0 (distractor)", "number people from 1")


def test_file_names_become_shard_keys(tmp_path: Path) -> None:
    archive = write_folder(tmp_path / "crops", MINIATURES["folder"].files)
    run_ingest(archive, OPTIONS)
    run_shard(tmp_path)
    keys = list(ShardReader(tmp_path / "shards", "train").index["key"])
    assert keys[:2] == ["person 1-train_cam0", "person 1-train_cam4"]
