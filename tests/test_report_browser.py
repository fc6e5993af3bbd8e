"""Claims about the report in a real browser: it opens offline, draws, plays, turns, and prints."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_report import PROTOCOL
from tiny_run import tiny_config

from robolearn.errors import UserError
from robolearn.recording.gl import require_gl
from robolearn.reporting import report
from robolearn.training import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None,
        reason="no playwright: pip install -e .[dev]",
    ),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    """A report of two recipes in one env, with films and replays."""
    try:
        require_gl()
    except UserError as error:
        pytest.skip(f"films need OpenGL: {error}")
    folder = tmp_path_factory.mktemp("browser")
    once = {"generations": 2, "population": 4, "validation_lives": 1, "validate_every": 1}
    for seed in (0, 1):
        config = tiny_config(seed=seed, learning=once, name="plastic")
        train(config, folder / "runs" / f"plastic-{seed}", ["robolearn", "train", "tiny"])
    static = tiny_config(learning=once, agent={"rule": "none"}, name="static")
    train(static, folder / "runs" / "static", ["robolearn", "train", "tiny"])
    (folder / "short.yaml").write_text(PROTOCOL)
    return report([str(folder / "runs")], str(folder / "short.yaml"), folder / "report.html")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *GL])
        yield browser
        browser.close()


class Opened:
    """The page in a window of its own without a network; notes what goes wrong."""

    def __init__(self, browser: Any, file: Path, **options: Any):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._see)
        self.page.goto(file.as_uri())

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _see(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            self.requests.append(request.url)


@pytest.fixture
def opened(chromium, page_file) -> Iterator[Any]:
    windows: list[Opened] = []

    def open_page(**options: Any) -> Opened:
        windows.append(Opened(chromium, page_file, **options))
        return windows[-1]

    yield open_page
    for window in windows:
        assert window.errors == []
        assert window.requests == []
        window.context.close()


def test_every_figure_is_drawn(opened):
    page = opened(viewport={"width": 1280, "height": 900}).page
    figures = page.locator("svg.plot")
    assert figures.count() >= 8
    for i in range(figures.count()):
        box = figures.nth(i).bounding_box()
        assert box["width"] > 200
        assert box["height"] > 60
        drawn = figures.nth(i).evaluate(
            "svg => [...svg.querySelectorAll('path, circle, line')]"
            ".filter(mark => Math.hypot(mark.getBoundingClientRect().width, "
            "mark.getBoundingClientRect().height) > 3).length"
        )
        assert drawn >= 3


def test_films_play(opened):
    page = opened().page
    films = page.locator("video")
    assert films.count() == 2
    page.get_by_role("button", name="Play all").click()
    for i in range(2):
        page.wait_for_function(
            "i => { const f = document.querySelectorAll('video')[i];"
            " return f.currentTime > 0.1 && f.videoWidth === 480; }",
            arg=i,
        )


def test_the_replay_opens_and_moves(opened):
    page = opened(viewport={"width": 1000, "height": 800}).page
    page.get_by_role("button", name="static").click()
    stage = page.locator(".stage iframe")
    viewer = stage.content_frame.locator("canvas").first
    viewer.wait_for(timeout=60_000)
    pictures = []

    def changed() -> bool:
        pictures.append(stage.screenshot())
        return len(set(pictures)) > 4

    for _ in range(60):
        page.wait_for_timeout(500)
        if changed():
            break
    assert len(set(pictures)) > 4


def test_a_phone_is_wide_enough_and_a_keyboard_is_all_one_needs(opened):
    page = opened(viewport={"width": 390, "height": 844}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    head = page.get_by_role("button", name="retention").first
    head.focus()
    page.keyboard.press("Enter")
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    first = page.locator("table.board").first.locator("tbody tr td:nth-child(5)")
    values = [float(first.nth(i).get_attribute("data-v") or "nan") for i in range(first.count())]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_paper_in_light_and_dark(opened, scheme):
    page = opened(color_scheme=scheme).page
    contrasts = page.evaluate(_CONTRAST)
    assert min(contrasts.values()) >= 4.5, contrasts
    page.locator("#theme").click()
    other = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (other == "rgb(251, 250, 247)") == (scheme == "dark")


def test_it_prints_on_light_paper(opened):
    window = opened(color_scheme="dark")
    window.page.emulate_media(media="print")
    background = "getComputedStyle(document.body).backgroundColor"
    assert window.page.evaluate(background) == "rgb(255, 255, 255)"
    assert not window.page.locator("#theme").is_visible()
    assert len(window.page.pdf()) > 20_000


def test_a_mark_tells_its_value_when_it_is_pointed_at(opened):
    page = opened(viewport={"width": 1280, "height": 900}).page
    cell = page.locator("td[data-tip]").first
    cell.scroll_into_view_if_needed()
    cell.hover()
    assert "retention" in page.locator("#tip").inner_text()


def test_ten_recipes_would_fit_into_25_megabytes(page_file):
    assert page_file.stat().st_size < 25e6 * 2 / 10


# WCAG contrast of the colours of text and marks against the card they stand on, and in the cells of
# heat maps. A canvas turns whatever the style says, a mixture too, into red, green and blue.
_CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const luminance = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const names = ["--ink", "--quiet", "--accent", ...Array.from({length: 10}, (_, i) => "--c" + i)];
  const card = style.getPropertyValue("--card");
  const told = Object.fromEntries(
    names.map((name) => [name, contrast(style.getPropertyValue(name), card)]));
  const cell = document.querySelector("td[data-tip].heat");
  for (let v = 0; v <= 1.001; v += 0.05) {
    cell.style.setProperty("--v", v);
    cell.className = "heat" + (v > 0.57 ? " mid" : "") + (v > 0.84 ? " strong" : "");
    const own = getComputedStyle(cell);
    told["cell " + v.toFixed(2)] = contrast(own.color, own.backgroundColor);
  }
  return told;
}"""
