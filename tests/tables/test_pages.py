"""Tables as pages of the report."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.tables.pages import show_tables

TABLE = "variant,seeds,map_std,remark\nbaseline,3,1.2500,\ndpsm_2,1,,3 seeds\n"


def test_page_has_the_cells_of_its_table_and_right_aligned_numbers(tmp_path: Path) -> None:
    table, page = tmp_path / "some.csv", tmp_path / "some.html"
    table.write_text(TABLE)
    show_tables([table], [page])
    text = page.read_text()
    cells = re.findall(r"<t[hd]>(.*?)</t[hd]>", text)
    assert cells == TABLE.replace("\n", ",").split(",")[:-1]
    assert "<title>some</title>" in text
    aligned = re.findall(r":nth-child\((\d)\)", text)
    assert aligned == ["2"]  # a number in every row
