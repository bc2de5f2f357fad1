"""The seed data agrees with the checker, and its judgements are readable."""

from srlm.judges.parse import read_score
from srlm.judges.rubric import load_rubric
from srlm.seed_data import load_seeds
from srlm.sentences.seed_data import HELD_OUT, RANKED, demonstrations, ranked
from srlm.sentences.task import WORDS, read_instruction, vocabulary, word_sets
from srlm.types import Completion, Scored
from trainer.data.sft_examples import eft_examples
from trainer.generation.word_sets import sentence_prompts


def test_demonstrations_use_all_their_words():
    made = demonstrations(3)
    assert len({one.id for one in made}) == len({one.instruction for one in made}) == len(made) > 100
    assert all(read_instruction(one.instruction).score(one.response) == WORDS for one in made)


def test_judgements_are_the_checkers():
    made = ranked(3)
    assert len(made) == RANKED + HELD_OUT
    for prompt in made:
        asked = read_instruction(prompt.instruction)
        assert set(asked.words) <= set(vocabulary("train"))
        for answer in prompt.answers:
            assert (answer.score, answer.rationale) == (asked.score(answer.text), asked.verdict(answer.text))
        assert [answer.rank for answer in prompt.answers] == [0, 1]
        assert prompt.answers[0].score > prompt.answers[1].score
    scores = [answer.score for prompt in made for answer in prompt.answers]
    assert all(scores.count(score) > 0.08 * len(scores) for score in range(WORDS + 1))


def test_each_judgement_is_read_as_its_score():
    seeds = load_seeds("sentences:3")
    assert (len(seeds.eft), len(seeds.validation)) == (RANKED, HELD_OUT)
    for example in eft_examples(seeds.eft[:100], load_rubric("sentences")):
        read = read_score(Completion(example.completion, "stop", 1, 20))
        assert isinstance(read, Scored) and read.value == example.score


def test_seeds_follow_the_seed_and_iterations_get_words_of_their_own():
    assert demonstrations(3) != demonstrations(4)
    first = sentence_prompts("M2", 20, 3, [])
    second = sentence_prompts("M3", 20, 3, first)
    every = [one.instruction for one in (*first, *second)]
    test = {asked.instruction for asked in word_sets("test", 0, "test", 200)}
    assert len(set(every)) == 40 and not test & set(every)
