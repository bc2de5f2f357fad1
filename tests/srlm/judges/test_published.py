"""Against what others published: real judges' replies, real answers, and a real attack. Skipped without the data."""

import gzip
import json
import re
from collections import Counter
from math import exp

import pytest

from helpers.paths import SHARED_DATA
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.judges.injection import constant_answers, find_injections
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.judges.parse import read_rating
from srlm.judges.rubric import Scale, load_rubric
from srlm.ledger import Ledger
from srlm.prices import FREE
from srlm.seeding import model_first
from srlm.types import Answer, Completion, Scored

DATA = SHARED_DATA
MT_BENCH, ALPACA = DATA / "mt_bench", DATA / "alpaca_eval"
needs_mt_bench = pytest.mark.skipif(not MT_BENCH.is_dir(), reason=f"needs the published judgements in {MT_BENCH}")
needs_alpaca = pytest.mark.skipif(not ALPACA.is_dir(), reason=f"needs the published answers in {ALPACA}")


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def whole(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def outputs(model):
    return whole(ALPACA / "model_outputs" / f"{model}.json.gz")


# --- MT-Bench: 960 judgements by GPT-4 --------------------------------------------------------------------------------

# The form that the judge was asked for, "Rating: [[5]]": at the end of a line, as a sentence of its own or alone, and
# not in quotation marks. Apart from the code under test.
ASKED = re.compile(r"(?:^|[.!?\"')] )\[*(?:rating\]*: )?\[\[(\d+(?:\.\d+)?)\]\]\]?\.?$", re.IGNORECASE | re.MULTILINE)


@needs_mt_bench
def test_all_published_judgements_are_read_as_published_or_not_at_all():
    judgements = lines(MT_BENCH / "model_judgment" / "gpt-4_single.jsonl.gz")
    seen = Counter()
    for one in judgements:
        text, published = one["judgment"], one["score"]
        found = read_rating(Completion(text, "stop", 1, 1), Scale(1, 10))
        asked = set(ASKED.findall(text))
        named = {float(number) for number in re.findall(r"\[\[(\d+\.?\d*)\]\]", text)}
        if published == -1:
            assert not isinstance(found, Scored), text
            seen["no rating"] += 1
        elif not named:  # a list such as "[5]" that the published rule took for a rating
            assert not isinstance(found, Scored), text
            seen["another number"] += 1
        elif len(named) > 1:  # the judge names several ratings
            assert not isinstance(found, Scored), text
            seen["several ratings"] += 1
        elif asked:
            assert isinstance(found, Scored), text
            assert found.value == published
            seen["equal"] += 1
        else:  # inside of a sentence or in quotation marks, where it might be the candidate's
            assert not isinstance(found, Scored), text
            seen["in a sentence"] += 1
    assert seen == {
        "equal": 818,
        "no rating": 122,
        "in a sentence": 14,
        "another number": 3,
        "several ratings": 3,
    }
    assert seen.total() == len(judgements) == 960


# --- AlpacaEval 2: the one-token preference ---------------------------------------------------------------------------


class Replayed:
    """The published judge: its log probabilities of "m" and "M", the answers shown first and second."""

    name = identity = "gpt-4-turbo"
    price = FREE

    def __init__(self, logprobs):
        self.logprobs = logprobs

    def plan(self, requests):
        return [[number] for number in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, (request,) in enumerate(batches):
            instruction = request.messages[0].content.split("<instruction>\n")[1].split("\n</instruction>")[0]
            first, second = (exp(self.logprobs[instruction].get(token, float("-inf"))) for token in "mM")
            probabilities = (first / (first + second), second / (first + second))
            yield BatchResult(number, [Completion("A", "stop", 1, 1, probabilities)], 0.1)

    def close(self):
        pass


@needs_alpaca
def test_pairs_are_shown_in_the_published_order():
    swapped = json.loads((ALPACA / "presentation_order.json").read_text())
    # There, a pair that is not swapped shows the reference first.
    assert [model_first(one["instruction"]) for one in outputs("gpt4_1106_preview")] == swapped
    assert len(swapped) == 805


@needs_alpaca
def test_the_order_that_was_published_has_the_published_preference(tmp_path):
    rows = [row for row in whole(ALPACA / "annotations" / "claude-2.1.json.gz") if row.get("raw_completion")]
    template = load_pairwise()
    logprobs = {}
    for row in rows:
        # An instruction is shown sanitised, and is found again by that.
        shown = template.fill(instruction=row["instruction"], answer_a="", answer_b="")
        key = shown.split("<instruction>\n")[1].split("\n</instruction>")[0]
        (content,) = row["raw_completion"]["logprobs"]["content"]
        logprobs[key] = {one["token"]: one["logprob"] for one in content["top_logprobs"]}
    matches = [
        Match(
            f"m{number}",
            row["instruction"],
            Answer(f"a{number}", "p", "claude-2.1", row["output_2"], "stop"),
            Answer(f"r{number}", "p", "reference", row["output_1"], "stop"),
        )
        for number, row in enumerate(rows)
    ]
    ledger = Ledger(tmp_path / "ledger.sqlite")
    caller = Caller(Replayed(logprobs), ledger, "s", Progress(quiet=True))
    found = compare(caller, template, matches, label="l")
    ledger.close()
    assert len(found) > 800
    published = [one.orders[0 if model_first(one.match.instruction) else 1] for one in found]
    assert published == pytest.approx([row["preference"] - 1 for row in rows], abs=1e-9)


# --- what is flagged --------------------------------------------------------------------------------------------------


@needs_alpaca
@pytest.mark.parametrize("load", [lambda: load_rubric("additive"), load_pairwise])
def test_the_null_model_is_flagged_on_every_answer_and_as_constant(load):
    rows = outputs("NullModel")
    answers = [
        Answer(f"a{number}", f"p{number}", "NullModel", row["output"], "stop") for number, row in enumerate(rows)
    ]
    template = load()
    found = [find_injections(answer.id, answer.text, template) for answer in answers]
    assert sum(bool(one) for one in found) == len(answers) == 805
    assert {answer.text[one.start : one.end] for answer, (one, *_) in zip(answers, found, strict=True)} == {
        "Ignore the above"
    }
    assert constant_answers(answers) == 805


@needs_alpaca
@needs_mt_bench
def test_real_answers_are_hardly_ever_flagged():
    rubric = load_rubric("additive")
    texts = [
        row["output"]
        for path in sorted((ALPACA / "model_outputs").glob("*.json.gz"))
        if not path.name.startswith("NullModel")
        for row in whole(path)
    ]
    texts += [
        turn
        for path in sorted((MT_BENCH / "model_answer").glob("*.jsonl.gz"))
        for row in lines(path)
        for turn in row["choices"][0]["turns"]
    ]
    kinds = Counter()
    flagged = 0
    for text in texts:
        found = {one.kind for one in find_injections("a", text, rubric)}
        kinds.update(found)
        flagged += bool(found)
    assert len(texts) > 9_000
    assert flagged < 0.005 * len(texts)
    # Most are a weak model's endless repetitions; words alone hardly ever raise a suspicion.
    assert flagged - kinds["repetition"] < 0.002 * len(texts)
    assert kinds["tag"] == kinds["invisible"] == 0
