"""Seed data of Countdown: every judgement is the checker's, and the work of a demonstration is true."""

from itertools import islice

from srlm.countdown.expression import read_expression
from srlm.countdown.seed_data import HELD_OUT, RANKED, demonstrations, ranked, verdict
from srlm.countdown.task import ITEMS, Countdown, countdowns, countdowns_of, read_answer, read_equation, uses
from srlm.seed_data import load_seeds

PUZZLE = Countdown((2, 3, 25), 81)


def numbers_and_target(instruction):
    target, _, rest = instruction.removeprefix("Make ").partition(" out of the numbers ")
    return [int(one) for one in rest.partition(" with")[0].replace(" and", ",").split(", ")], int(target)


def test_one_of_two_answers_is_right():
    for one in ranked(0)[:300]:
        numbers, target = numbers_and_target(one.instruction)
        for answer in one.answers:
            found = read_equation(answer.text, target)
            right = found is not None and uses(found, numbers, "exactly once") and found.value == target
            assert (answer.score, answer.rank) == ((1, 0) if right else (0, 1)), (one.instruction, answer)
            assert answer.rationale.endswith(f" is {target}.") == right


def test_demonstrations_are_solved_and_what_they_try_before_is_not():
    for one in demonstrations(0)[:100]:
        numbers, target = numbers_and_target(one.instruction)
        found = read_answer(one.response, target)
        assert uses(found, numbers, "exactly once")
        assert found.value == target
        *tried, last, _ = one.response.split("\n")
        assert all(line.endswith(f"not {target}.") for line in tried)
        assert last.endswith(f" = {target}.")


def test_the_splits_of_the_seeds_and_the_benchmark_are_disjoint():
    seeds = load_seeds("countdown:1")
    assert (len(seeds.eft), len(seeds.validation)) == (RANKED, HELD_OUT)
    train, held_out = ({one.instruction for one in part} for part in (seeds.eft, seeds.validation))
    assert not train & held_out
    benchmark = {one.prompt("exactly once") for one in islice(countdowns(), ITEMS)}
    test = {one.prompt("exactly once") for one in islice(countdowns_of("test", 0, (3,)), 300)}
    assert not (train | held_out | {one.instruction for one in seeds.ift}) & (benchmark | test)


def test_reasons_of_a_verdict():
    reasons = {
        "(25 + 2) * 3": "Given 2, 3, 25. 25: left 2, 3. 2: left 3. 3: left none. 25 + 2 = 27, 27 * 3 = 81. 81 is 81.",
        "25 * 3 + 2": "Given 2, 3, 25. 25: left 2, 3. 3: left 2. 2: left none. 25 * 3 = 75, 75 + 2 = 77. 77 is not 81.",
        "25 * 3 = 81": "Given 2, 3, 25. 25: left 2, 3. 3: left 2. Not all are used.",
        "25 * 3 + 6": "Given 2, 3, 25. 25: left 2, 3. 3: left 2. 6: not left.",
        "25 * 3 + 3 + 3": "Given 2, 3, 25. 25: left 2, 3. 3: left 2. 3: not left.",
        "81": "Given 2, 3, 25. 81: not left.",
        "no solution": "No expression.",
    }
    assert {answer: verdict(PUZZLE, answer) for answer in reasons} == reasons


def test_steps_are_in_the_order_of_their_values():
    assert read_expression("8 / (3 - 8 / 3)").steps == ("8 / 3 = 8/3", "3 - 8/3 = 1/3", "8 / 1/3 = 24")


def test_every_kind_of_fault_is_there():
    wrong = " ".join(answer.rationale for one in ranked(0)[:300] for answer in one.answers if answer.rank)
    assert all(words in wrong for words in ("not left", "Not all are used", "is not", "No expression"))
