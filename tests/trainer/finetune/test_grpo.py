"""GRPO against arithmetic by hand: two optimiser steps on the same answers, from logits, advantages and the clip.

The rewards are given by the test: a group with an answer without a reward, one without spread, one with a cut answer.
By hand means: transformers' model, one answer at a time without padding, plain sums, and torch's AdamW.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM

from helpers.given_answers import given_answers
from srlm.config.monitor import MonitorConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import RewardPart
from srlm.config.rollouts import GRPOConfig, RolloutsConfig
from srlm.console import Progress
from srlm.errors import NothingToTrain, StoppedByStrict, TrainingFailed
from srlm.jsonl import by_id, parse_lines
from srlm.rollouts import Rollout, StepAudit
from srlm.tasks.open import open_task
from trainer.finetune.grpo import _policy, train_grpo
from trainer.finetune.job import GRPOJob
from trainer.rollouts import reward_function
from trainer.rollouts.settings import RewardSettings


def batched(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


GIVEN = (1.0, None, 3.0, 0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 5.0, 4.0, None)
"""Rewards of three groups of four: with and without a reward, without spread, and a third one."""

SETTINGS = {
    "steps": 2,
    "learning_rate": 3e-3,
    "warmup_ratio": 0,
    "batch_size": 12,
    "num_generations": 4,
    "per_device_train_batch_size": 12,
    "max_completion_length": 6,
    "temperature": 0.8,
    "num_iterations": 2,
    "epsilon": 0.05,
    "gradient_checkpointing": False,
    "save_steps": 0,
}


@pytest.fixture
def rewards(tmp_path):
    """Settings of the rewards: by a program that cannot say anything of every fifth kind of answer."""
    program = tmp_path / "program.py"
    program.write_text(
        "def score(prompt, answer):\n"
        "    place = sum(map(ord, answer))\n"
        "    return None if place % 5 == 0 else place % 4\n",
        encoding="utf-8",
    )

    def make(parts=None, judge=None, strict=False, monitor=None, **rollouts):
        return RewardSettings(
            model="M2",
            ledger=tmp_path / "ledger.sqlite",
            rollouts=RolloutsConfig(**{"max_unread": 1.0, **rollouts}),
            parts=parts or (RewardPart(source=f"{program}:score"),),
            judge=judge or JudgeConfig(rubric="brief", samples=1),
            judge_model="current",
            judge_name="M1",
            external=False,
            monitor=monitor or MonitorConfig(),
            seed=1,
            batch_tokens=None,
            strict=strict,
            max_cost=None,
            spent=0.0,
            max_connections=None,
            timeout=300.0,
        )

    return make


@pytest.fixture
def grpo_job(tmp_path, perturbed_model, rewards):
    """A function: a job of two steps on puzzles."""

    def make(settings=None, problems=5, **changes):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        drawn = open_task(RolloutsConfig()).problems(problems, 0, "train")
        config = GRPOConfig(**{**SETTINGS, **changes})
        settings = settings or rewards()
        return GRPOJob(perturbed_model, folder, tuple(drawn), config, settings, "cpu", "float32", 7, "M2")

    return make


@pytest.fixture
def trained(grpo_job, monkeypatch, log):
    """A function: train with given answers and rewards; return the log and what TRL gave to the reward function."""

    def train(given=GIVEN, **changes):
        asked = SimpleNamespace(ids=[], prompts=[])

        def call(self, *, completion_ids, problem, **others):
            asked.ids, asked.problems = completion_ids, [self._problems[place].prompt for place in problem]
            asked.ends = self._ends
            return list(given)

        monkeypatch.setattr(reward_function.RewardFunction, "__call__", call)
        job = grpo_job(**changes)
        with given_answers():  # the tiny model hardly ever ends one
            train_grpo(job, Progress(quiet=True))
        return log(job.folder), asked, job.config

    return train


class ByHand:
    """The two steps."""

    def __init__(self, folder, asked, config, given=GIVEN):
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.config, self.asked = config, asked
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        self.prompts = [
            tokenizer(
                tokenizer.apply_chat_template(
                    [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
                ),
                add_special_tokens=False,
            ).input_ids
            for prompt in asked.problems
        ]
        self.advantages = self.of(given)
        self.counted = [not config.mask_truncated_completions or ids[-1] in asked.ends for ids in asked.ids]

    def of(self, given):
        """Return the advantages: 0 without a reward, which its group's mean and deviation leave out."""
        found = []
        read = [one for one in given if one is not None]
        for group in batched(given, self.config.num_generations):
            known = [one for one in group if one is not None]
            mean, of = sum(known) / len(known), read if self.config.scale_rewards == "batch" else known
            center = sum(of) / len(of)
            deviation = math.sqrt(sum((one - center) ** 2 for one in of) / (len(of) - 1))
            scale = 1 if self.config.scale_rewards == "none" else deviation + 1e-4
            found += [0.0 if one is None else (one - mean) / scale for one in group]
        return found

    def logps(self):
        found = []
        for prompt, ids in zip(self.prompts, self.asked.ids, strict=True):
            logits = self.model(torch.tensor([[*prompt, *ids]])).logits[0] / self.config.temperature
            each = logits.log_softmax(-1)
            found.append(torch.stack([each[len(prompt) - 1 + place, token] for place, token in enumerate(ids)]))
        return found

    def steps(self):
        """Return the losses, and the norms of the gradients before they are clipped at 1."""
        config = self.config
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=config.learning_rate, weight_decay=0)
        with torch.no_grad():
            old = self.logps()
        losses, norms, clipped = [], [], 0
        for _ in range(2):
            of_answers = []
            for now, before, advantage in zip(self.logps(), old, self.advantages, strict=True):
                ratio = (now - before).exp()
                kept = ratio.clamp(1 - config.epsilon, 1 + config.epsilon)
                clipped += int((torch.min(ratio * advantage, kept * advantage) != ratio * advantage).sum())
                of_answers.append(-torch.min(ratio * advantage, kept * advantage))
                if config.beta:
                    divergence = (before - now).exp() - (before - now) - 1
                    of_answers[-1] = of_answers[-1] + config.beta * ratio * divergence  # of DeepSeek-V3.2, 2512.02556
            loss = self.mean(of_answers)
            optimiser.zero_grad()
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0).item())
            losses.append(loss.item())
            optimiser.step()
        return losses, norms, clipped

    def mean(self, of_answers):
        counted = [one for one, kept in zip(of_answers, self.counted, strict=True) if kept]
        if self.config.loss_type in ("dapo", "bnpo"):
            return torch.cat(counted).sum() / sum(map(len, counted))
        if self.config.loss_type == "grpo":
            return sum(one.mean() for one in counted) / len(of_answers)
        return torch.cat(counted).sum() / (len(of_answers) * self.config.max_completion_length)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss_type": "grpo", "scale_rewards": "batch"},
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        {"loss_type": "bnpo", "beta": 0.3},
        {"mask_truncated_completions": True},
        {"loss_type": "grpo", "mask_truncated_completions": True, "per_device_train_batch_size": 4},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())) or "defaults",
)
def test_two_steps_equal_those_by_hand(trained, perturbed_model, changes):
    log, asked, config = trained(**changes)
    hand = ByHand(perturbed_model, asked, config)
    cut = [ids[-1] not in asked.ends for ids in asked.ids]
    assert any(cut)
    assert not all(cut)
    losses, norms, clipped = hand.steps()
    assert clipped, "the clip is never reached"
    assert [entry["loss"] for entry in log] == pytest.approx(losses, rel=2e-4, abs=2e-6)
    assert [entry["grad_norm"] for entry in log] == pytest.approx(norms, rel=2e-3)
    assert log[0]["learning_rate"] == log[1]["learning_rate"] == config.learning_rate


def test_the_micro_batch_size_has_no_effect(trained):
    whole, *_ = trained()
    parts, *_ = trained(per_device_train_batch_size=2)
    for name in ("loss", "grad_norm"):
        assert [one[name] for one in parts] == pytest.approx([one[name] for one in whole], rel=1e-4, abs=1e-6)


def test_groups_without_spread_teach_nothing(trained):
    log, *_ = trained(given=[2.0] * 4 + [None] * 4 + [None, None, 1.0, None])
    assert [entry["grad_norm"] for entry in log] == [0, 0]
    assert log[0]["frac_reward_zero_std"] == pytest.approx(2 / 3, abs=0.34)  # TRL does not count groups without rewards


def test_rollouts_and_audit_are_written(grpo_job, log):
    job = grpo_job(num_iterations=1, steps=3)
    train_grpo(job, Progress(quiet=True))
    rollouts = parse_lines(job.folder.parent / "rollouts.jsonl", Rollout)
    audits = parse_lines(job.folder.parent / "audit.jsonl", StepAudit)
    assert [one.id for one in rollouts][:2] == ["M2-s00001-0000", "M2-s00001-0001"]
    assert [one.step for one in audits] == [1, 2, 3]
    assert len(rollouts) == 36
    assert {one.problem_id for one in rollouts} <= {one.id for one in job.problems}
    assert all(len({one.problem_id for one in group}) == 1 for group in batched(rollouts, 4))
    values = [None if sum(map(ord, one.text)) % 5 == 0 else sum(map(ord, one.text)) % 4 for one in rollouts]
    assert [one.reward for one in rollouts] == values
    assert all(one.right is False and one.judged_right is None for one in rollouts)  # letters solve no puzzle
    logged = log(job.folder)
    assert [one["audit/unread_share"] for one in logged] == pytest.approx(
        [one.unread_share for one in audits], abs=1e-4
    )
    assert [one["reward"] for one in logged] == pytest.approx([one.mean_reward for one in audits], abs=1e-3)


def test_the_policy_judges_with_its_weights_of_the_step(grpo_job, rewards):
    judge = JudgeConfig(rubric="brief", scoring="expected", least_mass=0)
    job = grpo_job(rewards(parts=(RewardPart(source="judge"),), judge=judge), num_iterations=1, steps=3)
    train_grpo(job, Progress(quiet=True))
    rollouts = parse_lines(job.folder.parent / "rollouts.jsonl", Rollout)
    assert all(one.scored == 1 and 0 < one.reward < 5 and len(one.calls) == 1 for one in rollouts)
    assert len({one.reward for one in rollouts if one.step == 1}) > 1
    from srlm.ledger import Ledger

    ledger = Ledger(job.rewards.ledger)
    (row,) = ledger.summary()
    assert (row.stage, row.model) == ("M2/rollouts", "M2 in training")
    assert all(ledger.call(call) for one in rollouts for call in one.calls)
    ledger.close()


def test_a_frozen_judge_gives_the_verdicts_of_its_checkpoint(grpo_job, rewards, perturbed_model):
    """Its weights stay, so that its calls are those of the engine of the checkpoint, whatever the step."""
    judge = JudgeConfig(rubric="brief", scoring="expected", least_mass=0)
    settings = replace(
        rewards(parts=(RewardPart(source="judge"),), judge=judge), judge_model=str(perturbed_model), judge_name="M1"
    )
    job = grpo_job(settings, num_iterations=1, steps=2, learning_rate=1e-1)
    train_grpo(job, Progress(quiet=True))
    rollouts = parse_lines(job.folder.parent / "rollouts.jsonl", Rollout)
    from srlm.engines.hf import HFEngine
    from srlm.judges.pointwise import configured_judge
    from srlm.ledger import Ledger, request_key

    engine, problems = HFEngine(perturbed_model, name="M1", device="cpu", dtype="float32"), by_id(job.problems)
    for one in rollouts:
        (request,) = configured_judge(judge).requests(problems[one.problem_id].prompt, one.text, 0)
        assert one.calls == (request_key(engine.identity, request)[:16],)
    ledger = Ledger(job.rewards.ledger)
    assert [(row.stage, row.model) for row in ledger.summary()] == [("M2/rollouts", "M1")]
    ledger.close()


def test_a_step_with_too_many_answers_without_a_reward_ends_the_training(grpo_job, rewards):
    job = grpo_job(rewards(parts=(RewardPart(source="judge"),), max_unread=0.5))
    with pytest.raises(
        TrainingFailed, match=r"M2: at step 1 \d+ of 12 answers have no reward.*The most frequent reason"
    ):
        train_grpo(job, Progress(quiet=True))


def test_an_alarm_ends_a_strict_training_and_offers_the_last_checkpoint(grpo_job, rewards):
    """Answers that are all wrong and called right: the precision is 0."""
    monitor = MonitorConfig(audit_steps=2, min_precision=0.9)
    settings = {"num_iterations": 1, "steps": 6, "save_steps": 1}
    job = grpo_job(rewards(strict=True, monitor=monitor, right_from=-1), **settings)
    with pytest.raises(StoppedByStrict, match=r"step-1: measure it with srlm eval .*without --strict goes on"):
        train_grpo(job, Progress(quiet=True))
    checkpoint = job.folder.parent / "training" / "step-1"
    assert AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    assert (checkpoint / "tokenizer.json").exists()
    goes_on = GRPOJob(**{**vars(job), "rewards": rewards(monitor=monitor, right_from=-1)})
    train_grpo(goes_on, Progress(quiet=True))
    assert [one.step for one in parse_lines(job.folder.parent / "audit.jsonl", StepAudit)] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_of_adapters_is_offered_as_what_it_is(grpo_job, rewards):
    monitor = MonitorConfig(audit_steps=2, min_precision=0.9)
    settings = {"num_iterations": 1, "steps": 3, "save_steps": 1, "lora": {"rank": 2}}
    job = grpo_job(rewards(strict=True, monitor=monitor, right_from=-1), **settings)
    with pytest.raises(StoppedByStrict, match=r"step-1: low-rank adapters \(grpo\.lora\), which PEFT merges"):
        train_grpo(job, Progress(quiet=True))


def test_verdicts_of_other_weights_are_other_calls(grpo_job, rewards, monkeypatch):
    """Weights of a step follow from the answers before it, and each process draws answers of its own."""
    judged = grpo_job(rewards(parts=(RewardPart(source="judge"),)))
    given = grpo_job(rewards(), use_vllm="colocate")

    def digest(job, task="puzzle"):
        return _policy(job, "cpu", task)._training

    one = digest(judged)
    assert digest(judged) == one
    assert digest(judged, "mine.py (0a1b)") != one
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert digest(judged) != one
    assert digest(given) != digest(given), "vLLM is not seeded by step"


def test_too_few_problems_are_refused(grpo_job):
    with pytest.raises(NothingToTrain, match="2 problems for 3 groups of 4 answers"):
        train_grpo(grpo_job(problems=2), Progress(quiet=True))


def test_a_problem_that_leaves_no_room_is_refused(grpo_job):
    with pytest.raises(NothingToTrain, match="do not fit into the 2048 tokens"):
        train_grpo(grpo_job(max_completion_length=2045), Progress(quiet=True))
