"""Countdown: every item can be solved, and an answer is right for one reason only."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.verifiable.countdown import checked_prompt, countdown_benchmark
from srlm.countdown.expression import read_expression
from srlm.countdown.task import CARDS, ITEMS, SIZES, TARGETS, Countdown, countdowns, read_answer

BENCHMARK = countdown_benchmark(None)
GAME = Countdown((3, 6, 25, 50, 75, 100), 952, "((100 + 6) * 3 * 75 - 50) / 25")
FRACTIONS = Countdown((3, 3, 8, 8), 24, "8 / (3 - 8 / 3)")


def check(one, answer):
    return BENCHMARK.check(checked_prompt(one, "at most once"), answer).strict


def test_every_item_has_a_solution_of_all_its_numbers():
    for one in islice(countdowns(), ITEMS):
        found = read_expression(one.solution)
        assert found.value == one.target
        assert tuple(sorted(found.numbers)) == one.numbers
        assert one.target in TARGETS
        assert one.target not in one.numbers
        assert all(one.numbers.count(number) <= CARDS.count(number) for number in one.numbers)
        assert check(one, f"Answer: {one.solution}") == (True, True, True)


def test_items_are_the_same_each_time_different_from_each_other_and_of_all_sizes():
    again = countdown_benchmark(None)
    assert again.digest == BENCHMARK.digest
    assert len({item.prompt.id for item in BENCHMARK.items}) == ITEMS
    assert countdown_benchmark(10).items == BENCHMARK.items[:10]
    sizes = [item.prompt.category for item in BENCHMARK.items]
    assert {size: sizes.count(f"{size} numbers") for size in SIZES} == dict.fromkeys(SIZES, ITEMS // len(SIZES))


def test_the_model_is_shown_numbers_and_target_and_no_solution():
    item = checked_prompt(GAME, "at most once")
    assert "Make 952 out of the numbers 3, 6, 25, 50, 75 and 100." in item.prompt.instruction
    assert GAME.solution not in item.prompt.instruction
    assert item.prompt.reference == GAME.solution


@pytest.mark.parametrize("one", [GAME, FRACTIONS])
def test_solutions_that_are_known(one):
    assert check(one, f"Let me see.\n\nAnswer: {one.solution}") == (True, True, True)
    assert check(one, f"**Answer:** `{one.solution}` ") == (True, True, True)
    assert check(one, f"ANSWER：{one.solution}") == (True, True, True)
    assert check(one, f"- answer: {one.solution} = {one.target}.") == (True, True, True)
    assert check(one, f"Answer: {one.solution.replace('*', '×').replace('/', '÷')}\nI hope this helps!")[2]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("Answer: 100 * 6 + 75 * 3", (True, True, False)),
        ("Answer: 952", (True, False, True)),
        ("Answer: 100 * 6 + 352", (True, False, True)),
        ("Answer: 100 + 100 + 752", (True, False, True)),
        ("Answer: ((100 + 6) * 3 * 75 - 50) / 25 + 3 - 3", (True, False, True)),
        ("Answer: 3 * 6 = 952", (True, True, False)),
        ("Answer: 3 * 6 = 18", (False, False, False)),
        ("Answer: ((100 + 6) * 3 * 75 - 50) / 25 = 952 = 952", (False, False, False)),
        ("Answer: it is ((100 + 6) * 3 * 75 - 50) / 25", (False, False, False)),
        ("((100 + 6) * 3 * 75 - 50) / 25", (False, False, False)),
        ("The Answer: ((100 + 6) * 3 * 75 - 50) / 25", (False, False, False)),
        ("Answer:\n((100 + 6) * 3 * 75 - 50) / 25", (False, False, False)),
        ("Answer: ((100 + 6) * 3 * 75 - 50) / 25\nAnswer: 3 + 6", (True, True, False)),
        ("Answer: ((100 + 6) * 3 * 75 - 50) / 25\nAnswer: <expression>", (False, False, False)),
        ("Answer: 100 * 6 ** 75", (False, False, False)),
        ("Answer: 952 / (3 - 3)", (False, False, False)),
        ("Answer:" * 20_000, (False, False, False)),
        ("*" * 100_000 + "Answer", (False, False, False)),
        ("", (False, False, False)),
    ],
)
def test_what_an_answer_keeps(answer, kept):
    assert check(GAME, answer) == kept


@given(st.text() | st.text(alphabet="Answer: 0123456789+-*/()=\n").map(lambda text: f"Answer: {text}"))
def test_no_answer_raises_and_none_is_right_that_does_not_come_to_the_target(text):
    strict = check(GAME, text)
    found = read_answer(text, GAME.target)
    assert strict[0] == (found is not None)
    assert strict[2] == (found is not None and found.value == GAME.target)


@given(st.sampled_from(BENCHMARK.items), st.text(max_size=200))
def test_nothing_above_the_last_answer_line_matters(item, above):
    answer = f"{above}\nAnswer: {item.prompt.reference}"
    assert BENCHMARK.check(item, answer).strict == (True, True, True)


DIGEST = "400:f1f5118c6600"


def test_items_and_wording_are_those_of_earlier_results():
    assert BENCHMARK.digest == DIGEST
    assert (BENCHMARK.checker, BENCHMARK.rule) == ("exact arithmetic", "each number at most once")


def test_the_rule_decides_about_numbers_that_are_left_over_and_is_named():
    once = countdown_benchmark(None, "exactly once")
    for answer, strict in {"100 * 6": False, GAME.solution: True}.items():
        item = checked_prompt(GAME, "exactly once")
        assert once.check(item, f"Answer: {answer}").strict[1] is strict
        assert BENCHMARK.check(item, f"Answer: {answer}").strict[1] is True
    assert once.checker == "exact arithmetic, each number exactly once"
    assert once.rule == "each number exactly once"
    assert [one.prompt.id for one in once.items] == [one.prompt.id for one in BENCHMARK.items]
    assert once.digest != BENCHMARK.digest
    assert all("exactly once" in one.prompt.instruction for one in once.items)
