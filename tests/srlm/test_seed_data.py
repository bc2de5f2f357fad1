"""Seeds: what ships with srlm keeps its promises, and a user's own files are refused with their line."""

import gzip
import json
from itertools import pairwise

import pytest

from srlm.errors import DataError, UnknownName
from srlm.seed_data import evaluation_set, load_seeds
from srlm.types import Demonstration
from trainer.generation.filters import rouge_l, rouge_words

# The labels of arXiv 2401.10020, Figures 9 and 10.
CATEGORIES = {
    "Science / Technology / Engineering",
    "Professional / Business / Marketing",
    "Social Interaction / Relationships / Human Behavior",
    "Miscellaneous / Other",
    "Mathematics / Logical Reasoning",
    "Cooking / Recipes",
    "Software Development / Coding / Algorithms",
    "Travel / Geography / Exploration",
    "Literature / Writing / Communication",
    "History / Social Studies",
    "Entertainment / Media Analysis",
    "Language Learning / Linguistics",
    "Music / Audio / Arts",
    "DIY Projects / Hobbies",
    "Technology / Gadgets / Consumer Products",
    "Gaming / Game Development",
    "Exercise / Health / Wellness",
    "Philosophy / Ethics / Ideology",
    "Sports / Athletics / Physical Activity",
    "Strategy / Problem-Solving / Critical Thinking",
}
LENGTHS = {"1 sentence", "1-3 sentences", "1 paragraph", "2 paragraphs", "3 or more paragraphs"}


@pytest.fixture(scope="module")
def embedded():
    return load_seeds("embedded")


@pytest.fixture(scope="module")
def evaluation():
    return evaluation_set()


# --- what ships -------------------------------------------------------------------------------------------------------


def test_there_are_enough_of_many_kinds(embedded, evaluation):
    assert len(embedded.ift) >= 120
    assert len(embedded.eft) >= 60
    assert len(embedded.validation) >= 20
    assert len(evaluation) >= 80
    assert len({one.kind for one in embedded.ift}) >= 12
    assert len({one.kind for one in (*embedded.eft, *embedded.validation)}) >= 12
    assert all(one.kind for one in (*embedded.ift, *embedded.eft, *embedded.validation))


def test_ids_and_instructions_are_unique(embedded, evaluation):
    everything = [*embedded.ift, *embedded.eft, *embedded.validation, *evaluation]
    assert len({one.id for one in everything}) == len(everything)
    assert len({one.instruction for one in everything}) == len(everything)


def test_ranked_answers_fall_in_score(embedded):
    for prompt in (*embedded.eft, *embedded.validation):
        answers = prompt.answers
        assert 3 <= len(answers) <= 4, prompt.id
        assert [one.rank for one in answers] == list(range(len(answers))), prompt.id
        scores = [one.score for one in answers]
        assert all(0 <= score <= 5 for score in scores), prompt.id
        assert all(better > worse for better, worse in pairwise(scores)), prompt.id
        assert all(one.text.strip() and one.rationale.strip() for one in answers), prompt.id
        assert len({one.text for one in answers}) == len(answers), prompt.id


def test_every_score_is_taught(embedded):
    for part in (embedded.eft, embedded.validation):
        assert {one.score for prompt in part for one in prompt.answers} == {0, 1, 2, 3, 4, 5}


def test_rationales_keep_to_the_rubrics_hundred_words_and_hold_no_score_line(embedded):
    for prompt in (*embedded.eft, *embedded.validation):
        for one in prompt.answers:
            assert len(one.rationale.split()) <= 100, prompt.id
            assert "score:" not in one.rationale.lower(), prompt.id


def test_the_longer_answer_does_not_give_the_order_away(embedded):
    pairs = [
        (len(one.text), len(two.text))
        for prompt in (*embedded.eft, *embedded.validation)
        for i, one in enumerate(prompt.answers)
        for two in prompt.answers[i + 1 :]
    ]
    share = sum(better > worse for better, worse in pairs) / len(pairs)
    assert 0.3 < share < 0.7


def test_the_evaluation_set_is_labelled_and_has_references(evaluation):
    for one in evaluation:
        assert one.source == "evaluation"
        assert one.category in CATEGORIES, one.id
        assert one.complexity in range(1, 11), one.id
        assert one.expected_length in LENGTHS, one.id
        assert one.reference.strip(), one.id


def test_nothing_of_the_evaluation_set_is_trained_on(embedded, evaluation):
    held = [rouge_words(one.instruction) for one in evaluation]
    for seed in (*embedded.ift, *embedded.eft, *embedded.validation):
        words = rouge_words(seed.instruction)
        assert max(rouge_l(words, other) for other in held) <= 0.6, seed.id


def test_validation_is_not_trained_on(embedded):
    for one in embedded.validation:
        words = rouge_words(one.instruction)
        assert max(rouge_l(words, rouge_words(other.instruction)) for other in (*embedded.ift, *embedded.eft)) <= 0.7


# --- a folder of one's own --------------------------------------------------------------------------------------------


def ranked(name, split=None, ranks=(0, 1)):
    row = {"id": name, "instruction": f"Do {name}", "answers": [{"text": f"{name}{r}", "rank": r} for r in ranks]}
    return row | ({"split": split} if split else {})


def folder(path, eft, ift=None):
    path.mkdir(exist_ok=True)
    ift = ift if ift is not None else [{"id": "i", "instruction": "do", "response": "done"}]
    for name, rows in (("ift", ift), ("eft", eft)):
        (path / f"{name}.jsonl").write_text(
            "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        )
    return str(path)


def test_a_given_split_is_kept(tmp_path):
    found = load_seeds(folder(tmp_path, [ranked("a", "train"), ranked("b", "validation"), ranked("c", "train")]))
    assert [one.id for one in found.eft] == ["a", "c"]
    assert [one.id for one in found.validation] == ["b"]
    assert found.ift == (Demonstration("i", "do", "done"),)


def test_without_a_split_one_in_four_is_held_out_by_its_id(tmp_path):
    rows = [ranked(f"q{i}") for i in range(400)]
    found = load_seeds(folder(tmp_path, rows))
    assert 70 < len(found.validation) < 130
    assert len(found.eft) + len(found.validation) == 400
    again = load_seeds(folder(tmp_path / "more", [*reversed(rows), ranked("new")]))
    assert {one.id for one in found.validation} == {one.id for one in again.validation} - {"new"}


def test_an_unknown_source_names_the_forms(tmp_path):
    with pytest.raises(UnknownName, match=r"'embeded' does not exist. Did you mean 'embedded'\?.*oasst:FILE"):
        load_seeds("embeded")
    with pytest.raises(UnknownName):
        load_seeds(str(tmp_path / "none"))


@pytest.mark.parametrize("missing", ["ift", "eft"])
def test_a_missing_file_is_named(tmp_path, missing):
    place = folder(tmp_path, [ranked("a"), ranked("b")])
    (tmp_path / f"{missing}.jsonl").unlink()
    with pytest.raises(DataError, match=rf"{missing}\.jsonl: there is no such file"):
        load_seeds(place)


def test_empty_and_broken_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"eft\.jsonl: holds no record"):
        load_seeds(folder(tmp_path, []))
    with pytest.raises(DataError, match=r"ift\.jsonl: holds no record"):
        load_seeds(folder(tmp_path, [ranked("a")], ift=[]))
    with pytest.raises(DataError, match=r"eft\.jsonl, line 2: not JSON"):
        load_seeds(folder(tmp_path, [ranked("a"), "{"]))
    with pytest.raises(DataError, match=r"eft\.jsonl, line 2: split: Input should be 'train' or 'validation'"):
        load_seeds(folder(tmp_path, [ranked("a"), ranked("b", "test")]))


@pytest.mark.parametrize("ranks", [(), (0,), (1, 1)])
def test_answers_without_an_order_are_refused_with_their_line(tmp_path, ranks):
    with pytest.raises(
        DataError, match=r"eft\.jsonl, line 2: record: .*at least two answers of different rank are needed\.$"
    ):
        load_seeds(folder(tmp_path, [ranked("a"), ranked("b", ranks=ranks)]))


def test_the_line_of_an_answer_without_an_order_counts_blank_lines(tmp_path):
    with pytest.raises(DataError, match="line 4"):
        load_seeds(folder(tmp_path, [ranked("a"), "", "", ranked("b", ranks=(0,))]))


@pytest.mark.parametrize("score", [9, -1])
def test_a_score_off_the_scale_is_refused(tmp_path, score):
    row = ranked("a")
    row["answers"][0] |= {"score": score, "rationale": "good"}
    with pytest.raises(DataError, match="line 1"):
        load_seeds(folder(tmp_path, [row, ranked("b")]))


# --- files of strangers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ift", "eft"])
def test_an_id_that_comes_twice_is_refused(tmp_path, name):
    one = {"id": "i", "instruction": "do", "response": "done"}
    rows = {"ift": [one, one], "eft": [ranked("a"), ranked("b"), ranked("a")]}
    place = folder(
        tmp_path, rows["eft"] if name == "eft" else [ranked("a")], ift=rows["ift"] if name == "ift" else None
    )
    with pytest.raises(DataError, match=rf"{name}\.jsonl, line [23]: has the id '[ai]' of line 1 again"):
        load_seeds(place)


def test_ranked_answers_that_are_all_for_validation_all_are(tmp_path):
    found = load_seeds(folder(tmp_path, [ranked(f"q{i}", "validation") for i in range(12)]))
    assert (len(found.eft), len(found.validation)) == (0, 12)
    found = load_seeds(folder(tmp_path, [ranked(f"q{i}", "train") for i in range(40)]))
    assert len(found.eft) + len(found.validation) == 40
    assert found.validation


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".json", ".json.gz"])
def test_seeds_may_be_packed_and_arrays(tmp_path, suffix):
    place = folder(tmp_path, [ranked("a", "train"), ranked("b", "validation")])
    whole = load_seeds(place)
    for name in ("ift", "eft"):
        file = tmp_path / f"{name}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        text = file.read_text() if "jsonl" in suffix else json.dumps(rows)
        file.unlink()
        (tmp_path / f"{name}{suffix}").write_bytes(
            gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode("utf-8-sig")
        )
    assert load_seeds(place) == whole


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Add.", "input": "1, 2", "output": "3"},
        {"prompt": "Add.\n\n1, 2", "completion": "3"},
        {"messages": [{"role": "user", "content": "Add.\n\n1, 2"}, {"role": "assistant", "content": "3"}]},
        {"conversations": [{"from": "human", "value": "Add.\n\n1, 2"}, {"from": "gpt", "value": "3"}]},
    ],
)
def test_demonstrations_of_other_tools_are_read(tmp_path, row):
    found = load_seeds(folder(tmp_path, [ranked("a")], ift=[row | {"id": 7}, row]))
    assert found.ift == (Demonstration("7", "Add.\n\n1, 2", "3"), Demonstration("ift-0002", "Add.\n\n1, 2", "3"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ranked("a", "test")], "split: .*The part held out from training is called validation"),
        ([ranked("a", ranks=(0, float("nan")))], "a rank must be a number"),
        ([ranked("a", ranks=(0, float("inf")))], "a rank must be a number"),
        ([ranked("a") | {"answers": [{"text": None, "rank": 0}, {"text": "x", "rank": 1}]}], "answers.0.text"),
        ([ranked("a") | {"id": "half \ud83d"}], "the field id contains half a character"),
        ([ranked("a") | {"schema": 99}], "was written by a newer version of srlm"),
        (['{"id": "a", "id": "b"}'], "the key 'id' is repeated"),
    ],
)
def test_ranked_answers_that_are_wrong_are_named(tmp_path, rows, words):
    with pytest.raises(DataError, match=rf"eft\.jsonl, line 1: .*{words}"):
        load_seeds(folder(tmp_path, rows))


def test_ranks_of_ties_may_be_halves(tmp_path):
    (one,) = load_seeds(folder(tmp_path, [ranked("a", "validation", ranks=(1.0, 2.5, "2.5", 4))])).validation
    assert [repr(answer.rank) for answer in one.answers] == ["1", "2.5", "2.5", "4"]
