"""`snakemake --report` of a finished project."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tests.workflow.conftest import ROOT, Project


def test_report_has_every_figure_and_table_with_caption(finished: Project, tmp_path: Path) -> None:
    """The report has all figures, and an HTML page for each CSV table."""
    report = tmp_path / "report.zip"
    done = finished.snakemake("--report", str(report))
    assert done.returncode == 0, done.stdout[-3000:]
    with zipfile.ZipFile(report) as archive:
        names = {Path(name).name for name in archive.namelist()}
        page = archive.read("report/report.html").decode()
    results = finished.folder / "results/synthetic"
    figures = {path.name for path in results.glob("figures/components_*.png")}
    tables = {path.with_suffix(".html").name for path in results.glob("*/components*.csv")}
    assert figures
    assert tables >= {
        "components.html",
        "components_runs.html",
        "components_paired.html",
        "components_map_by_occlusion.html",
    }
    assert names == figures | tables | {"report.html"}
    captions = ROOT / "workflow/report/captions"
    for kind in (*(name.partition("_")[2].removesuffix(".png") for name in figures), "paired"):
        words = (captions / f"{kind}.rst").read_text().split()[:5]
        assert re.search(r"\s+".join(map(re.escape, words)), page), kind
