"""The sentence task as a checked benchmark: sets of words that no training has asked for."""

from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from srlm.sentences.task import SENTENCES, read_instruction, word_sets
from srlm.types import Prompt

SETS = 200
"""The number of sets of words, unless fewer are asked for."""
MAX_TOKENS = 64
LIST, NO_SENTENCE = "mere lists", "other answers that are not one sentence"
"""Flaws of an answer."""
FLAWS = (LIST, NO_SENTENCE)


def sentence_benchmark(limit: int | None) -> CheckedBenchmark:
    """Return sets of five words of the test part; each word is an instruction.

    An answer that is not one sentence (a mere list, a fragment, two sentences) uses no word. Loose: the words that
    stand in the answer, whatever it is.
    """
    prompts = tuple(
        CheckedPrompt(
            Prompt(f"{SENTENCES}-{'-'.join(asked.words)}", asked.instruction, "evaluation", kind=SENTENCES), asked.words
        )
        for asked in word_sets("test", 0, "test", limit or SETS)
    )
    return CheckedBenchmark(SENTENCES, "the checker of the sentence task", prompts, MAX_TOKENS, _check)


def _check(prompt: CheckedPrompt, answer: str) -> CheckResult:
    asked = read_instruction(prompt.prompt.instruction)
    used = asked.used(answer)
    if asked.is_sentence(answer):
        return CheckResult(used, used)
    return CheckResult((False,) * len(used), used, flaw=LIST if asked.is_list(answer) else NO_SENTENCE)
