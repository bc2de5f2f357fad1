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
