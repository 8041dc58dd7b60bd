"""Stage: write tables as HTML pages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.tables.tabulate import write_text

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 13px sans-serif; margin: 0 1em; background: white; color: black; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.3em 0.6em; border-bottom: 1px solid #ccc; text-align: left; }}
th {{ border-bottom: 2px solid black; position: sticky; top: 0; background: white; }}
{numbers} {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style>
</head>
<body>
{table}
</body>
</html>
"""


def show_tables(tables: list[Path], pages: list[Path]) -> None:
    """Write each CSV file of `tables` as a self-contained HTML page."""
    for table, page in zip(tables, pages, strict=True):
        cells = pd.read_csv(table, dtype=str, keep_default_na=False)
        html = cells.to_html(index=False, border=0)
        style = {"title": table.stem, "table": html, "numbers": _number_columns(cells)}
        write_text(page, PAGE.format(**style))


def _number_columns(cells: pd.DataFrame) -> str:
    """Return a CSS selector of the columns that hold numbers only."""
    values = cells.apply(pd.to_numeric, errors="coerce")
    columns = [i for i, name in enumerate(cells, start=1) if values[name].notna().all()]
    return ", ".join(f"tr > :nth-child({column})" for column in columns)
