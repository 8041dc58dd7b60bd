"""The page in a real Chromium: slider, overlay, steps, keys, filter; nothing in the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline import load
from pipeline.data.images import decode_image
from pipeline.use.embedder import Embedder, Matches
from pipeline.use.page import write_page
from pipeline.use.threshold import Threshold
from tests.browser import CHROMIUM, Page, open_browser
from tests.use.conftest import draw

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
    pytest.mark.no_cover,
]

QUERIES, TOP = 2000, 50
THRESHOLD = Threshold(0.5, 0.001, "toy")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def model(trained: Path) -> Embedder:
    model = load(trained, "cpu")
    model.threshold = THRESHOLD
    return model


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Matches:
    """Many matches of few pictures: falling similarities, one of each query is the threshold."""
    folder = tmp_path_factory.mktemp("many")
    names = [str(draw(folder / f"sub/p{i}.png", i)) for i in range(4)]
    names.append(str(draw(folder / 'a <b> & "c".png', 9)))
    rng = np.random.default_rng(0)
    similarities = rng.uniform(-0.2, 0.9, (QUERIES, TOP))
    similarities[:, 0] = THRESHOLD.similarity
    similarities = -np.sort(-similarities.astype(np.float32), axis=1)
    queries = [names[i % len(names)] for i in range(QUERIES)]
    return Matches(queries, [(names * TOP)[:TOP]] * QUERIES, similarities.tolist())


@pytest.fixture(scope="module")
def file(matches: Matches, model: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(path, matches, 12_345, model)
    return path


@pytest.fixture
def page(browser: Page, file: Path) -> Iterator[Page]:
    """The page, just opened at 1,440 pixels; whatever the console says is an error."""
    browser.resize(1440)
    browser.open(file)
    yield browser
    assert browser.problems == []


def text(page: Page, selector: str) -> str:
    return str(page.value(f"document.querySelector({selector!r}).innerText"))


def position(page: Page) -> int:
    """Return the number of the current query; its row is the current one, below the tools."""
    number = int(text(page, "#position").split(" ")[0].replace(",", ""))
    row = "document.querySelector('.row[aria-current]')"
    assert page.value(f"[...document.querySelectorAll('.row')].indexOf({row})") == number - 1
    return number


def test_rows_are_filled_near_the_window_only(page: Page) -> None:
    """At most ten rows of 51 pictures, wherever the page is scrolled to."""
    size = "[document.querySelectorAll('.row').length, document.images.length]"
    filled = (
        "[...document.querySelectorAll('.row')].flatMap((r, i) => r.children.length ? [i] : [])"
    )
    for target, expected in (("0", 0), ("document.body.scrollHeight", QUERIES - 1), ("0", 0)):
        page.value(f"scrollTo(0, {target})")
        page.settle()
        rows, images = page.value(size)
        assert rows == QUERIES
        assert 3 * (TOP + 1) <= images <= 10 * (TOP + 1)
        assert expected in page.value(filled)
        assert page.value("document.querySelectorAll('*').length") < QUERIES + 10 * (TOP + 1) * 10


def test_page_loads_nothing(page: Page) -> None:
    loaded = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert [name for name in page.value(loaded) if not name.startswith("data:")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 400])
def test_page_fits_the_window(page: Page, width: int, scheme: str) -> None:
    """Only the rows of matches scroll sideways; text contrasts with the page."""
    page.resize(width, 800, scheme)
    assert page.value("document.documentElement.scrollWidth") <= width
    assert page.value("document.querySelector('.matches').scrollWidth") > width
    colours = "['color', 'backgroundColor'].map((n) => getComputedStyle(document.body)[n])"
    ink, paper = (sum(map(int, c[4:-1].split(", "))) / 3 for c in page.value(colours))
    assert (paper - ink > 180) if scheme == "light" else (ink - paper > 180)


def test_controls_have_names_and_are_reached_by_tab(page: Page) -> None:
    names = []
    for _ in range(6):
        page.press("Tab")
        names.append(page.value("document.activeElement.id || document.activeElement.ariaLabel"))
    assert names[:-1] == ["filter", "threshold", "reset", "overlay", "previous"]
    assert page.value("[...document.querySelectorAll('input')].every((i) => i.labels.length)")


def accepted(page: Page) -> list[int]:
    """Return the number of accepted matches in each filled row."""
    rows = "[...document.querySelectorAll('.row')].filter((row) => row.children.length)"
    return list(page.value(f"{rows}.map((row) => row.querySelectorAll('.accepted').length)"))


def expect_accepted(page: Page, matches: Matches, threshold: float) -> None:
    """Compare what is accepted with a plain count."""
    counts = [sum(value >= threshold for value in row) for row in matches.similarities]
    shown = accepted(page)
    assert shown == counts[: len(shown)]
    assert text(page, ".count") == f"{counts[0]} accepted"
    some = sum(count > 0 for count in counts)
    assert text(page, "#accepted") == f"Accepted: {sum(counts):,} matches of {some:,} queries"


def test_slider_starts_at_the_threshold_and_changes_what_is_accepted(
    page: Page, matches: Matches
) -> None:
    expect_accepted(page, matches, THRESHOLD.similarity)
    assert text(page, "#value") == "0.5000"
    page.click("#threshold")  # in its middle
    middle = float(page.value("document.querySelector('#threshold').value"))
    assert middle != THRESHOLD.similarity
    expect_accepted(page, matches, middle)
    page.press("ArrowRight")
    expect_accepted(page, matches, round(middle + 0.001, 3))
    page.click("#reset")
    expect_accepted(page, matches, THRESHOLD.similarity)


def test_page_says_what_the_threshold_means(page: Page) -> None:
    about = text(page, "#about")
    assert "the run's threshold, 0.5000. It is a threshold of pairs: in the test set toy" in about
    assert "1 of 1,000 pairs of two people" in about
    assert "compared with 12,345 pictures, so at this rate expect about 12 false matches" in about


def test_without_threshold_all_are_accepted_at_first(
    browser: Page, matches: Matches, trained: Path, tmp_path: Path
) -> None:
    few = Matches(*(column[:3] for column in matches))
    write_page(tmp_path / "page.html", few, 4, load(trained, "cpu"))
    browser.open(tmp_path / "page.html")
    assert text(browser, "#about").startswith("The run states no threshold")
    assert text(browser, "#accepted") == f"Accepted: {3 * TOP} matches of 3 queries"
    assert browser.problems == []


def test_overlay_covers_the_dropped_patches(page: Page, matches: Matches, model: Embedder) -> None:
    """By a click on its button, and by a key."""
    shown = "getComputedStyle(document.querySelector('.matches svg')).display"
    assert page.value(shown) == "none"
    page.click("#overlay")
    assert page.value(shown) == "block"
    assert page.value("document.querySelector('#overlay').ariaPressed") == "true"
    name = matches.names[0][0]
    masks = model.kept_patches([decode_image(Path(name).read_bytes(), name)])
    assert masks is not None
    squares = page.value("document.querySelector('.matches path').getAttribute('d')")
    dropped = {tuple(map(int, each.split("h")[0].split())) for each in squares.split("M")[1:]}
    assert dropped == {(int(x), int(y)) for y, x in zip(*np.nonzero(~masks[0]), strict=True)}
    box = "(({x, y, width, height}) => [x, y, width, height].map(Math.round))"
    covered, image = (
        page.value(f"{box}(document.querySelector('.matches {tag}').getBoundingClientRect())")
        for tag in ("svg", "img")
    )
    assert covered == image
    page.press("o")
    assert page.value(shown) == "none"


def test_keys_and_buttons_step_through_the_queries(page: Page) -> None:
    assert position(page) == 1
    for step, expected in ((lambda: page.press("j"), 2), (lambda: page.click("#next"), 3)):
        step()
        assert position(page) == expected
    for _ in range(3):
        page.press("k")
    assert position(page) == 1
    page.click("#previous")
    assert position(page) == 1
    tools = page.value("document.querySelector('#tools').getBoundingClientRect().bottom")
    page.press("j")
    top = page.value("document.querySelector('.row[aria-current]').getBoundingClientRect().top")
    assert top == pytest.approx(tools, abs=1)


def test_step_after_scrolling_starts_in_the_window(page: Page) -> None:
    page.value("document.querySelectorAll('.row')[999].scrollIntoView()")
    page.settle()
    page.press("j")
    assert position(page) == 1000


def test_filter_shows_queries_by_file_name(page: Page, matches: Matches) -> None:
    """Keys write into the filter; a query that is not shown is no step."""
    visible = "[...document.querySelectorAll('.row')].flatMap((r, i) => r.hidden ? [] : [i])"
    page.press("/")
    page.write("SUB/p2")
    page.press("j")
    page.press("Escape")
    assert page.value(visible) == []
    assert text(page, "#empty") == "No query has this text in its file name."
    page.press("/")
    page.value("document.querySelector('#filter').value = ''")
    page.write("SUB/p2")
    page.press("Escape")
    expected = [i for i, name in enumerate(matches.queries) if name.endswith("sub/p2.png")]
    assert page.value(visible) == expected
    assert position(page) == expected[0] + 1
    page.press("j")
    assert position(page) == expected[1] + 1


def test_file_names_are_text(page: Page, matches: Matches) -> None:
    shown = page.value("document.querySelectorAll('.matches')[0].children[4].innerText")
    assert shown.splitlines()[-1] == 'a <b> & "c".png'
    assert text(page, ".row .name") == matches.queries[0]
