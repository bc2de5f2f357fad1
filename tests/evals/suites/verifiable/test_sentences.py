"""The sentence task as a benchmark: words that no training asks for, and what is no sentence follows nothing."""

from evals.suites.verifiable.sentences import LIST, NO_SENTENCE, SETS, sentence_benchmark
from srlm.sentences.task import WORDS, split_of

BENCHMARK = sentence_benchmark(None)


def test_the_benchmark_asks_for_words_of_the_test_alone():
    assert len({item.prompt.id for item in BENCHMARK.items}) == SETS
    assert {split_of(word) for item in BENCHMARK.items for word in item.instructions} == {"test"}
    assert sentence_benchmark(10).items == BENCHMARK.items[:10]
    assert sentence_benchmark(None).digest == BENCHMARK.digest


def test_each_word_is_an_instruction_and_no_sentence_follows_none():
    item = BENCHMARK.items[0]
    first, second, *_ = item.instructions
    result = BENCHMARK.check(item, f"There was a {first} and then there was the {second} over there.")
    assert result.strict == result.loose == (True, True, False, False, False)
    assert result.flaw is None
    listed = BENCHMARK.check(item, f"{', '.join(item.instructions)}.")
    assert (listed.strict, listed.loose, listed.flaw) == ((False,) * WORDS, (True,) * WORDS, LIST)
    short = BENCHMARK.check(item, f"A {first}.")
    assert (short.loose, short.flaw) == ((True, False, False, False, False), NO_SENTENCE)
