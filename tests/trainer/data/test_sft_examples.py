"""IFT and EFT examples from demonstrations and ranked answers."""

import pytest

from srlm.judges.parse import read_score
from srlm.judges.rubric import load_rubric
from srlm.types import Completion, Demonstration, RankedAnswer, RankedPrompt
from trainer.data.sft_examples import eft_examples, ift_examples, rank_only_eft_examples


def test_ift_and_eft_examples():
    (one,) = ift_examples([Demonstration("d", "Do.", "Done.")])
    assert (one.source, one.prompt, one.completion, one.score) == ("IFT", "Do.", "Done.", None)
    answers = (
        RankedAnswer("best", 0, 5, "Why."),
        RankedAnswer("no rationale", 1, 3),
        RankedAnswer("worst", 2, 0, "Bad."),
    )
    found = eft_examples([RankedPrompt("q", "Do.", answers)], load_rubric("additive"))
    assert [(one.id, one.score, one.completion) for one in found] == [
        ("q-a0", 5, "Why.\nScore: 5"),
        ("q-a2", 0, "Bad.\nScore: 0"),
    ]
    assert all("Do." in one.prompt for one in found)
    assert [read_score(Completion(one.completion, "stop", 1, 1)).value for one in found] == [5, 0]


@pytest.mark.parametrize(
    ("rubric", "ranks", "scores"),
    [
        ("additive", [0, 1], [5, 0]),
        ("additive", [2, 0, 1], [0, 5, 2]),
        ("additive", [0, 3, 3, 7], [5, 2, 2, 0]),
        ("levels", [0, 1, 2, 3, 4], [5, 4, 3, 2, 1]),
    ],
)
def test_rank_only_scores_span_the_scale(rubric, ranks, scores):
    answers = tuple(RankedAnswer(f"answer {index}", rank) for index, rank in enumerate(ranks))
    found = rank_only_eft_examples([RankedPrompt("q", "Do.", answers)], load_rubric(rubric))
    assert [one.score for one in found] == scores
    assert [one.completion for one in found] == [f"Score: {score}" for score in scores]
    assert [f"answer {index}" in one.prompt for index, one in enumerate(found)] == [True] * len(scores)
