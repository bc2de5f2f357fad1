"""A training that diverges, and a model that only thinks, through the command line: one message, and nothing lost."""

import json
import shutil

import pytest

TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>{{ m.content }}{% else %}<|im_start|>assistant"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<think>\n{% endif %}"
)
"""As DeepSeek-R1 has it: the prompt opens a thought."""


def settings(*changes):
    return [word for change in changes for word in ("--set", change)]


def test_pairs_that_diverge_leave_the_model_before_as_it_was(cli, own_run, tiny_config):
    """As of a run that has M1 and the pairs for M2, and whose rate for these is far too high."""
    for path in (own_run.folder / "M2" / "checkpoint", own_run.folder / "M3"):
        shutil.rmtree(path)
    stored = own_run.folder / "run.yaml"
    text = stored.read_text(encoding="utf-8")
    stored.write_text(text.replace("learning_rate: 0.0001", "learning_rate: 10000.0"), encoding="utf-8")
    before = own_run.digests()
    words = ("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")

    for _ in range(2):  # the same command meets the same end
        result = cli(*words, *settings("dpo.learning_rate=10000"))
        assert (result.code, result.out, len(result.errors)) == (8, "", 1)
        assert "M2: DPO of M1" in result.errors[0]
        assert "the training diverged. At step " in result.errors[0]
        assert "--set dpo.learning_rate=1e-06" in result.errors[0]
        assert not (own_run.folder / "M2" / "checkpoint").exists()
    after = own_run.digests()
    assert {name for name in before if before[name] != after.get(name)} <= {"ledger.sqlite"}

    changed = cli(*words, *settings("dpo.learning_rate=0.001"))
    assert (changed.code, len(changed.errors)) == (2, 1)
    assert "dpo.learning_rate" in changed.err
    assert "--name" in changed.err
    used = cli("eval", "M1", "--suite", "reward", "--scoring", "expected", "--limit", "2", *own_run.at)
    assert used.code == 0, used.err


def test_examples_that_diverge_give_no_first_model(cli, tiny_config, tmp_path):
    words = settings("sft.learning_rate=1e30", "sft.baseline=false")
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", *words)
    assert (result.code, result.out, len(result.errors)) == (8, "", 1)
    assert "M1: SFT of M0" in result.errors[0]
    assert "--set sft.learning_rate=5.5e-06" in result.errors[0]
    assert not (tmp_path / "r" / "M1" / "checkpoint").exists()


@pytest.fixture(scope="module")
def thinker(tiny_model, tmp_path_factory):
    """The tiny model with a template that opens a thought."""
    folder = tmp_path_factory.mktemp("thinker") / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder


@pytest.mark.parametrize("thoughts", ["drop", "keep"])
def test_a_model_whose_prompt_opens_a_thought(cli, tiny_config, thinker, tmp_path, run_folder, thoughts):
    """Asked with its thought closed it answers; left to think, it never comes to an answer, and that is said."""
    words = settings(
        f"model={thinker}",
        f"thoughts={thoughts}",
        "iterations=1",
        "seeds.eft=false",
        "seeds.ift_limit=4",
        "sft.epochs=1",
        "instructions.count=2",
        "candidates=2",
        "candidate_sampling.max_tokens=24",
        "monitor.degenerate_answer_prompts=0",
    )
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", *words)
    run = run_folder(tmp_path / "r")
    candidates = run.records("M2/candidates")
    if thoughts == "drop":
        assert result.code == 0, result.err
        assert {one["thoughts"] for one in candidates} == {""}
        assert all(one["text"] for one in candidates)
        asked = ("--suite", "verifiable", "--data", "countdown", "--limit", "2", "--max-tokens", "8")
        used = cli("eval", "M1", *asked, "--runs", tmp_path, "--run", "r")
        assert used.code == 0, used.err
        (answers,) = (tmp_path / "r" / "evals").rglob("*answers.jsonl")
        assert {json.loads(line)["thoughts"] for line in answers.read_text(encoding="utf-8").splitlines()} == {""}
        return
    assert (result.code, len(result.errors)) == (8, 1)
    assert {one["text"] for one in candidates} == {""}
    assert "4 answers are only reasoning" in result.err
    assert "thoughts=drop" in result.errors[0]
    (figures,) = run.records("M2/health")
    assert (figures["only_thoughts"], figures["mean_length"]) == (4, 0)
    requests = [json.loads(call[3]) for call in run.calls("M2/candidates")]
    assert requests


@pytest.mark.parametrize("setting", ["judge.frozen", "dpo.stopping.judge"])
def test_passwords_of_addresses_are_in_no_message_of_a_training(cli, own_run, tiny_config, setting):
    judge = "openai:x@http://user:pw-SECRET@127.0.0.1:9/v1"
    words = ("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")
    result = cli(*words, *settings(f"{setting}={judge}"))
    assert (result.code, len(result.errors)) == (2, 1)
    assert setting in result.err
    assert "openai:x@http://127.0.0.1:9/v1" in result.err
    assert "SECRET" not in result.out + result.err


def test_a_name_that_is_none_is_shown_without_its_password(cli, tiny_config, tmp_path):
    words = settings("judge.frozen=http://user:pw-SECRET@127.0.0.1:9/v1")
    result = cli("train", tiny_config, "--runs", tmp_path, *words)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "judge.frozen" in result.err
    assert "SECRET" not in result.out + result.err
