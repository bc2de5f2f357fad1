"""The tokens that a run will read, write and train on, model by model, as far as its settings and seed data tell.

What models will write is not known: answers and verdicts are taken to be as long as those of the seed data, or half as
long as they may be where there is none. Left out: models behind servers, reward models and programs, early stopping by
a judge, and suites.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import TypeVar

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.config.rewards import JUDGE
from srlm.engines.chat_template import common_prefix
from srlm.engines.load import load_tokenizer
from srlm.engines.open import is_remote
from srlm.tasks.open import open_task
from srlm.types import Demonstration, Prompt, RankedPrompt, SFTExample
from trainer.data.balance import balanced_subset
from trainer.data.seed_data import sft_dataset
from trainer.data.sft_examples import eft_examples, ift_examples, rank_only_eft_examples
from trainer.finetune.job import optimiser_steps
from trainer.finetune.tokenize import ExampleTokenizer
from trainer.generation.user_prompts import chosen_for
from trainer.monitor.degenerate_answers import KINDS
from trainer.session import Session

T = TypeVar("T")
SAMPLED = 100
"""Texts of which the tokens are counted; the others are taken to be like them."""
PAIRED = 0.7
"""Share of instructions that give a pair: 0.34 and 0.62 in the puzzle, 0.96 in the preset quickstart."""
CALLS = 1.5
"""Calls for one accepted instruction that a model writes: the filters refuse a fifth to a third."""
ITEM = 3
"""Tokens around an instruction in the list of few-shot examples."""


@dataclass(frozen=True)
class Work:
    """Tokens: read and written by generation and judging, and trained on; `trained` has the padding of batches."""

    read: float = 0
    written: float = 0
    trained: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.read + other.read, self.written + other.written, self.trained + other.trained)


def planned_work(session: Session, ift: Sequence[Demonstration], eft: Sequence[RankedPrompt]) -> dict[str, Work]:
    """Return the work on each model that the run does not have yet, in the order of training."""
    return _Plan(session, ift, eft).models()


class _Plan:
    """The texts of a run as numbers of tokens."""

    def __init__(self, session: Session, ift: Sequence[Demonstration], eft: Sequence[RankedPrompt]) -> None:
        self._session, self._ift = session, ift
        config = self._config = session.config
        self._chat = ExampleTokenizer(load_tokenizer(session.folder("M0")), config.thoughts)
        self._rubric = session.judge().rubric
        self._judgements, self._sampled = self._eft(eft)
        most = (
            config.grpo.max_completion_length
            if config.learn_from == "rollouts"
            else config.candidate_sampling.max_tokens
        )
        self._answer = self._written(ift_examples(ift), most)
        self._verdict = (
            0
            if config.judge.scoring == "expected"
            else self._written(self._judgements, config.judge.sampling.max_tokens)
        )

    def models(self) -> dict[str, Work]:
        return {model: self._model(model) for model in self._session.missing_models()}

    def _model(self, model: str) -> Work:
        if model == "SFT":
            return Work(trained=self._trained(ift_examples(self._ift), self._config.sft))
        if model == "M1":
            return self._m1()
        return self._rollouts(model) if self._config.learn_from == "rollouts" else self._iteration(model)

    def _m1(self) -> Work:
        made = Work()
        if self._sampled and not self._session.run.path("M1/judgements").exists():
            made = self._judged(self._sampled)
        examples = sft_dataset(self._config, self._ift, self._judgements)
        return made + Work(trained=self._trained(examples, self._config.sft))

    def _iteration(self, model: str) -> Work:
        config, run = self._config, self._session.run
        prompts = self._prompts(model)
        count = len(prompts) if config.instructions.from_file else config.instructions.made_count
        prompt = self._read(one.instruction for one in prompts)
        answers = count * config.candidates * (1 if config.pairs.rejected_from == "current" else 2)
        work = Work()
        if not run.path(f"{model}/instructions").exists():
            work += self._instructions(count, prompt)
        if not run.path(f"{model}/candidates").exists():
            work += Work(read=count * prompt, written=answers * self._answer)
        if not run.path(f"{model}/verdicts").exists():
            work += self._judged(self._judged_answers(answers))
        return work + Work(trained=self._learned(count, prompt))

    def _rollouts(self, model: str) -> Work:
        """Return the work of GRPO: TRL reads the prompt of each answer, and the judge reads each answer."""
        config, grpo = self._config, self._config.grpo
        settings = config.rollouts
        problems = open_task(settings).problems(settings.problems, config.seed, "train")
        prompt = self._read(one.prompt for one in problems)
        local = any(part.source == JUDGE for part in config.reward) and not is_remote(settings.judged_by)

        def answered(answers: int) -> Work:
            judged = self._judged(answers, prompt) if local else Work()
            return judged + Work(read=answers * prompt, written=answers * self._answer)

        work = Work()
        if settings.difficulty is not None and not self._session.run.path(f"{model}/problems").exists():
            work += answered(settings.problems * grpo.num_generations)
        answers = ceil(grpo.steps / grpo.num_iterations) * grpo.batch_size
        return work + answered(answers) + Work(trained=grpo.steps * grpo.batch_size * (prompt + self._answer))

    def _prompts(self, model: str) -> Sequence[Prompt | Demonstration]:
        if self._config.instructions.from_file:
            return chosen_for(self._session.run, model)
        return self._ift

    def _instructions(self, count: int, prompt: float) -> Work:
        """Return the work of writing instructions; none for those of a file, of code, or of a server."""
        settings = self._config.instructions
        if settings.source != "written" or is_remote(settings.writer):
            return Work()
        shots = settings.seed_shots + settings.generated_shots
        bare = max(1.0, prompt - self._read([""]))
        written = min(bare, settings.sampling.max_tokens)
        return Work(read=CALLS * count * shots * (bare + ITEM), written=CALLS * count * written)

    def _judged_answers(self, answers: int) -> int:
        """Return the number of answers that local models judge, degenerate ones included."""
        config = self._config
        by_itself = any(part.source == JUDGE for part in config.reward)
        frozen = config.judge.frozen is not None and not is_remote(config.judge.frozen)
        return answers * (by_itself + frozen) + by_itself * len(KINDS) * config.monitor.degenerate_answer_prompts

    def _judged(self, answers: int, instruction: float | None = None) -> Work:
        """Return the work of judging answers. What all prompts of a rubric begin with is read once.

        `instruction`: tokens of one; those of the seed data have as many, if not given.
        """
        filled = [
            self._chat.tokenize(self._rubric.fill(instruction=text, response="."), "").prompt for text in ("a", "b c d")
        ]
        if instruction is None:
            instruction = self._read(one.instruction for one in self._ift) if self._ift else self._answer
        read = len(filled[0]) - common_prefix(filled) + instruction + self._answer
        samples = 1 if self._config.judge.scoring == "expected" else self._config.judge.samples
        return Work(read=answers * read, written=answers * samples * self._verdict)

    def _learned(self, count: int, prompt: float) -> float:
        """Return the tokens of training on pairs, or on best answers together with M1's examples."""
        config = self._config
        if config.learn_from == "positives":
            again = self._trained(sft_dataset(config, self._ift, self._judgements), config.sft)
            return again + count * config.positives.weight * (prompt + self._answer) * config.sft.epochs
        pairs = PAIRED * count
        tokens = (
            2 * pairs * min(prompt + self._answer, config.dpo.max_length) * (config.dpo.epochs + 1 / 3)
        )  # reference
        if not config.dpo.replay:
            return tokens
        each = self._trained(self._judgements, config.dpo) / max(1, len(self._judgements)) / config.dpo.epochs
        return tokens + optimiser_steps(ceil(pairs), config.dpo) * config.dpo.replay * each

    def _eft(self, ranked: Sequence[RankedPrompt]) -> tuple[list[SFTExample], int]:
        """Return the judgements of the seed data, and the number of answers whose judgements must be sampled."""
        config = self._config
        if not config.seeds.eft or not ranked:
            return [], 0
        by_ranks = config.seeds.eft_targets == "ranks"
        found = rank_only_eft_examples(ranked, self._rubric) if by_ranks else eft_examples(ranked, self._rubric)
        sampled = 0 if found else sum(len(one.answers) for one in ranked)
        found = found or rank_only_eft_examples(ranked, self._rubric)
        return balanced_subset(found, config.seeds.eft_limit, config.seed), sampled

    def _trained(self, examples: Sequence[SFTExample], config: SFTConfig | DPOConfig) -> float:
        """Return the tokens of all epochs on these examples, padded to the longest of each micro-batch."""
        taken = _spread(examples)
        lengths = [len(self._chat.tokenize(one.prompt, one.completion, one.written, one.context)) for one in taken]
        kept = [length for length in lengths if length <= config.max_length]
        if getattr(config, "group_by_length", False):
            kept.sort()
        else:
            random.Random(0).shuffle(kept)
        setting = config.per_device_train_batch_size
        size = min(config.fixed_micro_batch if setting == "auto" else setting, config.batch_size)
        batches = [kept[start : start + size] for start in range(0, len(kept), size)]
        padded = sum(max(batch) * len(batch) for batch in batches)
        return padded * config.epochs * len(examples) / max(1, len(taken))

    def _read(self, texts: Iterable[str]) -> float:
        """Return the mean number of tokens of these texts as prompts."""
        taken = _spread(list(texts))
        return fmean(len(self._chat.tokenize(text, "").prompt) for text in taken) if taken else 0.0

    def _written(self, examples: Sequence[SFTExample], most: int) -> float:
        """Return the mean number of tokens of an answer like these; half of the possible ones without any."""
        taken = _spread(examples)
        lengths = [min(most, len(self._chat.tokenize(one.prompt, one.completion).completion)) for one in taken]
        return fmean(lengths) if lengths else most / 2


def _spread(items: Sequence[T]) -> Sequence[T]:
    """Return at most `SAMPLED` items, evenly from all."""
    return items[:: max(1, -(-len(items) // SAMPLED))]
