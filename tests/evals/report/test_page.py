"""The page as a file: what it says without a browser, and that it says which command makes what is missing."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape

import pytest

from evals.suites.alpaca.result import AlpacaResult
from evals.suites.mt_bench.result import MtBenchResult
from helpers.paths import SHARED_DATA

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from evals.report.page import gather, render, write_report
from evals.report.samples.pack import pack
from evals.report.samples.suites import suite_samples
from evals.report.samples.training import training_samples
from evals.report.section import Section
from evals.results import Results, save
from evals.suites import load_results
from helpers.report_run import HOSTILE, real_answers, write_run
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import UnknownName
from srlm.runs import start_run

QUIET = Progress(quiet=True)
MODELS = ("SFT", "M1", "M2", "M3")
REAL = SHARED_DATA / "alpaca_eval" / "model_outputs"
LARGEST = 8_000_000
"""Bytes of a page of 805 prompts and 6 models."""
REST = 500_000
"""What figures and tables of such a page take at the most."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs"), models=MODELS, prompts=24, length=300)


@pytest.fixture(scope="module")
def gathered(run):
    return gather(run, QUIET, baseline=None, paper=True, mapped=False)


@pytest.fixture(scope="module")
def page(gathered):
    samples, sections = gathered
    return render("r", sections, samples)


def test_every_suite_has_its_figure(gathered):
    _, sections = gathered
    drawn = [one.id for one in sections if one.figures]
    assert drawn == [
        *("head-to-head", "human", "win-rates", "by-kind", "mt-bench", "reward", "nlp", "verifiable", "iterations")
    ]
    assert [one.id for one in sections if one.missing] == ["map"]


def test_the_script_is_the_one_that_the_policy_allows(page):
    (allowed,) = re.findall(r"script-src 'sha256-([^']+)'", page)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    assert b64decode(allowed) == sha256(script.encode()).digest()
    assert "default-src 'none'" in page
    assert b64encode(b64decode(allowed)).decode() == allowed


def test_all_but_the_samples_is_small(gathered, page):
    samples, _ = gathered
    assert len(page) - len(pack(samples)) < REST


def test_nothing_of_the_page_is_elsewhere(page):
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", page)
    assert "<img" not in page
    assert HOSTILE not in page


def test_ids_are_there_once_and_every_inner_link_leads_somewhere(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    inner = set(re.findall(r'href="#([^"?]+)"', page))
    assert inner <= set(ids)


def test_figures_say_what_the_comparison_says(run, page):
    text = unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2].partition("<script")[0]))
    assert "M3 is significantly better than SFT in win rate against the reference" in text
    assert "This judge is weak" in text
    assert "1 calls, 0.2 s of the engines, $0.01" in text
    assert "paper 62.5" not in text and "paper 81.7" in text


def test_a_run_without_anything_names_the_commands(tmp_path):
    empty = start_run(tmp_path, "empty", load_config("quickstart", []))
    samples, sections = gather(empty, QUIET, baseline=None, paper=False, mapped=True)
    assert samples == []
    missing = {one.id: one.command for one in sections if one.missing}
    assert missing["head-to-head"] == "srlm eval MODEL --suite head-to-head --run empty"
    assert missing["human"] == "srlm annotate MODEL OPPONENT --run empty"
    assert missing["iterations"] == "srlm train --name empty"
    assert "srlm label" in missing["by-kind"]
    html = render("empty", sections, samples)
    assert all(command in html for command in missing.values())


def test_a_hostile_name_is_text(gathered):
    html = render("<script>alert(1)</script>", [Section("a", "<b>", "&lt;", command="<i>", missing="<u>")], [])
    assert "<script>alert" not in html and "<b>" not in html and "<u>" not in html


def test_credentials_of_an_address_stay_out(tmp_path):
    config = load_config("quickstart", ["judge.frozen=openai:m@https://user:SECRET@host/v1"])
    run = start_run(tmp_path, "r", config)
    output = write_report(run, tmp_path / "page.html", QUIET, mapped=False)
    text = output.read_text(encoding="utf-8")
    assert "SECRET" not in text and "https://host/v1" in text


def test_results_that_may_not_be_compared_are_shown_with_the_reason(tmp_path):
    run = write_run(tmp_path, models=MODELS, prompts=12, length=100)
    other = load_results(run).of(AlpacaResult)["M2"]
    save(run, replace(other, provenance=replace(other.provenance, judge="another")))
    _, sections = gather(run, QUIET, baseline=None, paper=False, mapped=False)
    (rates,) = [one for one in sections if one.id == "win-rates"]
    (finding,) = rates.conclusions
    assert "cannot be compared" in finding.text and finding.significant is None
    assert rates.figures


def test_grades_that_nobody_could_read_are_no_figure(tmp_path):
    run = write_run(tmp_path, models=MODELS[:2], prompts=6, length=60)
    for one in load_results(run).of(MtBenchResult).values():
        save(run, replace(one, grades=tuple(replace(grade, score=None, state="unparsed") for grade in one.grades)))
    _, sections = gather(run, QUIET, baseline=None, paper=False, mapped=False)
    (graded,) = [one for one in sections if one.id == "mt-bench"]
    assert not graded.figures and graded.tables
    assert "No answer has a grade" in graded.lead


def test_a_baseline_without_results_is_refused(run):
    with pytest.raises(UnknownName, match="M9"):
        gather(run, QUIET, baseline="M9", paper=False, mapped=False)


def test_a_result_without_its_answers_is_shown_empty(tmp_path):
    run = write_run(tmp_path, models=MODELS, prompts=12, length=100)
    for file in (run.folder / "evals").rglob("*.jsonl"):
        file.unlink()
    found = [one for one in suite_samples(run, load_results(run)) if one.suite == "alpaca"]
    assert len(found) == 12
    assert {reply.text for one in found for reply in one.replies} == {""}


def test_what_was_learned_is_among_the_samples(run):
    found = [one for one in training_samples(run) if one.suite == "training M3"]
    assert len(found) == 60
    roles = {tag.outcome for one in found for reply in one.replies for tag in reply.tags}
    assert {"chosen", "rejected", "degenerate", "parsed verdict"} <= roles
    assert {one.selection for one in found} >= {"gave a pair"}


def test_no_suite_no_samples(run):
    assert suite_samples(run, Results()) == []


@pytest.mark.parametrize("source", ["drawn", pytest.param("real", marks=pytest.mark.slow)])
def test_six_models_on_805_prompts_stay_below_eight_megabytes(tmp_path, source):
    """Words drawn one by one are harder to pack than what people and models write."""
    if source == "drawn":
        run = write_run(tmp_path)
    else:
        if not REAL.is_dir():
            pytest.skip(f"alpaca_eval's outputs are not part of srlm, and {REAL} is not there")
        write, texts, count = real_answers(REAL)
        run = write_run(tmp_path, prompts=count, write=write, instructions=texts)
    samples = [*suite_samples(run, load_results(run)), *training_samples(run)]
    assert sum(len(one.replies) for one in samples if one.suite == "alpaca") == 805 * 7
    assert len(pack(samples)) < LARGEST - REST
