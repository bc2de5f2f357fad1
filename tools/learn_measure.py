"""What a model of the puzzle or the sentence task can do, by the checker: answering the test, judging held-out answers.

A puzzle is of the test set by its relations alone, and a word by its letters, so no run of any seed has been asked for
one of these in training. All models of all runs get the same test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import fmean

from srlm.judges.pointwise import rewards, score
from srlm.puzzle.task import FULL_SCORE, Puzzle, puzzles
from srlm.seeding import derive_seed
from srlm.sentences.material import tokens_of
from srlm.sentences.task import SENTENCES, WORDS, word_sets
from srlm.stats.intervals import Estimate, mean_interval, wilson
from srlm.stats.reward_model import Ranked, reward_model_metrics
from srlm.types import Answer, Completion, Message, Prompt, RankedPrompt, Request, Sampling
from trainer.preferences.log_probs import answer_log_probs
from trainer.session import Session

MAX_TOKENS = 64
"""Tokens of an answer to a set of words."""
SAMPLES = 4
"""Answers at temperature 1 to each puzzle, for pass@4."""
LEARNED = 0.66
"""Pairwise accuracy, and share of answers with a score, below which a judge has not learned; a coin gets 0.5."""


@dataclass(frozen=True)
class Fluency:
    """What a judge of the number of words alone could make worse.

    Shares of mere lists, of all answers that are not one sentence, and of different answers; mean words of an answer;
    perplexity of the answers under M0, which has seen ordinary text alone; mean share of an answer's words that it has
    already, because a text that repeats itself has a low perplexity.
    """

    lists: float
    no_sentence: float
    length: float
    perplexity: float
    distinct: float
    repeated: float


@dataclass(frozen=True)
class Measured:
    """One model by the checker.

    `solved` is greedy; `pass_at_4` wants one solution in four answers at temperature 1 (puzzles alone). `judge` is the
    model's accuracy on pairs of held-out answers with different scores, ties half; `read` the share of these answers
    that it scored. Sentences have more: `words` is the mean number of the five words that an answer uses, 0 for one
    that is not a sentence, and `fluency` the checker's other figures. `items` has the quality of each greedy answer, in
    the order of the test, to compare two models item by item.
    """

    model: str
    solved: Estimate
    pass_at_4: Estimate | None
    judge: Estimate
    read: float
    items: tuple[float, ...]
    words: Estimate | None = None
    fluency: Fluency | None = None

    @property
    def judges(self) -> bool:
        """Whether it has learned to judge."""
        return self.judge.value >= LEARNED and self.read >= LEARNED

    @property
    def quality(self) -> float:
        """The figure in which a model has to gain: words used of five, or the share of puzzles solved."""
        return self.solved.value if self.words is None else self.words.value


def measure(session: Session, model: str, tested: int) -> Measured:
    """Measure a model of a run on the test of its task."""
    return (_sentences if session.config.instructions.source == SENTENCES else _puzzles)(session, model, tested)


def _sentences(session: Session, model: str, tested: int) -> Measured:
    sets = word_sets("test", 0, "test", tested)
    sampling = Sampling(0.0, 1.0, MAX_TOKENS)
    prompts = [Prompt(f"test-{number:04d}", asked.instruction, "evaluation") for number, asked in enumerate(sets)]
    requests = [Request((Message("user", one.instruction),), sampling) for one in prompts]
    replies = session.caller(model, "test").ask(requests, f"{model}: {len(requests)} answers to the test's words")
    answers = [
        Answer(f"{prompt.id}-{model}", prompt.id, model, reply.text, reply.finish)
        for prompt, (_, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    ]
    texts = {answer.prompt_id: answer.text for answer in answers}
    asked_of = [(asked, texts.get(prompt.id, "")) for asked, prompt in zip(sets, prompts, strict=True)]
    scores = tuple(float(asked.score(text)) for asked, text in asked_of)
    judge, read = _judging(session, model)
    log_probs = answer_log_probs(session, f"test/{model}", "M0", prompts, answers).values()
    fluency = Fluency(
        lists=fmean(asked.is_list(text) for asked, text in asked_of),
        no_sentence=fmean(not asked.is_sentence(text) for asked, text in asked_of),
        length=fmean(len(tokens_of(text)) for _, text in asked_of),
        perplexity=exp(-sum(one.logp for one in log_probs) / sum(one.tokens for one in log_probs)),
        distinct=len({text for _, text in asked_of}) / len(asked_of),
        repeated=fmean(_repeated(tokens_of(text)) for _, text in asked_of),
    )
    solved = wilson(sum(score == WORDS for score in scores), len(scores))
    return Measured(model, solved, None, judge, read, scores, mean_interval(scores, bounds=(0, WORDS)), fluency)


def _repeated(tokens: Sequence[str]) -> float:
    return 1 - len(set(tokens)) / len(tokens) if tokens else 0.0


def _puzzles(session: Session, model: str, tested: int) -> Measured:
    relations = [puzzle.relations for puzzle in puzzles("test", 0)[:tested]]
    config = session.config
    rollouts = config.learn_from == "rollouts"
    limit = config.grpo.max_completion_length if rollouts else config.candidate_sampling.max_tokens
    first = solve_puzzles(session, model, relations, Sampling(0.0, 1.0, limit), 1)
    several = solve_puzzles(session, model, relations, Sampling(1.0, 1.0, limit), SAMPLES)
    judge, read = _judging(session, model)
    one, four = (wilson(sum(map(any, found)), len(found)) for found in (first, several))
    return Measured(model, one, four, judge, read, tuple(float(any(found)) for found in first))


def solve_puzzles(
    session: Session,
    model: str,
    relations: Sequence[str],
    sampling: Sampling,
    samples: int,
    folder: Path | None = None,
) -> list[list[bool]]:
    """For each puzzle, which of the model's answers solve it; `folder` is that of a checkpoint within a training."""
    requests = [
        Request((Message("user", one),), sampling, seed=derive_seed("test", one, sample), sample=sample)
        for one in relations
        for sample in range(samples)
    ]
    caller = session.caller(model, "test", folder)
    replies = caller.ask(requests, f"{model}: {len(requests)} answers to the test's puzzles")
    found = [
        isinstance(reply, Completion) and Puzzle(request.messages[0].content).score(reply.text.strip()) == FULL_SCORE
        for request, (_, reply) in zip(requests, replies, strict=True)
    ]
    return [found[start : start + samples] for start in range(0, len(found), samples)]


def _judging(session: Session, model: str) -> tuple[Estimate, float]:
    """Pairwise accuracy on the run's held-out answers, whose scores are known, and the share that got a score."""
    ranked = session.run.stage("seeds/validation", RankedPrompt, list)
    answers = [
        (prompt, Answer(f"{prompt.id}-a{number}", prompt.id, "checker", answer.text, "stop"))
        for prompt in ranked
        for number, answer in enumerate(prompt.answers)
    ]
    verdicts = score(
        session.judge(),
        session.caller(model, "test"),
        answers,
        seed=0,
        label=f"{model} judges {len(answers)} held-out answers",
    )
    given = {reward.answer_id: reward.value for reward in rewards([answer for _, answer in answers], verdicts)}
    groups = [
        Ranked(
            tuple(answer.rank for answer in prompt.answers),
            tuple(given[f"{prompt.id}-a{number}"] for number in range(len(prompt.answers))),
            tuple(len(answer.text) for answer in prompt.answers),
        )
        for prompt in ranked
    ]
    metrics = reward_model_metrics(groups, ties="half", resamples=1000)
    return metrics.pairwise_accuracy, 1 - metrics.unread / metrics.replies
