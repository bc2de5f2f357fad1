"""Seeds with system messages and several turns, through the real command line."""

import json
import shutil

import pytest

from helpers.conversation_styles import CONVERSATION_STYLES

SYSTEM = {"role": "system", "content": "Answer in few words."}
EARLIER = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello, ask me."}]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """The embedded seeds; every second demonstration is a conversation, every third ranked prompt has a context."""
    from importlib.resources import files

    folder = tmp_path_factory.mktemp("seeds")
    for name in ("ift", "eft"):
        rows = [json.loads(line) for line in (files("srlm.data") / f"{name}.jsonl").read_text("utf-8").splitlines()]
        if name == "ift":
            rows[::2] = [
                {"id": row["id"], "kind": row["kind"], "messages": [SYSTEM, *EARLIER, *_exchange(row)]}
                for row in rows[::2]
            ]
        else:
            rows[::3] = [{**row, "context": [SYSTEM, *EARLIER]} for row in rows[::3]]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def _exchange(row):
    return [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["response"]}]


def records(run, stage):
    return [json.loads(line) for line in (run / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_a_run_on_conversations(cli, tiny_config, seeds, tmp_path):
    """M2 exists; the seeds have their contexts, and the judge is trained on the conversation before an instruction."""
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", "--seeds", seeds, "--set", "iterations=1")
    assert result.code == 0, result.err
    run = tmp_path / "r"
    assert (run / "M2" / "checkpoint" / "model.safetensors").is_file()
    ift, eft = records(run, "seeds/ift"), records(run, "seeds/eft")
    assert 0 < sum(bool(one["context"]) for one in ift) < len(ift)
    assert all(one["context"] in ([], [SYSTEM, *EARLIER]) for one in (*ift, *eft))
    taught = {one["id"].rpartition("-")[0]: one["prompt"] for one in records(run, "M1/judgements")}
    assert {SYSTEM["content"] in taught[one["id"]] for one in eft if one["id"] in taught} == {True, False}
    shown = {parent for one in records(run, "M2/instructions") for parent in one["parents"]}
    assert shown.isdisjoint({one["id"] for one in ift if one["context"]})


def test_a_template_that_refuses_them_is_named_before_a_run(cli, tiny_config, tiny_model, seeds, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    template = CONVERSATION_STYLES["gemma"].template.replace("bos_token", "''").replace("<end_of_turn>", "<|im_end|>")
    (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    words = ("--runs", tmp_path / "runs", "--name", "r", "--seeds", seeds, "--set", f"model={model}")
    result = cli("train", tiny_config, *words)
    assert (result.code, result.out) == (2, "")
    said = " ".join(result.errors[0].split())
    assert f"The chat template of {model} refuses system messages (System role not supported)" in said
    assert not (tmp_path / "runs" / "r").exists()


def test_seeds_that_cannot_be_few_shot_examples_are_refused(cli, tiny_config, seeds, tmp_path):
    folder = tmp_path / "seeds"
    shutil.copytree(seeds, folder)
    rows = (folder / "ift.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "ift.jsonl").write_text("".join(rows[::2]), encoding="utf-8")
    result = cli("train", tiny_config, "--runs", tmp_path / "runs", "--name", "r", "--seeds", folder)
    assert result.code == 2
    assert "demonstrations that stand alone" in " ".join(result.err.split())


@pytest.mark.slow
def test_iterations_on_prompts_that_are_conversations(cli, tiny_config, tmp_path, run_folder):
    """Candidates answer the conversation, the judge reads it, pairs hold it; a run begun again has the same bytes."""
    prompts = tmp_path / "prompts.jsonl"
    rows = [
        {"messages": [*before, {"role": "user", "content": f"Write a list of {word}."}]}
        for before in ([], [SYSTEM], EARLIER, [SYSTEM, *EARLIER])
        for word in ("birds", "rivers", "colours")
    ]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    changes = (f"instructions.source={prompts}", "instructions.count=12", "iterations=1")
    words = [word for change in changes for word in ("--set", change)]
    command = ("train", tiny_config, "--runs", tmp_path, "--name", "r", *words)
    result = cli(*command)
    assert result.code == 0, result.err
    run = run_folder(tmp_path / "r")
    contexts = {one["id"]: one["context"] for one in run.records("M2/instructions")}
    assert sorted(map(len, contexts.values())) == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    for _, _, _, request, *_ in run.calls("M2/candidates"):
        messages = [{name: one[name] for name in ("role", "content")} for one in json.loads(request)["messages"]]
        assert messages[:-1] in contexts.values()
    judged = [json.loads(request)["messages"][0]["content"] for _, _, _, request, *_ in run.calls("M2/verdicts")]
    assert {SYSTEM["content"] in text for text in judged} == {True, False}
    pairs = run.records("M2/pairs")
    assert pairs
    assert all(one["context"] == contexts[one["prompt_id"]] for one in pairs)
    talk = next(one for one in contexts if len(contexts[one]) == 3)
    shown = cli("show", talk, "--runs", tmp_path, "--run", "r")
    assert "System: Answer in few words." in shown.out
    whole = run.results()
    for name in ("candidates", "verdicts", "rewards", "pairs", "dropped", "health"):
        (run.folder / "M2" / f"{name}.jsonl").unlink()
    shutil.rmtree(run.folder / "M2" / "checkpoint")
    assert cli(*command).code == 0
    assert run.results() == whole
