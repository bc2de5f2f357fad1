"""Thoughts of the models that are evaluated: kept beside their answers, and in no length, check or second turn."""

from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from evals.answer_checks import ending_warnings
from evals.generate import answer_prompts, count_endings
from evals.model import EvalModel
from evals.note import warning
from evals.pairwise import PairwiseSetup
from evals.report.samples.suites import suite_samples
from evals.results import Endings, collect, files_folder
from evals.single_turn import read_outputs
from evals.suite import Selection
from evals.suites.alpaca import metrics as preferred
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.alpaca.run import run_alpaca
from evals.suites.head_to_head import metrics as matched
from evals.suites.head_to_head.run import run_head_to_head
from evals.suites.mt_bench import metrics as graded
from evals.suites.mt_bench.data import Question
from evals.suites.mt_bench.generate import converse
from evals.suites.mt_bench.run import run_mt_bench
from evals.suites.verifiable import metrics as verified
from evals.suites.verifiable.countdown import countdown_benchmark
from evals.suites.verifiable.result import PromptCheck
from evals.suites.verifiable.run import run_verifiable
from helpers.scripted_engine import Scripted
from srlm.cli.show import describe
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.inference import Caller
from srlm.jsonl import with_nan, without_nan
from srlm.judges.pairwise import Voting
from srlm.judges.preference_data import LabelledSet
from srlm.lineage import JudgedAnswer, Lineage
from srlm.runs import start_run
from srlm.types import Answer, Completion, Prompt, RankedAnswer, RankedPrompt, Sampling, Unparsed, Verdict

QUIET = Progress(quiet=True)
SAMPLING = Sampling(0.7, 0.9, 64)
PROMPTS = [Prompt(f"p{n}", f"Instruction {n}.", "evaluation", reference=f"Reference {n}.") for n in range(4)]
LABELLED = LabelledSet("made", {"made": (RankedPrompt("q", "Q?", (RankedAnswer("a", 0), RankedAnswer("b", 1))),)})
SETUP = PairwiseSetup(PROMPTS, SAMPLING, LABELLED)
DRAFT = "<think>\nOkay, a draft.\nAnswer: 1 + 1\n</think>\n\n"


@pytest.fixture
def run(tmp_path):
    found = start_run(tmp_path, "r", load_config("quickstart", []))
    yield found
    found.close()


def thinker(request):
    """Thinks first. To the first instruction it does nothing else; the second answer is cut by the server."""
    said = request.messages[-1].content
    if "Instruction 0." in said:
        return Completion("", "length", 9, 64, thoughts=DRAFT)
    if "Instruction 1." in said:
        return Completion(f"{DRAFT}Short", "cut", 9, 64)
    return Completion(f"{DRAFT}An answer.", "stop", 9, 64)


def judge(request):
    if request.choices:
        return Completion("A", "stop", 9, 1, (0.7, 0.3), mass=0.9)
    return Completion(f"{DRAFT}Rating: [[7]]", "stop", 9, 64)


def contestant(name, say=thinker, asked=None):
    return EvalModel(name, lambda: Scripted(say, name, asked))


ENDINGS = Endings(4, 1, 1, 1)
CAPTIONS = [
    "Attention: 1 of 4 answers of m are empty: their tokens went into reasoning; raise --max-tokens.",
    "Attention: 1 of 4 answers of m were cut by its server, such as by a content filter.",
]


@pytest.mark.parametrize("as_written", [False, True])
def test_an_answer_is_what_came_after_the_thoughts(run, as_written):
    caller = Caller(Scripted(thinker), run.ledger, "s", QUIET)
    found = answer_prompts(caller, PROMPTS, SAMPLING, as_written=as_written)
    assert [one.text for one in found.values()] == ["", "Short", "An answer.", "An answer."]
    assert all(one.thoughts == DRAFT for one in found.values())
    assert count_endings(found.values()) == ENDINGS


def test_alpaca_judges_measures_and_hands_on_the_answer_alone(run):
    asked = []
    judging = contestant("judge", judge, asked)
    (result,) = run_alpaca([contestant("m")], judging, SETUP, run, QUIET)
    assert not any("a draft" in one.messages[0].content for one in asked)
    assert [one.length for one in result.outcomes] == [0, 5, 10, 10]
    assert result.endings == ENDINGS
    assert [str(one) for one in preferred.notes(Selection([result], [])) if str(one) in CAPTIONS] == CAPTIONS
    outputs = read_outputs(files_folder(run, "alpaca", "m") / "model_outputs.json")
    assert [one.output for one in outputs] == ["", "Short", "An answer.", "An answer."]
    # Verdicts and answers with their thoughts lead to a page that folds them.
    samples = suite_samples(run, collect([result]))
    replies = [reply for sample in samples for reply in sample.replies if reply.by == "m"]
    assert [reply.thoughts for reply in replies] == [DRAFT] * 4
    assert "a draft" not in "".join(reply.text for reply in replies)
    assert replies[0].note == "0 characters, cut at the token limit, empty: its tokens went into thoughts"
    assert replies[1].note == "5 characters, cut by the server"


def test_pairs_are_judged_without_thoughts(run):
    asked = []
    judging = contestant("judge", judge, asked)
    both = [contestant("m"), contestant("n", lambda request: Completion("Plain.", "stop", 1, 1))]
    (result,) = run_head_to_head(both, None, judging, replace(SETUP, voting=Voting(64)), run, QUIET)
    assert not any("a draft" in one.messages[0].content for one in asked)
    assert {one.sampling.max_tokens for one in asked} == {64}
    assert result.provenance.rubric.endswith(" in 64 tokens")
    assert result.card.rubric == result.provenance.rubric
    place = (result.model, result.opponent).index("m")
    assert result.endings[place] == ENDINGS
    assert result.swapped().endings == result.endings[::-1]
    notes = matched.notes(Selection([result], [result.model, result.opponent]))
    assert [str(one) for one in notes if str(one) in CAPTIONS] == CAPTIONS


def test_a_second_turn_is_asked_without_the_thoughts_of_the_first(run):
    asked = []
    caller = Caller(Scripted(thinker, asked=asked), run.ledger, "s", QUIET)
    found = converse(caller, [Question(1, "x", ("A?", "B?"))], 64)
    assert [one.content for one in asked[1].messages] == ["A?", "An answer.", "B?"]
    assert [(one.text, one.thoughts) for one in found[1]] == [("An answer.", DRAFT)] * 2


def test_grades_are_of_answers_and_read_after_the_thoughts(run):
    asked = []
    questions = [Question(1, "x", ("Instruction 0.", "Instruction 1.")), Question(2, "x", ("A?", "B?"))]
    (result,) = run_mt_bench(
        [contestant("m")], questions, contestant("judge", judge, asked), None, run, QUIET, judge_tokens=512
    )
    assert not any("a draft" in one.messages[0].content for one in asked)
    assert {one.sampling.max_tokens for one in asked} == {512}
    assert result.provenance.rubric.endswith(" in 512 tokens")
    assert [(one.score, one.length) for one in result.grades] == [(7, 0), (7, 5), (7, 10), (7, 10)]
    assert result.endings == ENDINGS
    assert [str(one) for one in graded.notes(Selection([result], [])) if str(one) in CAPTIONS] == CAPTIONS


def test_a_program_checks_the_answer_alone(run):
    benchmark = countdown_benchmark(4)
    solutions = {one.prompt.instruction: one.prompt.reference for one in benchmark.items}

    def solve(request):
        return Completion(f"{DRAFT}Answer: {solutions[request.messages[0].content]}", "cut", 9, 64)

    def think(request):
        return Completion(f"<think>\nAnswer: {solutions[request.messages[0].content]}\n", "length", 9, 64)

    right, wrong = run_verifiable([contestant("m", solve), contestant("n", think)], benchmark, None, run, QUIET)
    assert all(all(one.strict) for one in right.checked)
    assert not any(any(one.strict) for one in wrong.checked)
    assert {one.length for one in wrong.checked} == {0}
    assert {one.finish for one in right.checked} == {"cut"}
    rows = {one.key: one for one in verified.metrics(Selection([right], []))}
    assert rows["verifiable_cut"].cells["m"].estimate.value == 1
    assert rows["verifiable_cut"].label == "answers cut before their end"
    notes = " ".join(map(str, verified.notes(Selection([wrong], []))))
    assert "4 of 4 answers of n are empty: their tokens went into reasoning" in notes


def test_results_of_older_versions_have_no_word_on_endings(run):
    (result,) = run_alpaca([contestant("m")], contestant("j", judge), SETUP, run, QUIET)
    data = without_nan(asdict(result))
    del data["endings"], data["card"]["mass"]
    old = TypeAdapter(AlpacaResult).validate_python(with_nan(data))
    assert old.endings == Endings()
    assert not any("empty" in str(one) for one in preferred.notes(Selection([old], [])))
    assert TypeAdapter(PromptCheck).validate_python(
        {"prompt_id": "p", "instructions": [], "strict": None, "loose": None, "length": 0, "finish": None}
    )


def test_of_some_empty_answers_it_is_said_how_many_only_thought():
    (every,) = ending_warnings("m", Endings(40, 3, 3))
    assert str(every) == (
        "Attention: 3 of 40 answers of m are empty: their tokens went into reasoning; raise --max-tokens."
    )
    assert every.models == ("m",)
    assert "the tokens of 2 went into reasoning" in ending_warnings("m", Endings(40, 3, 2))[0].text
    assert ending_warnings("m", Endings(40, 3)) == [warning("3 of 40 answers of m are empty.", "m")]
    assert ending_warnings("m", Endings(40)) == []


def test_show_prints_thoughts_apart():
    answer = Answer("M2-p1-c0", "M2-p1", "M1", "An answer.", "cut", thoughts=DRAFT)
    verdict = Verdict("M2-p1-c0-v0", "M1", "additive:x", (answer.id,), Unparsed("So.", "why"), thoughts="A doubt.")
    prompt = Prompt("M2-p1", "Do.", "generated")
    text = describe(Lineage("M2", prompt, [], [JudgedAnswer(answer, None, [verdict])], None, None))
    assert f"  thoughts, {len(DRAFT)} characters:\n      <think>\n      Okay, a draft.\n" in text
    assert "  (end)\n  An answer.\n" in text
    assert "        thoughts, 8 characters:\n            A doubt.\n        (end)\n        So." in text
    assert "cut by the server" in text
