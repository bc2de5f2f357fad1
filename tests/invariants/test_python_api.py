"""The Python API: the same results as the command line, displays of them, and no call for an estimate."""

import json
from pathlib import Path

import pytest

pytest.importorskip("openai")

import srlm
from helpers.gate_runs import POLICY, results_of_two_models
from helpers.servers import serving
from srlm.errors import DataError, RunChanged, UnknownName, UsageError

PAIRS = [{"prompt": f"Name {n} colours.", "chosen": "red, blue, green", "rejected": "none " * n} for n in range(1, 9)]
ANSWERS = [{"instruction": f"Name {n} colours.", "output": "red " * n, "generator": "<m>"} for n in range(1, 5)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with files to judge and runs to decide on, which is the current one."""
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS), encoding="utf-8")
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    results_of_two_models(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("SRLM_RUNS", "runs")
    return tmp_path


def test_a_file_is_scored_as_by_the_command(cli, here, capfd):
    with serving(scores=True) as server:
        spec = server.spec("openai", "judge")
        estimate = srlm.estimate(srlm.judge, "answers.json", spec, samples=2, quiet=True)
        assert "8 calls to make" in estimate
        assert (server.log, [path.name for path in here.glob("*.judged.jsonl")]) == ([], [])
        scored = srlm.judge("answers.json", spec, samples=2, quiet=True)
        assert (capfd.readouterr(), len(server.answered)) == (("", ""), 8)
        written = scored.path.read_bytes()
        printed = cli("judge", "answers.json", "--judge", spec, "--samples", 2, "--format", "json", cwd=here)
        assert (printed.code, len(server.answered)) == (0, 8), printed.err
    assert scored.path == Path("answers.judged.jsonl")
    assert scored.to_dict() == json.loads(printed.out)
    assert scored.path.read_bytes() == written
    assert [one.reward for one in scored.answers] == list(scored.to_pandas()["reward"])
    assert "mean score" in scored.to_markdown()
    assert "<table>" in scored._repr_html_()


def test_a_judge_is_measured_as_by_the_command(cli, here):
    with serving(scores=True) as server:
        spec = server.spec("openai", "judge")
        measured = srlm.judge_card(spec, pairs="pairs.jsonl", samples=1, quiet=True)
        words = ("--pairs", "pairs.jsonl", "--samples", 1, "--format", "json")
        printed = cli("judge", "card", spec, *words, cwd=here)
    assert measured.to_dict() == json.loads(printed.out)
    frame = measured.to_pandas().set_index("key")
    assert frame.loc["agreement", "value"] == measured.card.agreement.value
    assert frame.loc["scores.ties", "n"] == measured.card.scores.ties.n
    assert "agrees with the labels" in measured._repr_html_()


@pytest.mark.parametrize(("candidate", "outcome", "code"), [("equal", "pass", 0), ("worse", "regression", 1)])
def test_the_gate_decides_as_the_command(cli, here, candidate, outcome, code):
    decision = srlm.gate(candidate, "M1", "gate.yaml", run="r")
    printed = cli("gate", candidate, "--baseline", "M1", "--format", "json", "--runs", "runs", cwd=here)
    assert (decision.outcome, decision.exit_code, printed.code) == (outcome, code, code)
    assert decision.to_dict() == json.loads(printed.out)
    printed = cli("gate", candidate, "--baseline", "M1", "--format", "markdown", "--runs", "runs", cwd=here)
    assert f"{decision.to_markdown()}\n" == printed.out
    assert list(decision.to_pandas()["metric"]) == ["win_rate", "length"]
    assert decision._repr_html_().count("<table>") == 2


def test_a_judge_is_pinned_once(here):
    with serving() as server:
        spec = server.spec("openai", "judge")
        assert "16 calls to make" in srlm.estimate(srlm.pin_judge, spec, pairs="pairs.jsonl", quiet=True)
        pinned = srlm.pin_judge(spec, pairs="pairs.jsonl", quiet=True)
        assert len(pinned.pairs) == 8
        with pytest.raises(UsageError, match=r"calibration\.json exists already"):
            srlm.pin_judge(spec, pairs="pairs.jsonl", quiet=True)
        assert len(server.answered) == 16


def test_prompts_are_labelled_once(cli, here):
    with serving() as server:
        judge = server.spec("openai", "judge")
        words = ("--suite", "verifiable", "--data", "countdown", "--limit", 5, "--runs", "runs", "--run", "r")
        assert cli("eval", server.spec("openai", "m"), *words, cwd=here, env={"OPENAI_API_KEY": "k"}).code == 0
        before = len(server.answered)
        assert "calls to make" in srlm.estimate(srlm.label, judge, run="r", quiet=True)
        assert len(server.answered) == before
        labelled = srlm.label(judge, run="r", quiet=True)
        after = len(server.answered)
        assert srlm.label(judge, run=srlm.open_run("r"), quiet=True) == labelled
        assert len(server.answered) == after > before
    assert len(labelled.to_pandas()) == 5
    assert "5" in labelled._repr_html_()
    assert [*labelled.to_dict()] == [*labelled.sets]


def test_an_ended_run_is_opened_by_train_and_shows_its_stages(own_run, tiny_config):
    before = own_run.digests()
    run = srlm.train(str(tiny_config), name="r", runs=own_run.folder.parent, quiet=True)
    assert not run.worked
    assert own_run.digests() == before
    html = run._repr_html_()
    assert "<td>M2</td>" in html
    assert "pairs" in html
    assert run.existing_ledger is not None  # a ledger that was closed opens again
    run.close()
    with pytest.raises(RunChanged) as caught:
        srlm.train(tiny_config, name="r", overrides={"dpo.beta": 0.2}, runs=own_run.folder.parent, quiet=True)
    assert caught.value.changes == ["dpo.beta 0.1 -> 0.2"]
    with pytest.raises(RunChanged):
        srlm.train(tiny_config, name="r", overrides=["dpo.beta=0.2"], runs=own_run.folder.parent, quiet=True)


def test_a_training_has_no_estimate(here, tiny_config):
    with pytest.raises(UsageError, match="has no estimate"):
        srlm.estimate(srlm.train, tiny_config, quiet=True)
    assert not (here / "runs" / "tiny").exists()


def test_a_report_goes_where_it_is_wanted(here):
    pytest.importorskip("matplotlib")
    page = srlm.report("r", output="page.html", text_map=False, quiet=True)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(UnknownName) as caught:
        srlm.report("r", baseline="M9", quiet=True)
    assert caught.value.known == ["M1", "equal", "worse"]


def test_mistakes_are_exceptions_with_their_values(here):
    with pytest.raises(UnknownName) as unknown:
        srlm.open_run("q")
    assert unknown.value.known == ["r"]
    (here / "answers.json").write_text("[{]", encoding="utf-8")
    with pytest.raises(DataError) as damaged:
        srlm.judge("answers.json", quiet=True)
    assert (damaged.value.path, damaged.value.line) == (Path("answers.json"), 1)


def test_the_doctor_knows_whether_a_training_can_run(here):
    found = srlm.doctor()
    assert found.ready == all(one.status != "missing" for one in found.checks)
    assert found.to_dict()["checks"][0]["name"] == "Python"
    assert len(found.to_pandas()) == len(found.checks)
