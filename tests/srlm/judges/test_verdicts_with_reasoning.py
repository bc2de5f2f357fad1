"""Thoughts and the probability of all choices, wherever a verdict is made: kept beside it, and no part of it."""

from dataclasses import asdict, replace
from io import StringIO

import pytest
from pydantic import TypeAdapter

from evals.labels.annotate import read_categories, read_label
from helpers.scripted_engine import Scripted
from srlm.console import Progress
from srlm.inference import Caller
from srlm.jsonl import with_nan, without_nan
from srlm.judges.grading import Conversation, GradingJudge, grade
from srlm.judges.judge_card import JudgeCard, Mass
from srlm.judges.judge_card_output import card_table, card_words
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.pairwise import VOTE, Match, Voting, compare, load_pairwise, voting_of
from srlm.judges.parse import LEAST_MASS
from srlm.judges.pointwise import PointwiseJudge, score
from srlm.judges.preference_data import LabelledSet
from srlm.judges.rubric import load_rubric
from srlm.judges.score_file import judge_answers
from srlm.strip_reasoning import length_note, strip_reasoning
from srlm.types import Answer, Completion, Prompt, RankedAnswer, RankedPrompt, Sampling, Scored, Unparsed

QUIET = Progress(quiet=True)
ANSWERS = [Answer(f"a{n}", f"p{n}", "M1", f"An answer, {n}.", "stop") for n in range(2)]
PROMPT = Prompt("p0", "i", "evaluation")
SAMPLED = PointwiseJudge(load_rubric("additive"), "sampled", 1, Sampling(0.7, 0.9, 64))
EXPECTED = replace(SAMPLED, scoring="expected")
INSIDE = "<think>\nScore: 2\nRating: [[2]]\nB\n</think>\n\n"


def verdict(kind, said, ledger, **more):
    """One verdict of each kind, by a judge that always says the same."""
    engine = Scripted(lambda request: said, name=f"says {said.text!r} after {said.thoughts!r}")
    caller = Caller(engine, ledger, "s", QUIET)
    if kind == "pointwise":
        (found,) = score(SAMPLED, caller, [(PROMPT, ANSWERS[0])], seed=0, label="l")
    elif kind == "expected":
        (found,) = score(replace(EXPECTED, **more), caller, [(PROMPT, ANSWERS[0])], seed=0, label="l")
    elif kind == "grading":
        (found,) = grade(GradingJudge(), caller, [Conversation(("q",), ANSWERS[:1])], label="l")
    elif kind == "judged":
        (one,) = judge_answers(SAMPLED, engine, [(PROMPT, ANSWERS[0])], ledger, QUIET)
        (found,) = one.verdicts
    else:
        (one,) = compare(caller, load_pairwise(), [Match("m", "i", *ANSWERS)], label="l", **more)
        found = one.verdicts[0]
    return found


LAST = {"pointwise": ("Score: 4", 4), "grading": ("Rating: [[7]]", 7), "judged": ("Score: 4", 4), "pairwise": ("A", 1)}


@pytest.mark.parametrize("kind", LAST)
def test_thoughts_stand_beside_the_verdict_whether_an_engine_parted_them_or_not(kind, ledger):
    words, value = LAST[kind]
    said = [Completion(INSIDE + words, "stop", 9, 30), Completion(words, "stop", 9, 31, thoughts=INSIDE)]
    for one in said:
        found = verdict(kind, one, ledger)
        assert found.reading == Scored(value, words)
        assert found.thoughts == INSIDE


@pytest.mark.parametrize("kind", LAST)
def test_a_draft_in_a_thought_is_no_verdict(kind, ledger):
    found = verdict(kind, Completion(f"{INSIDE}Both are complete.", "stop", 9, 30), ledger)
    assert isinstance(found.reading, Unparsed)
    assert (found.reading.text, found.thoughts) == ("Both are complete.", INSIDE)


@pytest.mark.parametrize("kind", LAST)
def test_a_judge_that_only_thinks_is_told_apart_from_one_that_says_nothing(kind, ledger):
    found = verdict(kind, Completion("", "length", 9, 2048, thoughts="<think>Score: 2"), ledger)
    assert "spent its 2,048 tokens on thinking" in found.reading.reason
    assert "--judge-tokens" in found.reading.reason
    found = verdict(kind, Completion("", "stop", 9, 1), ledger)
    assert found.reading.reason == "the judge said nothing"


@pytest.mark.parametrize(("kind", "choices"), [("expected", 6), ("pairwise", 2)])
@pytest.mark.parametrize(("mass", "read"), [(None, True), (0.5, True), (3e-5, False)])
def test_the_mass_is_kept_and_decides(kind, choices, mass, read, ledger):
    said = Completion("A", "stop", 9, 1, (1 / choices,) * choices, mass=mass)
    found = verdict(kind, said, ledger)
    assert isinstance(found.reading, Scored) == read
    assert found.mass == mass
    if not read:
        assert "0.003 % of its probability" in found.reading.reason
        told = {"voting": voting_of(None, 1e-6)} if kind == "pairwise" else {"least_mass": 1e-6}
        assert isinstance(verdict(kind, said, ledger, **told).reading, Scored)


def test_weights_that_are_damaged_give_no_score_and_no_figure(ledger):
    said = Completion("A", "stop", 9, 1, (float("nan"),) * 6, mass=float("nan"))
    found = verdict("expected", said, ledger)
    assert "no numbers" in found.reading.reason
    assert found.mass is None


def test_room_to_think_is_asked_for_and_said(ledger):
    asked = []
    engine = Scripted(lambda request: Completion(f"{INSIDE}B", "stop", 9, 200), asked=asked)
    match = Match("m", "i", *ANSWERS)
    (found,) = compare(Caller(engine, ledger, "s", QUIET), load_pairwise(), [match], label="l", voting=Voting(512))
    assert {(one.sampling.max_tokens, one.choices) for one in asked} == {(512, ("A", "B"))}
    assert found.orders == (0, 1)
    label = found.verdicts[0].rubric
    assert label == f"{VOTE.label(load_pairwise())} in 512 tokens"
    assert Voting(1, 0.5).label(load_pairwise()).endswith(" with a mass of 0.5")
    assert voting_of(None, None) == VOTE == Voting(1, LEAST_MASS)


def test_equal_choices_are_asked_as_before(ledger):
    """The keys of stored calls are what they were."""
    asked = []
    engine = Scripted(lambda request: Completion("A", "stop", 9, 1, (0.5, 0.5)), asked=asked)
    compare(Caller(engine, ledger, "s", QUIET), load_pairwise(), [Match("m", "i", *ANSWERS)], label="l")
    assert {(one.sampling, one.seed) for one in asked} == {(Sampling(0.0, 1.0, 1), 0)}


def test_labels_are_not_read_out_of_thoughts():
    said = Completion("<think>\nCategory: Sums\nComplexity: 3\n</think>\nComplexity: 7", "stop", 1, 1)
    found = read_label("p", said, ("Sums", "Other"))
    assert (found.category, found.complexity) == (None, 7)
    listed = Completion("<think>\n- Maybe\n- Or not\n</think>\n- Plain questions\n- Sums", "stop", 1, 1)
    assert read_categories(listed) == ("Plain questions", "Sums", "Other")
    assert read_label("p", replace(said, finish="cut"), ("Sums",)).complexity is None


# --- the card ---------------------------------------------------------------------------------------------------------

PROMPTS = tuple(
    RankedPrompt(f"q{n}", f"Question {n}?", (RankedAnswer("good", 0), RankedAnswer(f"bad {n}", 1))) for n in range(4)
)


def card(ledger, mass, **more):
    def say(request):
        number = len(request.choices)
        unlikely = "Question 0?" in request.messages[0].content
        return Completion("A", "stop", 9, 1, (1 / number,) * number, mass=mass / 1e4 if unlikely and mass else mass)

    engine = Scripted(say)
    labelled = LabelledSet("made", {"made": PROMPTS})
    return measure_judge_card(Caller(engine, ledger, "s", QUIET), labelled, limit=None, **more)


def test_a_card_says_how_much_its_choices_had(ledger):
    found = card(ledger, 0.3, pointwise=EXPECTED)
    assert (found.mass.median, found.mass.least, found.mass.below.value) == (0.3, LEAST_MASS, 0.25)
    assert (found.read, found.scores.mass.below.value) == (0.75, 0.25)
    words = " ".join(card_words(found))
    assert words.count("was about to write something else") == 2
    assert "--judge-tokens" in found.caption()
    assert "total probability of the choices, median" in printed(found)
    assert "unparsed verdicts, below it" in printed(found)


def test_a_card_whose_masses_nobody_knows_is_as_it_was(ledger):
    found = card(ledger, None, pointwise=EXPECTED)
    assert found.mass == Mass()
    assert "something else" not in found.caption() + " ".join(card_words(found))
    assert "probability of" not in printed(found)


def test_a_card_of_an_older_version_is_read(ledger):
    found = card(ledger, 0.3, pointwise=EXPECTED)
    data = without_nan(asdict(found))
    adapter = TypeAdapter(JudgeCard)
    assert without_nan(asdict(adapter.validate_python(with_nan(data)))) == data
    del data["mass"], data["scores"]["mass"]
    assert adapter.validate_python(with_nan(data)).mass.median is None


def printed(found):
    from rich.console import Console

    console = Console(file=StringIO(), width=200)
    console.print(card_table(found))
    return console.file.getvalue()


# --- replies ----------------------------------------------------------------------------------------------------------


def test_what_an_engine_has_parted_stays_as_it_is():
    one = Completion("An answer.", "stop", 1, 1, thoughts="<think>So.</think>")
    assert strip_reasoning(one) is one


@pytest.mark.parametrize("text", ["<think>So.</think>\n\nYes.", "Yes, <think>so.</think> no.", "So.</think>Yes."])
def test_nothing_of_what_was_written_is_lost(text):
    found = strip_reasoning(Completion(text, "stop", 1, 1))
    assert "So." not in found.text
    assert "so." not in found.text
    assert (found.thoughts + found.text if found.written is None else found.written) == text


@pytest.mark.parametrize(
    ("finish", "text", "thoughts", "note"),
    [
        ("stop", "Yes.", "", "4 characters"),
        ("length", "Yes.", "So.", "4 characters, cut at the token limit"),
        ("cut", "Yes.", "", "4 characters, cut by the server"),
        ("length", "", "So.", "0 characters, cut at the token limit, empty: its tokens went into thoughts"),
    ],
)
def test_how_an_answer_ended_is_said(finish, text, thoughts, note):
    assert length_note(Answer("a", "p", "m", text, finish, thoughts=thoughts)) == note
