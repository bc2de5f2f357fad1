"""The puzzle checker, which is the ground truth of the learning test, against brute force."""

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.puzzle.seed_data import changed
from srlm.puzzle.task import FULL_SCORE, RELATIONS, SHARES, Puzzle, puzzle_seed, puzzles

relations = st.text(RELATIONS, min_size=1, max_size=12)
seeds = st.integers(0, 2**32)


@given(relations, seeds)
def test_what_the_solver_writes_the_checker_accepts(text, seed):
    puzzle = Puzzle(text)
    solution = puzzle.solve(random.Random(seed))
    assert (solution is None) == (puzzle.solutions == 0)
    if solution is not None:
        assert puzzle.check(solution) == "y" * len(text)
        assert puzzle.score(solution) == FULL_SCORE


@given(st.text(RELATIONS, min_size=1, max_size=4))
def test_solutions_are_those_that_brute_force_finds(text):
    puzzle = Puzzle(text)
    solving = {answer for answer in map("".join, product("12345", repeat=len(text) + 1)) if puzzle.score(answer) == 5}
    assert puzzle.solutions == len(solving)
    chance = random.Random(0)
    assert {puzzle.solve(chance) for _ in range(20)} <= (solving or {None})


def test_each_solution_is_as_likely_as_any_other():
    chance = random.Random(0)
    found = Counter(Puzzle("<<<").solve(chance) for _ in range(5000))
    assert set(found) == {"1234", "1235", "1245", "1345", "2345"}
    assert max(found.values()) < 1.2 * min(found.values())


@given(relations, seeds, st.data())
def test_a_changed_digit_breaks_no_more_than_its_two_relations(text, seed, data):
    puzzle = Puzzle(text)
    solution = puzzle.solve(random.Random(seed))
    if solution is None:
        return
    count = data.draw(st.integers(1, len(solution)))
    mistaken = changed(solution, count, random.Random(seed))
    assert sum(one != other for one, other in zip(solution, mistaken, strict=True)) == count
    assert puzzle.check(mistaken).count("n") <= 2 * count
    assert puzzle.score(mistaken) == max(0, FULL_SCORE - puzzle.check(mistaken).count("n"))


@given(relations, st.text("0123456789<y \n٣", max_size=14))
def test_any_text_gets_a_row_and_a_score(text, answer):
    puzzle = Puzzle(text)
    assert len(puzzle.check(answer)) == len(text)
    assert 0 <= puzzle.score(answer) <= FULL_SCORE
    if not puzzle.well_formed(answer):
        assert (puzzle.check(answer), puzzle.score(answer)) == ("n" * len(text), 0)


def test_a_row_says_which_relations_hold():
    assert Puzzle("<=>").check("1332") == "yyy"
    assert Puzzle("<=>").check("1312") == "ynn"
    assert Puzzle("<=>").check("133") == Puzzle("<=>").check("1362") == "nnn"
    assert Puzzle("<<<<<").solutions == 0


@pytest.mark.parametrize("text", ["", "<a", "1"])
def test_what_is_no_puzzle_is_refused(text):
    with pytest.raises(ValueError, match="a puzzle is written in"):
        Puzzle(text)


def test_no_puzzle_is_of_two_parts_and_no_seed_moves_one():
    of_part = {part: {puzzle.relations for puzzle in puzzles(part, 0)} for part in SHARES}
    assert sum(map(len, of_part.values())) == len(set().union(*of_part.values())) == 17895  # of 3 ** 9
    assert all(of_part[part] == {puzzle.relations for puzzle in puzzles(part, 7)} for part in SHARES)
    assert puzzles("test", 0) != puzzles("test", 7)
    assert len(of_part["test"]) > 1000


def test_names_with_a_seed():
    assert [puzzle_seed(name) for name in ("puzzle", "puzzle:7", "puzzle:", "puzzle:x", "puzzles", "smollm2")] == [
        0, 7, None, None, None, None,
    ]  # fmt: skip
