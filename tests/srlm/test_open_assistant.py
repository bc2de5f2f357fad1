"""Open Assistant's messages, trees and folders as demonstrations and ranked prompts."""

import gzip
import json

import pytest

from helpers.paths import SHARED_DATA
from srlm.errors import DataError
from srlm.seed_data import load_seeds
from srlm.types import Demonstration

OASST = SHARED_DATA / "oasst2"


def message(name, text, parent=None, **others):
    role = "assistant" if parent else "prompter"
    return {
        "message_id": name,
        "parent_id": parent,
        "role": role,
        "text": text,
        "lang": "en",
        "deleted": False,
    } | others


def tree(name, ranks, **others):
    replies = [message(f"{name}-{i}", f"{name} reply of rank {rank}", name, rank=rank) for i, rank in enumerate(ranks)]
    return [message(name, f"Question {name}?", rank=None, **others), *replies]


def forest(size):
    return [row for i in range(size) for row in tree(f"t{i}", (0, 1))]


def messages_file(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return f"oasst:{path}"


@pytest.mark.parametrize("name", ["messages.jsonl", "messages.jsonl.gz"])
def test_messages_become_demonstrations_and_ranked_prompts(tmp_path, name):
    rows = [row for i in range(60) for row in tree(f"t{i}", (1, 0, 2))]
    rows += [message("deep", "and then?", "t0-0", role="prompter"), message("deep-a", "well", "deep", rank=0)]
    found = load_seeds(messages_file(tmp_path / name, rows))
    both = (*found.eft, *found.validation)
    assert len(found.ift) + len(both) == 60
    assert len(found.ift) > len(both) > len(found.validation) > 0
    assert not {one.instruction for one in found.ift} & {one.instruction for one in both}
    for one in found.ift:
        assert one.response == f"{one.id} reply of rank 0"
    for one in both:
        assert [answer.rank for answer in one.answers] == [0, 1, 2]
        assert [answer.text for answer in one.answers] == [f"{one.id} reply of rank {rank}" for rank in range(3)]


def test_replies_may_stand_before_their_question(tmp_path):
    rows = forest(20)
    one = load_seeds(messages_file(tmp_path / "a.jsonl", rows))
    two = load_seeds(messages_file(tmp_path / "b.jsonl", list(reversed(rows))))
    assert sorted(one.ift, key=str) == sorted(two.ift, key=str)
    assert sorted(one.eft, key=str) == sorted(two.eft, key=str)


def test_what_cannot_be_used_is_left_out(tmp_path):
    good = forest(20)
    rows = [
        *good,
        *tree("german", (0, 1), lang="de"),
        *tree("deleted", (0, 1), deleted=True),
        message("lonely", "No reply?"),
        *tree("unranked", (None, None)),
        *tree("no-best", (1,)),
        *tree("kept", (0,)),
    ]
    found = load_seeds(messages_file(tmp_path / "m.jsonl", rows))
    assert found.ift[-1] == Demonstration("kept", "Question kept?", "kept reply of rank 0")
    used = {one.id for one in (*found.ift, *found.eft, *found.validation)}
    assert used == {"kept"} | {row["message_id"] for row in good if row["role"] == "prompter"}


def test_a_broken_line_of_messages_is_named(tmp_path):
    place = messages_file(tmp_path / "m.jsonl", tree("a", (0, 1)))
    with (tmp_path / "m.jsonl").open("a") as file:
        file.write("{\n")
    with pytest.raises(DataError, match=r"m\.jsonl, line 4: not JSON"):
        load_seeds(place)
    (tmp_path / "m.jsonl").write_text("[1]\n")
    with pytest.raises(DataError, match=r"m\.jsonl: record 1: not a record of Open Assistant: "):
        load_seeds(place)


# Open-Assistant's exporter (backend/oasst_backend/utils/tree_export.py) writes with exclude_none=True.
def test_messages_as_published_have_no_parent_id_at_their_root(tmp_path):
    rows = [{key: value for key, value in row.items() if value is not None} for row in forest(20)]
    assert all("parent_id" not in row for row in rows if row["role"] == "prompter")
    found = load_seeds(messages_file(tmp_path / "m.jsonl", rows))
    assert found == load_seeds(messages_file(tmp_path / "with-nulls.jsonl", forest(20)))
    assert len(found.ift) + len(found.eft) + len(found.validation) == 20


def test_rows_that_are_no_messages_are_refused(tmp_path):
    with pytest.raises(DataError):
        load_seeds(messages_file(tmp_path / "trees.jsonl", [{"message_tree_id": "a", "lang": "en", "prompt": {}}]))


@pytest.mark.parametrize("rows", [[], tree("german", (0, 1), lang="de")])
def test_a_file_without_a_usable_message_is_refused(tmp_path, rows):
    with pytest.raises(DataError, match=r"m\.jsonl: has 0 demonstrations and 0 ranked prompts; both are needed"):
        load_seeds(messages_file(tmp_path / "m.jsonl", rows))


def test_a_file_that_gives_nothing_to_rank_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"m\.jsonl: has 1 demonstrations and 0 ranked prompts; both are needed"):
        load_seeds(messages_file(tmp_path / "m.jsonl", tree("a", (0,))))


def oasst_folder(path):
    files = {
        "instructions": [
            {"prompt_id": "a", "prompt": "A?", "response": "yes"},
            {"prompt_id": "r", "prompt": "R?", "response": "also ranked"},
        ],
        "ranked_train": [
            {"prompt_id": "r", "prompt": "R?", "responses": [{"text": "x", "rank": 0}, {"text": "y", "rank": 1}]}
        ],
        "ranked_validation": [
            {"prompt_id": 7, "prompt": "V?", "responses": [{"text": f"x{rank}", "rank": rank} for rank in range(3)]}
        ],
    }
    for name, rows in files.items():
        (path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_folder_of_instructions_and_ranks(tmp_path):
    found = load_seeds(f"oasst:{oasst_folder(tmp_path)}")
    assert found.ift == (Demonstration("a", "A?", "yes"),)
    assert [(one.id, one.split, len(one.answers)) for one in (*found.eft, *found.validation)] == [
        ("r", "train", 2),
        ("7", "validation", 3),
    ]


def test_a_packed_file_goes_before_a_plain_one_and_a_missing_one_is_named(tmp_path):
    oasst_folder(tmp_path)
    row = {"prompt_id": "z", "prompt": "Z?", "response": "packed"}
    (tmp_path / "instructions.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    assert [one.id for one in load_seeds(f"oasst:{tmp_path}").ift] == ["z"]
    (tmp_path / "ranked_train.jsonl").unlink()
    with pytest.raises(DataError, match=r"ranked_train\.jsonl: there is no such file"):
        load_seeds(f"oasst:{tmp_path}")


@pytest.mark.parametrize("name", ["instructions", "ranked_train"])
def test_a_row_of_the_folder_without_its_keys_is_refused(tmp_path, name):
    (oasst_folder(tmp_path) / f"{name}.jsonl").write_text('{"prompt_id": "a", "text": "A?"}\n')
    with pytest.raises(DataError, match=rf"{name}\.jsonl, line 1"):
        load_seeds(f"oasst:{tmp_path}")


def test_a_row_of_the_folder_that_ranks_nothing_is_refused(tmp_path):
    row = {"prompt_id": "r", "prompt": "R?", "responses": [{"text": "x", "rank": 0}]}
    (oasst_folder(tmp_path) / "ranked_train.jsonl").write_text(f"\n{json.dumps(row)}\n")
    with pytest.raises(DataError, match=r"ranked_train\.jsonl, line 2: .*at least two answers of different rank"):
        load_seeds(f"oasst:{tmp_path}")


@pytest.mark.skipif(not OASST.is_dir(), reason=f"needs the shared Open Assistant data in {OASST}")
def test_the_shared_open_assistant_data():
    found = load_seeds(f"oasst:{OASST}")
    assert (len(found.ift), len(found.eft), len(found.validation)) == (480, 411, 140)
    both = (*found.eft, *found.validation)
    assert not {one.instruction for one in found.ift} & {one.instruction for one in both}
    assert not {one.instruction for one in found.eft} & {one.instruction for one in found.validation}
    assert all(len({answer.rank for answer in one.answers}) > 1 for one in both)
    assert all(min(answer.rank for answer in one.answers) == 0 for one in both)


def test_trees_of_open_assistant_are_the_same_as_their_messages(tmp_path):
    rows = forest(20)
    trees = [
        {"message_tree_id": one["message_id"], "prompt": one | {"replies": rows[place + 1 : place + 3]}}
        for place, one in enumerate(rows)
        if one["role"] == "prompter"
    ]
    found = load_seeds(messages_file(tmp_path / "m.jsonl", rows))
    assert load_seeds(messages_file(tmp_path / "trees.jsonl", trees)) == found
    (tmp_path / "array.json").write_text(json.dumps(rows), encoding="utf-16")
    assert load_seeds(f"oasst:{tmp_path / 'array.json'}") == found


def test_numbers_as_pandas_has_them_are_read(tmp_path):
    rows = [one | {"rank": float("nan") if one["rank"] is None else float(one["rank"])} for one in forest(20)]
    assert load_seeds(messages_file(tmp_path / "m.jsonl", rows)) == load_seeds(
        messages_file(tmp_path / "n.jsonl", forest(20))
    )


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"text": None}, "the field text must be text, not null"),
        ({"message_id": None}, "the field message_id must be text, not null"),
        ({"rank": float("inf")}, "the field rank must be a number"),
        ({"rank": 10**400}, "the field rank must be a number"),
        ({"rank": True}, "the field rank must be a number"),
        ({"message_id": "t0"}, "has the message_id of line 1 again"),
    ],
)
def test_a_message_that_is_wrong_is_named(tmp_path, odd, words):
    rows = forest(3)
    with pytest.raises(DataError, match=rf"line 3: {words}"):
        load_seeds(messages_file(tmp_path / "m.jsonl", [*rows[:2], rows[2] | odd, *rows[3:]]))
