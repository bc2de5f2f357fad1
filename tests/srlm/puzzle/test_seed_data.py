"""The seed data agrees with the checker and shares no puzzle with the loop or the test."""

from srlm.judges.rubric import load_rubric
from srlm.puzzle.seed_data import ANSWERS, DEMONSTRATIONS, HELD_OUT, RANKED, demonstrations, ranked
from srlm.puzzle.task import Puzzle, puzzles
from srlm.seed_data import load_seeds
from trainer.data.sft_examples import eft_examples
from trainer.generation.puzzles import puzzle_prompts


def test_demonstrations_solve_their_puzzles():
    made = demonstrations(3)
    assert len({one.instruction for one in made}) == DEMONSTRATIONS
    assert all(Puzzle(one.instruction).score(one.response) == 5 for one in made)


def test_judgements_are_the_checkers():
    made = ranked(3)
    assert len(made) == RANKED + HELD_OUT
    for prompt in made:
        puzzle = Puzzle(prompt.instruction)
        assert len({answer.text for answer in prompt.answers}) == ANSWERS
        for answer in prompt.answers:
            assert (answer.score, answer.rationale) == (puzzle.score(answer.text), puzzle.check(answer.text))
        order = [(answer.rank, -answer.score) for answer in prompt.answers]
        assert order == sorted(order)
        assert len({rank for rank, _ in order}) == len({score for _, score in order})


def test_seeds_loop_and_test_have_no_puzzle_in_common():
    seeds = load_seeds("puzzle:3")
    used = [
        {one.instruction for one in group}
        for group in (seeds.ift, seeds.eft, seeds.validation, puzzle_prompts("M2", 1000, 3, []))
    ]
    used.append({puzzle.relations for puzzle in puzzles("test", 0)})
    assert sum(map(len, used)) == len(set().union(*used))


def test_iterations_get_puzzles_of_their_own():
    first = puzzle_prompts("M2", 1000, 0, [])
    second = puzzle_prompts("M3", 1000, 0, first)
    assert not {one.instruction for one in first} & {one.instruction for one in second}
    assert puzzle_prompts("M2", 1000, 0, []) == first
    assert puzzle_prompts("M2", 1000, 1, []) != first


def test_seeds_hang_on_their_seed_alone():
    assert load_seeds("puzzle") == load_seeds("puzzle:0") != load_seeds("puzzle:1")


def test_judgements_become_eft_examples():
    seeds = load_seeds("puzzle")
    examples = eft_examples(seeds.eft, load_rubric("puzzle"))
    assert len({one.id for one in examples}) == len(examples) == RANKED * ANSWERS
    best = seeds.eft[0].answers[0]
    assert examples[0].completion == f"{best.rationale}\nScore: {best.score}"
