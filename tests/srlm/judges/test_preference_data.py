"""Labelled pairs out of the files of several tools."""

import gzip
import json
from collections import Counter

import pytest

from helpers.paths import SHARED_DATA
from srlm.errors import DataError
from srlm.judges.preference_data import labelled_matches, load_labelled
from srlm.types import Message, RankedAnswer, RankedPrompt

LLMBAR = SHARED_DATA / "llmbar"

PAIR = {"prompt": "Say it.", "chosen": "It.", "rejected": "No."}
BAR = {"input": "Say it.", "output_1": "No.", "output_2": "It.", "label": 2}
RANKED = {
    "id": "mine",
    "instruction": "Say it.",
    "answers": [{"text": "No.", "rank": 2}, {"text": "It.", "rank": 0}, {"text": "Hm.", "rank": 1}],
}


def ranked(count=12, answers=3):
    return [
        RankedPrompt(f"q{i}", f"Question {i}?", tuple(RankedAnswer(f"q{i} rank {r}", r) for r in range(answers)))
        for i in range(count)
    ]


def rank_of(text):
    return int(text.split()[2])


def write(path, records):
    """As the name says: a JSON array, or a record a line, plain or gzip."""
    text = json.dumps(records) if ".jsonl" not in path.name else "\n".join(map(json.dumps, records)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def texts(labelled):
    return {(match.instruction, match.first.text, match.second.text) for _, match in labelled.matches(None)}


def test_pairs_are_spread_better_first_and_reproducible():
    prompts = ranked(count=4, answers=4)
    found = labelled_matches(prompts, 100)
    assert len(found) == 4 * 6
    assert all(rank_of(one.first.text) < rank_of(one.second.text) for one in found)
    assert len({one.id for one in found}) == 24
    assert [one.first.prompt_id for one in found[:8]] == ["q0", "q1", "q2", "q3"] * 2
    assert labelled_matches(prompts, 7) == found[:7]
    assert labelled_matches(prompts, 0) == []


def test_answers_of_equal_rank_are_no_pair():
    prompt = RankedPrompt("q", "Q?", tuple(RankedAnswer(text, rank) for text, rank in [("a", 0), ("b", 1), ("c", 1)]))
    found = labelled_matches([prompt], 10)
    assert sorted((one.first.text, one.second.text) for one in found) == [("a", "b"), ("a", "c")]
    assert labelled_matches([], 10) == []


def test_our_own_are_the_default_and_only_those_held_out():
    found = load_labelled()
    assert found.name == "embedded"
    (prompts,) = found.subsets.values()
    assert len(prompts) == 30
    assert {prompt.split for prompt in prompts} == {"validation"}


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.json.gz", "x.jsonl.gz"])
@pytest.mark.parametrize("record", [PAIR, BAR])
def test_each_kind_of_record_in_each_kind_of_file(tmp_path, name, record):
    found = load_labelled(write(tmp_path / name, [record]))
    assert texts(found) == {("Say it.", "It.", "No.")}
    assert (found.name, list(found.subsets)) == ("x", ["x"])


def test_the_label_says_which_output_is_better(tmp_path):
    found = load_labelled(write(tmp_path / "x.json", [{**BAR, "label": 1}]))
    assert texts(found) == {("Say it.", "No.", "It.")}


def test_ranked_answers_give_all_their_pairs(tmp_path):
    found = load_labelled(write(tmp_path / "x.jsonl", [RANKED]))
    assert {(better, worse) for _, better, worse in texts(found)} == {("It.", "Hm."), ("It.", "No."), ("Hm.", "No.")}


def test_where_some_are_held_out_only_those_are_taken(tmp_path):
    records = [{**RANKED, "instruction": split, "split": split} for split in ("train", "validation")]
    assert {one for one, _, _ in texts(load_labelled(write(tmp_path / "x.jsonl", records)))} == {"validation"}
    assert {one for one, _, _ in texts(load_labelled(write(tmp_path / "y.jsonl", records[:1])))} == {"train"}


def test_records_with_one_id_stay_apart(tmp_path):
    found = load_labelled(write(tmp_path / "x.jsonl", [RANKED, {**RANKED, "instruction": "Other."}]))
    assert len({match.id for _, match in found.matches(None)}) == 6


def test_a_folder_has_a_subset_a_file_and_a_limit_is_spread_over_them(tmp_path):
    for name in ("b.json", "a.json"):
        write(tmp_path / name, [{**PAIR, "prompt": f"{name} {i}"} for i in range(5)])
    (tmp_path / "README.md").write_text("no data", encoding="utf-8")
    found = load_labelled(tmp_path)
    assert list(found.subsets) == ["a", "b"]
    assert Counter(subset for subset, _ in found.matches(4)) == {"a": 2, "b": 2}
    assert len(found.matches(None)) == 10
    assert len({match.first.id for _, match in found.matches(None)}) == 10


def test_the_digest_tells_sets_of_one_name_apart(tmp_path):
    one = load_labelled(write(tmp_path / "x.json", [PAIR]))
    assert load_labelled(write(tmp_path / "x.json", [PAIR])).digest == one.digest
    assert load_labelled(write(tmp_path / "x.json", [{**PAIR, "chosen": "Other."}])).digest != one.digest
    swapped = {"prompt": "Say it.", "chosen": "No.", "rejected": "It."}
    assert load_labelled(write(tmp_path / "x.json", [swapped])).digest != one.digest


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({**BAR, "label": 3}, "label must be 1 or 2"),
        ({**BAR, "label": True}, "label must be 1 or 2"),
        ({**BAR, "label": "1"}, "label must be 1 or 2"),
        ({"input": "x", "output_1": "a", "label": 1}, "output_2 is missing"),
        ({**PAIR, "rejected": "It."}, "the same text"),
        ({"chosen": "a", "rejected": "b"}, "prompt is missing"),
        ({**PAIR, "chosen": ["It."]}, "chosen must be text or messages"),
        ({**RANKED, "answers": RANKED["answers"][:1]}, "at least two answers"),
        ({**RANKED, "answers": [{"text": "x"}]}, "answers.0.rank"),
        ({"question": "x"}, "is not a labelled pair"),
        ([1], "a JSON object is expected, not a list"),
    ],
)
def test_a_record_that_is_no_pair_is_named(tmp_path, record, words):
    with pytest.raises(DataError, match=words) as error:
        load_labelled(write(tmp_path / "x.jsonl", [PAIR, record]))
    assert "x.jsonl, line 2" in str(error.value)
    with pytest.raises(DataError, match=words) as error:
        load_labelled(write(tmp_path / "x.json", [PAIR, record]))
    assert "x.json: record 2" in str(error.value)


def test_a_folder_without_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no file of labelled pairs"):
        load_labelled(tmp_path)


@pytest.mark.skipif(not LLMBAR.is_dir(), reason="LLMBar is not here (princeton-nlp/LLMBar, Dataset/LLMBar)")
def test_llmbar_as_published():
    found = load_labelled(LLMBAR)
    assert {name: len(one) for name, one in found.subsets.items()} == {
        "Natural": 100,
        "Adversarial_Neighbor": 134,
        "Adversarial_Manual": 46,
    }
    assert len(found.matches(None)) == 280
    assert Counter(subset for subset, _ in found.matches(30)) == dict.fromkeys(found.subsets, 10)
    first = json.loads((LLMBAR / "Natural.json").read_text(encoding="utf-8"))[0]
    match = next(match for subset, match in found.matches(None) if subset == "Natural")
    assert match.instruction == first["input"]
    assert match.first.text == first[f"output_{first['label']}"]


# --- files of strangers -----------------------------------------------------------------------------------------------


def said(role, text):
    return {"role": role, "content": text}


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Q?", "chosen": [said("user", "Q?"), said("assistant", "A")], "rejected": [said("assistant", "B")]},
        {"prompt": [said("user", "Q?")], "chosen": [said("assistant", "A")], "rejected": [said("assistant", "B")]},
        {
            "chosen": [said("user", "Q?"), said("assistant", "A")],
            "rejected": [said("user", "Q?"), said("assistant", "B")],
        },
        {"prompt": [said("user", [{"type": "text", "text": "Q?"}])], "chosen": "A", "rejected": "B"},
    ],
)
def test_pairs_of_messages_are_read(tmp_path, record):
    assert texts(load_labelled(write(tmp_path / "x.jsonl", [record]))) == {("Q?", "A", "B")}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"prompt": [said("user", "Q?"), said("user", "R?")], "chosen": "A", "rejected": "B"}, "out of order"),
        (
            {
                "chosen": [said("user", "Q?"), said("assistant", "A")],
                "rejected": [said("user", "R?"), said("assistant", "B")],
            },
            "answer different prompts",
        ),
        (
            {"prompt": "Q?", "chosen": [said("user", "Q?")], "rejected": "B"},
            "last message of chosen must be the assist",
        ),
        ({"prompt": "Q?", "chosen": [said("tool", "Q?")], "rejected": "B"}, "the role 'tool' in chosen"),
        ({"prompt": "Q?", "chosen": [said("assistant", None)], "rejected": "B"}, "must be text, not null"),
        ({"prompt": "Q?", "chosen": [], "rejected": "B"}, "chosen is an empty list"),
        ({"chosen": "Q? A", "rejected": "Q? B"}, "pairs without a prompt"),
        ({"prompt": "Q?", "completion": "A", "label": True}, "unpaired preferences"),
        (
            {"instruction": "Q?", "answers": [{"text": "a", "rank": float("nan")}, {"text": "b", "rank": 1}]},
            "a rank must",
        ),
    ],
)
def test_messages_that_are_no_pair_are_named(tmp_path, record, words):
    with pytest.raises(DataError, match=rf"line 1: .*{words}"):
        load_labelled(write(tmp_path / "x.jsonl", [record]))


BEFORE = [said("system", "Be brief."), said("user", "Q?"), said("assistant", "A")]


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": [*BEFORE, said("user", "R?")], "chosen": "B", "rejected": [said("assistant", "C")]},
        {
            "chosen": [*BEFORE, said("user", "R?"), said("assistant", "B")],
            "rejected": [*BEFORE, said("user", "R?"), said("assistant", "C")],
        },
        {
            "prompt": "R?",  # UltraFeedback and RewardBench repeat the prompt in front of the messages
            "context": BEFORE,
            "chosen": [said("user", "R?"), said("assistant", "B")],
            "rejected": [said("user", "R?"), said("assistant", "C")],
        },
        {
            "instruction": "R?",
            "context": BEFORE,
            "answers": [{"text": "B", "rank": 0}, {"text": "C", "rank": 1}],
        },
    ],
)
def test_pairs_of_a_conversation_are_judged_with_it(tmp_path, record):
    found = load_labelled(write(tmp_path / "x.jsonl", [record]))
    ((_, match),) = found.matches(None)
    assert (match.instruction, match.first.text, match.second.text) == ("R?", "B", "C")
    assert match.context == tuple(Message(**one) for one in BEFORE)
    alone = {"prompt": "R?", "chosen": "B", "rejected": "C"}
    assert found.digest != load_labelled(write(tmp_path / "y.jsonl", [alone])).digest


def test_mean_ranks_of_ties_are_read(tmp_path):
    answers = [{"text": name, "rank": rank} for name, rank in (("a", 1.0), ("b", 2.5), ("c", 2.5), ("d", 4))]
    found = load_labelled(write(tmp_path / "x.jsonl", [{"instruction": "Q?", "answers": answers}]))
    assert len(found.matches(None)) == 5
    whole = [answer | {"rank": int(answer["rank"])} for answer in answers[:2]]
    one = load_labelled(write(tmp_path / "y.jsonl", [{"instruction": "Q?", "answers": whole}])).digest
    as_floats = [answer | {"rank": float(answer["rank"])} for answer in whole]
    assert load_labelled(write(tmp_path / "y.jsonl", [{"instruction": "Q?", "answers": as_floats}])).digest == one


def test_files_of_a_folder_that_hold_no_pairs_are_passed_over_with_a_word(tmp_path):
    write(tmp_path / "x.jsonl", [PAIR])
    (tmp_path / "._x.jsonl").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "dataset_info.json").write_text('{"builder_name": "json"}')
    found = load_labelled(tmp_path)
    assert [*found.subsets] == ["x"]
    assert found.skipped_message == "Skipped files without labelled pairs: ._x.jsonl, dataset_info.json."
    (tmp_path / "x.jsonl").unlink()
    with pytest.raises(DataError, match=r"has no file of labelled pairs .*; it has \._x\.jsonl, dataset_info"):
        load_labelled(tmp_path)
