"""`srlm.evaluate` and `srlm.compare`: what a notebook calls, on a run and on files."""

import pytest

import srlm
from helpers.annotation_files import annotations
from srlm.errors import UnknownName, UsageError
from srlm.runs import Run

OPTIONS = {"data": "countdown", "limit": 3, "max_tokens": 8, "quiet": True}


def test_three_calls_evaluate_and_compare(own_run):
    run = Run(own_run.folder)
    results = srlm.evaluate(["M1", "M2"], suites=["verifiable"], run=run, **OPTIONS)
    assert list(results) == ["verifiable"]
    assert sorted(results["verifiable"]) == ["M1", "M2"]
    assert results.folder == own_run.folder
    compared = srlm.compare(["M1", "M2"], run=run)
    assert compared.to_dict() == results.to_dict()["comparisons"][0]
    assert compared.to_markdown() == results.to_markdown()
    assert "Comparison with M1" in compared._repr_html_()
    assert (own_run.folder / "evals" / "verifiable" / "M2.json").exists()
    run.close()


def test_a_run_is_named_or_a_folder(own_run, monkeypatch, capsys):
    srlm.evaluate("M1", "verifiable", run=own_run.folder, **OPTIONS)
    calls = own_run.calls("evals/%")
    monkeypatch.setenv("SRLM_RUNS", str(own_run.folder.parent))
    again = srlm.evaluate("M1", "verifiable", run=own_run.folder.name, **OPTIONS)
    assert own_run.calls("evals/%") == calls
    assert capsys.readouterr().err == ""  # quiet
    assert srlm.compare("M1").to_dict() == again.to_dict()["comparisons"][0]


def test_an_estimate_asks_nothing(own_run):
    before = own_run.digests()
    text = srlm.estimate(srlm.evaluate, ["M1"], suites="verifiable", run=own_run.folder, **OPTIONS)
    assert "3 calls to make" in text
    assert own_run.digests() == before


@pytest.mark.parametrize(
    ("models", "suites", "options", "message"),
    [
        (["M7"], "verifiable", {}, "'M7'"),
        ([], "verifiable", {}, "Name at least one model"),
        (["M1"], ["verifiabel"], {}, "Did you mean 'verifiable'"),
        (["M1"], "verifiable", {"limits": 3}, "The option 'limits' does not exist"),
        (["M1"], "verifiable", {"limit": 1}, "limit must be from 2"),
        (["M1"], "verifiable", {"rubric": "levels"}, "--rubric is of the suite reward"),
    ],
)
def test_mistakes_are_refused_before_any_work(own_run, models, suites, options, message):
    with pytest.raises(UsageError, match=message):
        srlm.evaluate(models, suites, run=own_run.folder, quiet=True, **options)
    assert own_run.calls("evals/%") == []


def test_files_are_compared_without_a_run(tmp_path):
    one = annotations(tmp_path / "a.json", "one", [1.2] * 20)
    two = annotations(tmp_path / "b.json", "two", [1.9] * 20)
    compared = srlm.compare([one, f"second={two}"], runs=tmp_path)
    assert (compared.baseline, compared.models) == ("one", ["one", "second"])
    assert [file["model"] for file in compared.to_dict()["files"]] == ["one", "second"]
    with pytest.raises(UnknownName, match="'third'"):
        srlm.compare([one], repeats="third")
    with pytest.raises(UsageError, match="Name models or files to compare"):
        srlm.compare([])
