"""The verifiable suite through the real command line: twice is once, and what is missing is named before any call."""

import json

import pytest

PROMPTS = [
    {"key": 1, "prompt": "Use no comma.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {"key": 2, "prompt": "Be brief.", "instruction_id_list": ["detectable_format:title"], "kwargs": [{}]},
    {
        "key": 3,
        "prompt": "Write lower case and no comma.",
        "instruction_id_list": ["change_case:english_lowercase", "punctuation:no_comma"],
        "kwargs": [{}, {}],
    },
]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS), encoding="utf-8")
    return path


def metrics(cli, run, *models):
    result = cli("compare", *models, "--format", "json", *run.at)
    assert (result.code, result.err) == (0, "")
    return {metric["key"]: metric["models"] for metric in json.loads(result.out)["metrics"]}


def test_a_second_eval_asks_nothing_and_changes_nothing(cli, own_run, prompts):
    command = ("eval", "M1", "M2", "--suite", "verifiable,reward", "--data", prompts, "--max-tokens", 8, *own_run.at)
    seen = []
    for _ in range(2):
        result = cli(*command)
        assert result.code == 0, result.err
        written = {name: one for name, one in own_run.digests().items() if name.startswith("evals/")}
        seen.append((own_run.calls("evals/%"), written))
    assert seen[0] == seen[1]
    assert len(own_run.calls("evals/verifiable")) == 6
    found = metrics(cli, own_run, "M1", "M2")
    assert {"rm_pairwise_half", "prompt_loose", "instruction_loose", "verifiable_length"} <= found.keys()
    assert (found["prompt_strict"]["M2"]["n"], found["instruction_strict"]["M2"]["n"]) == (3, 4)
    assert 0 < found["prompt_strict"]["M2"]["difference"]["p_holm"] <= 1
    assert found["verifiable_answered"]["M1"]["value"] == 1


def test_puzzles_need_no_file(cli, own_run):
    result = cli("eval", "M1", "--suite", "verifiable", "--data", "puzzle", "--limit", 2, *own_run.at)
    assert result.code == 0, result.err
    found = metrics(cli, own_run, "M1")
    assert found["instruction_strict"]["M1"]["n"] == 18
    assert "prompt_loose" not in found


def test_sentences_need_no_file_and_count_what_is_no_sentence(cli, own_run):
    command = ("eval", "M1", "--suite", "verifiable", "--data", "sentences", "--limit", 2, "--max-tokens", 8)
    result = cli(*command, *own_run.at)
    assert result.code == 0, result.err
    found = metrics(cli, own_run, "M1")
    assert (found["prompt_strict"]["M1"]["n"], found["instruction_strict"]["M1"]["n"]) == (2, 10)
    assert {"verifiable_flaw_0", "verifiable_flaw_1", "instruction_loose"} <= found.keys()


def test_countdown_needs_no_file_either(cli, own_run):
    command = ("eval", "M1", "M2", "--suite", "verifiable", "--data", "countdown", "--limit", 3, "--max-tokens", 8)
    result = cli(*command, *own_run.at)
    assert result.code == 0, result.err
    found = metrics(cli, own_run, "M1", "M2")
    assert (found["prompt_strict"]["M2"]["n"], found["instruction_strict"]["M2"]["n"]) == (3, 9)
    assert "prompt_loose" not in found


def test_every_result_of_countdown_names_its_rule(cli, own_run):
    for data, rule in {"countdown": "at most once", "countdown:exactly-once": "exactly once"}.items():
        command = ("eval", "M1", "--suite", "verifiable", "--data", data, "--limit", 2, "--max-tokens", 8)
        assert cli(*command, *own_run.at).code == 0
        stored = json.loads((own_run.folder / "evals/verifiable/M1.json").read_text(encoding="utf-8"))
        assert stored["rule"] == f"each number {rule}"
        assert f"Countdown, each number {rule}: 2 items" in " ".join(cli("compare", "M1", *own_run.at).out.split())


def test_integrals_are_checked_by_the_task(cli, own_run):
    command = ("eval", "M1", "--suite", "verifiable", "--data", "integration", "--limit", 2, "--max-tokens", 8)
    result = cli(*command, *own_run.at)
    assert result.code == 0, result.err
    found = metrics(cli, own_run, "M1")
    assert "instruction_strict" not in found
    assert found["verifiable_flaw_0"]["M1"]["value"] == 1  # no answer in the form that was asked for
    out = " ".join(cli("compare", "M1", *own_run.at).out.split())
    assert "2 problems of the test split, checked by the checker of integration (1 to 3 terms)" in out


@pytest.mark.parametrize(
    ("data", "named"),
    [(("--data", "nowhere.jsonl"), "nowhere.jsonl: there is no such file"), ((), "google/IFEval: is not a local file")],
)
def test_prompts_that_are_not_there(cli, own_run, data, named):
    result = cli("eval", "M1", "--suite", "reward,verifiable", *data, *own_run.at)
    assert result.code == 2
    (error,) = result.errors
    assert named in " ".join(error.split())
    assert own_run.calls("evals/%") == []
