"""An instruct model, a file of prompts and `srlm train mine.yaml` give M2 and M3, without seed data.

The rewards are the model's own verdicts, a program's or a reward model's; the prompts are single questions or
conversations. Each run is killed by SIGKILL and ends with the same bytes as one that never was.
"""

import json
import signal
from dataclasses import dataclass

import pytest

from helpers.kills import kill_when
from helpers.reward_models import reward_model

PROMPTS = [
    "Name three fruits.",
    "What is the capital of France?",
    "Explain to a child why it rains.",
    "Which is heavier, a cup of oil or a cup of water?",
]

CONFIG = """\
preset: instruct
model: {model}
instructions: {{source: prompts.jsonl}}
# For a model of 40,000 weights on a processor.
device: cpu
dtype: float32
batch_tokens: 1024
candidates: 3
candidate_sampling: {{temperature: 1.0, top_p: 1.0, max_tokens: 24}}
dpo: {{learning_rate: 1.0e-2, batch_size: 1, save_steps: 1}}
monitor: {{degenerate_answer_prompts: 1}}
{more}
"""
JUDGE = "judge: {{scoring: expected, rubric: {rubric}}}"
PROGRAM = """\
def score(prompt, answer):
    return None if not answer else len(set(answer)) / len(answer)
"""


@dataclass(frozen=True)
class Kind:
    """What distinguishes a run. `kills`: files or folders of the run that show where it is when it is killed."""

    name: str
    kills: tuple[str, ...]
    talk: bool = False
    reward: str = ""


KINDS = [
    Kind("judge", ("M2/training/step-1", "M3/candidates.jsonl")),
    Kind("conversations", ("M1/given.jsonl",), talk=True),
    Kind("program", ("M3/training/step-1",), reward="reward: check.py:score"),
    Kind("reward-model", ("M2/candidates.jsonl",), reward="reward: ./rm"),
]


def records(prompts, talk):
    """The lines of the file; of conversations with a system message and an earlier turn."""
    if not talk:
        return [{"prompt": one} for one in prompts]
    before = [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Are you there?"},
        {"role": "assistant", "content": "Yes."},
    ]
    return [
        {"messages": [*before[: 1 + 2 * (n % 2)], {"role": "user", "content": one}]} for n, one in enumerate(prompts)
    ]


def prepare(folder, kind, model, rubric):
    """Write the files of a user's run into a folder, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(one) for one in records(PROMPTS, kind.talk)]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "check.py").write_text(PROGRAM, encoding="utf-8")
    if kind.name == "reward-model":
        reward_model(folder / "rm")
    more = kind.reward or JUDGE.format(rubric=rubric)
    (folder / "mine.yaml").write_text(CONFIG.format(model=model, more=more), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def own(cli, tiny_model, tiny_config, run_folder, once):
    """Make a kind of run, unbroken, and return it with its folder."""

    def make(kind):
        def produce(folder):
            prepare(folder, kind, tiny_model, tiny_config.parent / "short.md")
            result = cli("train", "mine.yaml", "--runs", "runs", cwd=folder)
            assert result.code == 0, result.err
            (folder / "printed.txt").write_text(result.out + result.err, encoding="utf-8")

        folder = once(f"own-{kind.name}", produce)
        return run_folder(folder / "runs" / "mine"), folder

    return make


@pytest.fixture(scope="module")
def judged(own):
    """The run whose rewards are the model's own verdicts."""
    return own(KINDS[0])


def test_m1_is_the_given_model_and_nothing_is_copied_or_tuned(judged, tiny_model):
    run, folder = judged
    assert sorted(path.name for path in run.folder.iterdir() if path.is_dir()) == ["M1", "M2", "M3", "prompts"]
    assert [path.name for path in (run.folder / "M1").iterdir()] == ["given.jsonl"]
    (given,) = run.records("M1/given")
    assert given["model"] == str(tiny_model)
    printed = (folder / "printed.txt").read_text(encoding="utf-8")
    assert "M1: the given model" in printed
    assert "M2, M3 are in" in printed
    assert "SFT of" not in printed
    assert sorted(path.name for path in tiny_model.iterdir() if path.name == "README.md") == []


def test_m2_learns_from_answers_of_m1_to_the_users_prompts(judged):
    run, _ = judged
    assert {one["instruction"] for n in (2, 3) for one in run.records(f"M{n}/instructions")} == set(PROMPTS)
    for number in (2, 3):
        assert {one["model"] for one in run.records(f"M{number}/candidates")} == {f"M{number - 1}"}
        assert {one["judge"] for one in run.records(f"M{number}/verdicts")} == {f"M{number - 1}"}
        assert run.records(f"M{number}/pairs")
    card = (run.folder / "M2" / "checkpoint" / "README.md").read_text(encoding="utf-8")
    assert "M1 is the base model itself: nothing was trained before the first iteration" in card
    digests = run.digests()
    assert digests["M2/checkpoint/model.safetensors"] != digests["M3/checkpoint/model.safetensors"]


def test_m0_and_m1_are_one_model_and_its_folder_is_left_alone(cli, judged, tiny_model, tmp_path):
    run = judged[0].copy(tmp_path / "runs" / "mine")
    before = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    words = ("--suite", "reward", *run.at)
    result = cli("eval", "M1", *words)
    assert result.code == 2
    assert "has no seed data, because it started at an instruct model: name ranked answers with --ranked" in result.err
    assert cli("eval", "M1", *words, "--ranked", "embedded", "--limit", "2").code == 0
    calls = run.calls()
    assert cli("eval", "M0", *words, "--ranked", "embedded", "--limit", "2").code == 0
    assert run.calls() == calls
    compared = cli("compare", "M0", "M1", *run.at)
    assert compared.code == 0, compared.err
    assert "M0 and M1 are one model" in compared.out
    assert {path.name: path.read_bytes() for path in tiny_model.iterdir()} == before
    refused = cli("export", "M1", "--to", tmp_path / "m1", *run.at)
    assert refused.code == 2
    assert "itself, which the run did not train" in refused.err


def test_a_judge_is_trained_on_judgements_alone(cli, tiny_config, run_folder, tmp_path):
    words = ("--set", "start=judge", "--set", "iterations=0", "--set", "seeds.ift_limit=null")
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "j", *words)
    assert result.code == 0, result.err
    run = run_folder(tmp_path / "j")
    count = len(run.records("M1/judgements"))
    assert f"M1: SFT of M0 on {count} examples" in result.err
    assert not (run.folder / "SFT").exists()
    card = (run.folder / "M1" / "checkpoint" / "README.md").read_text(encoding="utf-8")
    assert "It was fine-tuned on judgements alone." in card
    assert "demonstrations" not in card


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_killed_and_resumed_a_run_ends_with_the_same_bytes(
    cli, own, tiny_model, tiny_config, run_folder, tmp_path, kind
):
    whole, _ = own(kind)
    folder = prepare(tmp_path / "broken", kind, tiny_model, tiny_config.parent / "short.md")
    broken = run_folder(folder / "runs" / "mine")
    words = ("train", folder / "mine.yaml", "--runs", folder / "runs")
    for point in kind.kills:
        code = kill_when(cli, words, (broken.folder / point).exists, cwd=folder)
        assert code == -signal.SIGKILL
        assert not (broken.folder / "M3" / "checkpoint").exists()
    result = cli(*words, cwd=folder)
    assert result.code == 0, result.err
    found, expected = broken.results(), whole.results()
    assert {name for name in found | expected if found.get(name) != expected.get(name)} == set()
    assert broken.calls() == whole.calls()
    for model in ("M2", "M3"):
        assert broken.losses(model) == whole.losses(model)
