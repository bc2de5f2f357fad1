"""`srlm report` through the real command line, and its page in a real browser, as a person meets it."""

import json
import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from helpers.report_run import HOSTILE, write_run

MODELS = ("SFT", "M1", "M2", "M3")
COUNT = "Number(document.getElementById('count').textContent.replace(/[^0-9].*/, ''))"


@pytest.fixture(scope="module")
def report(cli, tmp_path_factory):
    """The page of a run with results of every suite."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs, models=MODELS, prompts=24, length=300)
    result = cli("report", "r", "--runs", runs, "--no-map", "--reference", "paper")
    assert (result.code, result.err) == (0, "")
    assert str(runs / "r" / "report.html") in result.out
    return runs / "r" / "report.html"


@pytest.fixture
def opened(page, seen, report):
    """The page, ready; no test may leave an error in it, or have asked anyone for anything."""
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    assert seen.errors == []
    assert dialogs == []
    assert {one.partition("#")[0] for one in seen.addresses} == {report.as_uri()}


def follow(page, href):
    """Go where a link leads; how many samples are there."""
    return page.evaluate(
        "href => new Promise(done => { addEventListener('hashchange', () => done(" + COUNT + "), {once: true});"
        " location.hash = href; })",
        href,
    )


def test_every_link_of_every_figure_leads_to_samples(opened):
    drawn = opened.eval_on_selector_all("figure", "all => all.map(one => one.querySelectorAll('svg a').length)")
    assert len(drawn) >= 12 and min(drawn) >= 2
    links = opened.eval_on_selector_all(
        "main a", "all => [...new Set(all.map(one => one.getAttribute('href') || one.getAttribute('xlink:href')))]"
    )
    leading = [one for one in links if one.startswith("#samples?")]
    assert len(leading) > 120
    empty = [one for one in leading if not follow(opened, one)]
    assert empty == []


def test_a_bar_leads_to_exactly_the_prompts_that_it_counts(opened):
    label = opened.locator("#head-to-head svg a").first.get_attribute("aria-label")
    count = int(re.search(r": (\d+) wins", label)[1])
    opened.locator("#head-to-head svg a").first.click()
    expect(opened.locator("#count")).to_have_text(re.compile(rf"^{count} of"))
    assert "model: M1" in opened.inner_text("#active") and "outcome: win" in opened.inner_text("#active")
    assert opened.locator(".reply.hit").count() == min(10, count)


def test_every_bar_of_wins_ties_and_losses_leads_to_as_many_prompts(opened):
    bars = opened.eval_on_selector_all(
        "#head-to-head svg a, #human svg a",
        "all => all.map(one => [one.getAttribute('xlink:href'), one.getAttribute('aria-label')])",
    )
    assert len(bars) >= 15
    assert [follow(opened, href) for href, _ in bars] == [int(re.search(r": (\d+) ", label)[1]) for _, label in bars]


def test_search_finds_prompts_and_answers_and_marks_them(opened):
    opened.fill("#words", "instruction that nobody wrote 123")
    expect(opened.locator("#count")).to_have_text(re.compile("^No sample"))
    opened.fill("#words", "alert(1)")
    expect(opened.locator("#count")).to_have_text(re.compile("^[1-9]"))
    assert opened.locator("#list mark").first.inner_text() == "alert(1)"
    opened.fill("#words", "")
    expect(opened.locator("#count")).to_have_text(re.compile(r"^\d+ samples"))


def test_hostile_text_is_shown_as_it_is_and_its_place_is_marked(opened):
    opened.check("#f-flag")
    expect(opened.locator("#count")).to_have_text(re.compile(r"^\d of"))
    texts = opened.eval_on_selector_all(".reply .text", "all => all.map(one => one.textContent)")
    assert HOSTILE in texts
    marked = opened.locator("mark.flag").first
    assert marked.text_content() == "Score: 5"
    assert "verdict" in marked.get_attribute("title")
    assert opened.locator("#list img, #list script").count() == 0


def test_verdicts_open_with_the_judges_words(opened):
    follow(opened, "#samples?suite=mt-bench&model=M1")
    details = opened.locator(".reply details").first
    details.locator("summary").click()
    assert "Score:" in details.locator(".judgement .text").first.inner_text()


def test_the_whole_way_by_keyboard(opened):
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "theme"
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.documentElement.dataset.theme") == "light"
    for _ in range(120):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.closest('svg') !== null"):
            break
    outline = opened.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    opened.keyboard.press("Enter")
    expect(opened.locator("#samples-title")).to_be_focused()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "words"
    opened.keyboard.type("the")
    expect(opened).to_have_url(re.compile("q=the"))


def test_more_samples_come_when_they_are_wanted(opened):
    assert opened.locator(".sample").count() == 10
    opened.click("#more")
    assert opened.locator(".sample").count() == 20


def test_dark_where_the_system_is_dark_and_light_where_one_says_so(opened):
    def bright():
        colour = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) > 380

    opened.emulate_media(color_scheme="dark")
    assert not bright()
    drawn = "getComputedStyle(document.querySelector('#win-rates svg text')).fill"
    dark = opened.evaluate(drawn)
    opened.click("#theme")
    assert bright()
    assert opened.evaluate(drawn) != dark


def test_on_paper_there_are_figures_and_conclusions_and_no_controls(opened):
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for hidden in ("nav", ".tools", "#filters", "#more"):
        assert not opened.locator(hidden).first.is_visible()
    assert opened.locator("#win-rates svg").is_visible()
    assert len(opened.pdf()) > 50_000


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_window_is_too_narrow(opened, width):
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_what_a_screen_reader_needs(opened):
    found = opened.evaluate(
        """() => ({
            ids: [...document.querySelectorAll('[id]')].map(one => one.id),
            drawings: [...document.querySelectorAll('svg')].map(one => one.getAttribute('aria-label') || ''),
            links: [...document.querySelectorAll('a')].filter(
              one => !(one.getAttribute('aria-label') || one.textContent.trim())).length,
            fields: [...document.querySelectorAll('input, select')].filter(one => !one.labels.length).length,
            headings: [...document.querySelectorAll('h1, h2, h3, h4')].map(one => Number(one.tagName[1])),
            cells: [...document.querySelectorAll('th')].filter(one => !one.scope).length,
        })"""
    )
    assert len(found["ids"]) == len(set(found["ids"]))
    assert min(map(len, found["drawings"])) > 20
    assert (found["links"], found["fields"], found["cells"]) == (0, 0, 0)
    steps = zip(found["headings"], found["headings"][1:], strict=False)
    assert found["headings"][0] == 1 and all(after - before <= 1 for before, after in steps)


def test_a_trained_run_has_its_map_and_reads_it_only_once(cli, own_run, page, seen):
    first = cli("report", "--runs", own_run.folder.parent, "--output", own_run.folder / "first.html")
    assert first.code == 0, first.err
    assert "embeds" in first.err
    again = cli("report", "r", "--runs", own_run.folder.parent, "--output", own_run.folder / "again.html")
    assert (again.code, again.err) == (0, "")
    assert (own_run.folder / "first.html").read_bytes() == (own_run.folder / "again.html").read_bytes()
    page.goto((own_run.folder / "again.html").as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    spots = page.eval_on_selector_all("#map svg a", "all => all.map(one => one.getAttribute('xlink:href'))")
    assert len(spots) > 20
    assert all(follow(page, one) == 1 for one in spots)
    assert page.evaluate("document.querySelector('#map svg a').tabIndex") == -1
    assert seen.errors == []


def test_a_model_that_is_gone_costs_the_map_and_nothing_else(cli, own_run):
    (own_run.folder / "M1" / "checkpoint" / "model.safetensors").unlink()
    result = cli("report", *own_run.at[:2])
    assert result.code == 0, result.err
    text = (own_run.folder / "report.html").read_text(encoding="utf-8")
    assert "cannot be loaded" in text and "Training, iteration by iteration" in text


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_a_missing_library_is_named_with_its_command(cli, own_run, library):
    customize = f"""
        import importlib.util
        real = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == {library!r} else real(name, *more)
    """
    result = cli.apart("report", *own_run.at[:2], customize=customize)
    assert (result.code, result.out) == (2, "")
    assert f"pip install {library}" in result.errors[0] and "'report'" in result.errors[0]


def test_a_run_that_is_not_there_is_refused_in_one_line(cli, own_run):
    result = cli("report", "nothing", *own_run.at[:2])
    assert (result.code, result.out) == (2, "")
    assert "'nothing' does not exist" in result.errors[0]


def test_a_damaged_result_is_named(cli, own_run):
    broken = own_run.folder / "evals" / "alpaca" / "M1.json"
    broken.parent.mkdir(parents=True)
    broken.write_text(json.dumps({"model": 1}), encoding="utf-8")
    result = cli("report", *own_run.at[:2], "--no-map")
    assert (result.code, result.out) == (2, "")
    assert "M1.json" in result.errors[0]
