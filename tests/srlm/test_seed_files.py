"""Seed files in the usual forms: what each becomes, and what is refused with its line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.errors import DataError
from srlm.seed_data import load_seeds
from srlm.types import Message

SYSTEM, FIRST, REPLY = Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello.")


def said(role, text):
    return {"role": role, "content": text}


def spoken(who, text):
    return {"from": who, "value": text}


def write(path, rows):
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


def load(tmp_path, *rows, name="mine.jsonl"):
    return load_seeds(write(tmp_path / name, rows))


DEMONSTRATIONS = {
    "ours": {"instruction": "Add 1, 2.", "response": "3"},
    "ours with a context": {"instruction": "Add 1, 2.", "response": "3", "context": [said("system", "Be brief.")]},
    "alpaca": {"instruction": "Add 1, 2.", "input": "", "output": "3"},
    "alpaca with an input": {"instruction": "Add", "input": "1, 2.", "output": "3"},
    "alpaca with system and history": {
        "instruction": "Add 1, 2.",
        "output": "3",
        "system": "Be brief.",
        "history": [["Hi.", "Hello."]],
    },
    "dolly": {"instruction": "Add", "context": "1, 2.", "response": "3", "category": "open_qa"},
    "orca": {"system_prompt": "Be brief.", "question": "Add 1, 2.", "response": "3"},
    "prompt and completion": {"prompt": "Add 1, 2.", "completion": "3"},
    "prompt and completion as messages": {
        "prompt": [said("system", "Be brief."), said("user", "Add 1, 2.")],
        "completion": [said("assistant", "3")],
    },
    "messages": {"messages": [said("user", "Add 1, 2."), said("assistant", "3")]},
    "messages with a system message": {
        "messages": [said("system", "Be brief."), said("user", "Add 1, 2."), said("assistant", "3")]
    },
    "messages of two turns": {
        "messages": [
            said("user", "Hi."),
            said("assistant", "Hello."),
            said("user", "Add 1, 2."),
            said("assistant", "3"),
        ]
    },
    "sharegpt": {"id": "s1", "conversations": [spoken("human", "Add 1, 2."), spoken("gpt", "3")]},
    "sharegpt with a system message and two turns": {
        "system": "Be brief.",
        "conversations": [
            spoken("human", "Hi."),
            spoken("gpt", "Hello."),
            spoken("human", "Add 1, 2."),
            spoken("gpt", "3"),
        ],
    },
}
CONTEXTS = {
    "ours with a context": (SYSTEM,),
    "alpaca with system and history": (SYSTEM, FIRST, REPLY),
    "orca": (SYSTEM,),
    "prompt and completion as messages": (SYSTEM,),
    "messages with a system message": (SYSTEM,),
    "messages of two turns": (FIRST, REPLY),
    "sharegpt with a system message and two turns": (SYSTEM, FIRST, REPLY),
}

HH = "\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: Add 1, 2.\n\nAssistant:"
TWO_TURNS = [said("user", "Hi."), said("assistant", "Hello."), said("user", "Add 1, 2.")]
PAIRS = {
    "trl": ({"prompt": "Add 1, 2.", "chosen": "3", "rejected": "4"}, ()),
    "trl, messages": (
        {
            "prompt": [said("system", "Be brief."), said("user", "Add 1, 2.")],
            "chosen": [said("assistant", "3")],
            "rejected": [said("assistant", "4")],
        },
        (SYSTEM,),
    ),
    "trl, the prompt in the messages": (
        {"chosen": [*TWO_TURNS, said("assistant", "3")], "rejected": [*TWO_TURNS, said("assistant", "4")]},
        (FIRST, REPLY),
    ),
    "ultrafeedback binarized": (
        {
            "prompt": "Add 1, 2.",
            "prompt_id": "abc",
            "messages": [said("user", "Add 1, 2."), said("assistant", "3")],
            "chosen": [said("user", "Add 1, 2."), said("assistant", "3")],
            "rejected": [said("user", "Add 1, 2."), said("assistant", "4")],
            "score_chosen": 8.0,
            "score_rejected": 4.5,
        },
        (),
    ),
    "hh": ({"chosen": f"{HH} 3", "rejected": f"{HH} 4"}, (FIRST, REPLY)),
    "orca": ({"system": "Be brief.", "question": "Add 1, 2.", "chosen": "3", "rejected": "4"}, (SYSTEM,)),
    "alpaca": ({"instruction": "Add 1, 2.", "input": "", "chosen": "3", "rejected": "4"}, ()),
    "sharegpt": (
        {
            "conversations": [spoken("human", "Hi."), spoken("gpt", "Hello."), spoken("human", "Add 1, 2.")],
            "chosen": spoken("gpt", "3"),
            "rejected": spoken("gpt", "4"),
        },
        (FIRST, REPLY),
    ),
    "llmbar": ({"input": "Add 1, 2.", "output_1": "4", "output_2": "3", "label": 2}, ()),
    "ours": ({"instruction": "Add 1, 2.", "answers": [{"text": "3", "rank": 0}, {"text": "4", "rank": 1}]}, ()),
}


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.json", "mine.jsonl.gz"])
@pytest.mark.parametrize("form", DEMONSTRATIONS)
def test_a_demonstration_in_each_form(tmp_path, form, name):
    found = load(tmp_path, DEMONSTRATIONS[form], name=name)
    (one,) = found.ift
    assert " ".join(one.instruction.split()) == "Add 1, 2."
    assert (one.response, one.context) == ("3", CONTEXTS.get(form, ()))
    assert one.id == ("s1" if form == "sharegpt" else "ift-0001")
    assert (found.eft, found.validation) == ((), ())


@pytest.mark.parametrize("form", PAIRS)
def test_a_pair_in_each_form_is_two_ranks(tmp_path, form):
    row, context = PAIRS[form]
    found = load(tmp_path, {**row, "split": "validation"})
    (one,) = found.validation
    assert (one.instruction, one.context) == ("Add 1, 2.", context)
    assert [(answer.text, answer.rank) for answer in one.answers] == [("3", 0), ("4", 1)]
    assert (one.id, found.ift) == ("eft-0001", ())
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "eft.jsonl", [{**row, "split": "validation"}])
    write(folder / "ift.jsonl", [DEMONSTRATIONS["alpaca"]])
    assert load_seeds(str(folder)).validation == (one,)


def test_a_file_may_have_both_kinds(tmp_path):
    found = load(tmp_path, *DEMONSTRATIONS.values(), *(row for row, _ in PAIRS.values()))
    assert len(found.ift) == len(DEMONSTRATIONS)
    assert len(found.eft) + len(found.validation) == len(PAIRS)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_tables_are_read(tmp_path, suffix):
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"Say {n}, twice.", "chosen": f"{n} {n}", "rejected": f'"{n}"'} for n in range(40)]
    table = datasets.Dataset.from_list(rows)
    path = str(tmp_path / f"pairs.{suffix}")
    if suffix == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    found = load_seeds(path)
    every = {one.instruction: one for one in (*found.eft, *found.validation)}
    assert len(every) == len(rows)
    assert [answer.text for answer in every["Say 7, twice."].answers] == ["7 7", '"7"']


def test_nested_records_of_parquet_are_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    row, context = PAIRS["trl, messages"]
    datasets.Dataset.from_list([{**row, "split": "validation"}]).to_parquet(str(tmp_path / "x.parquet"))
    (one,) = load_seeds(str(tmp_path / "x.parquet")).validation
    assert (one.instruction, one.context) == ("Add 1, 2.", context)


def test_a_data_set_of_the_hub_is_read_like_a_file(monkeypatch):
    datasets = pytest.importorskip("datasets")
    row, context = PAIRS["trl, messages"]
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return datasets.Dataset.from_list([{**row, "split": "validation", "picture": b""}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (one,) = load_seeds("hf:OWNER/NAME:test_prefs").validation
    assert (one.instruction, one.context, asked) == ("Add 1, 2.", context, [("OWNER/NAME", "test_prefs")])


def test_all_pairs_of_a_prompt_are_on_one_side(tmp_path):
    rows = [
        {"prompt": f"Question {n}?", "chosen": f"good {k}", "rejected": f"bad {k}"} for n in range(60) for k in range(3)
    ]
    found = load(tmp_path, *rows)
    sides = [{one.instruction for one in part} for part in (found.eft, found.validation)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert len(found.eft) + len(found.validation) == len(rows)


def test_pairs_of_equal_answers_are_left_out_and_counted(tmp_path):
    row, _ = PAIRS["trl"]
    found = load(tmp_path, row, {**row, "rejected": "3"}, {**row, "split": "validation"})
    assert (len(found.eft) + len(found.validation), found.equal_pairs) == (2, 1)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("seeds")


@given(
    st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=4),
    st.none() | st.text(min_size=1),
)
def test_every_turn_of_a_conversation_is_somewhere(scratch, exchanges, system):
    turns = [said(role, text) for pair in exchanges for role, text in zip(("user", "assistant"), pair, strict=True)]
    messages = [*([said("system", system)] if system else []), *turns]
    blank = any(not turn["content"].strip() for turn in turns[:-1])
    try:
        (one,) = load(scratch, {"messages": messages}).ift
    except DataError as error:
        assert blank
        assert "has no text" in str(error)
        return
    assert not blank
    kept = [turn for turn in messages if turn["content"].strip() or turn["role"] != "system"]
    assert [said(turn.role, turn.content) for turn in one.context] == kept[:-2]
    assert (one.instruction, one.response) == (messages[-2]["content"], messages[-1]["content"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "..."}, "is neither a demonstration .* nor ranked answers .*; it has text"),
        ({"prompt": "Write."}, r"Prompts without answers are no seeds: give them as instructions\.source"),
        ({"instruction": "q", "completions": []}, "looks like UltraFeedback"),
        ({"message_tree_id": "1", "text": "a"}, "give it as oasst:FILE"),
        ({"prompt": "q", "chosen": "a"}, "the field rejected is missing; it has chosen, prompt"),
        ({"instruction": "q", "output": 3}, "the field output must be text, not a number"),
        ({"output": "3"}, "the field instruction or prompt or question is missing"),
        ({"messages": [said("user", "q")]}, "the last message of messages must be the assistant's; it is the user's"),
        (
            {"messages": [said("system", "s"), said("user", "q"), said("assistant", "a")], "system": "t"},
            "has a system message in its messages and in the field system",
        ),
        ({"messages": [said("assistant", "a"), said("assistant", "b")]}, "out of order"),
        ({"conversations": [spoken("human", "q"), spoken("tool", "x")]}, "the role 'tool' in conversations is none of"),
        ({"chosen": f"{HH} 3", "rejected": "\n\nHuman: Other.\n\nAssistant: 4"}, "answer different prompts"),
        ({"chosen": f"{HH} 3\n\nHuman: More.", "rejected": f"{HH} 4"}, "the last turn of chosen must be the assist"),
        ({"chosen": "The sky is blue.", "rejected": "The sky is green."}, "pairs without a prompt"),
        ({"instruction": "q", "output": "a", "history": "Hi."}, "history must be a list of pairs of texts"),
        ({**PAIRS["trl"][0], "split": "test"}, "The part held out from training is called validation"),
        ({"instruction": "q", "response": "a", "schema": 99}, "newer version of srlm"),
        ([1], "a JSON object is expected, not a list"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_record_is_named_with_its_line(tmp_path, row, words):
    with pytest.raises(DataError, match=rf"mine\.jsonl, line 3: .*{words}"):
        load(tmp_path, DEMONSTRATIONS["alpaca"], PAIRS["trl"][0], row)


def test_an_id_that_comes_twice_is_refused(tmp_path):
    row = DEMONSTRATIONS["sharegpt"]
    with pytest.raises(DataError, match="line 2: has the id 's1' of line 1 again"):
        load(tmp_path, row, row)


def test_a_folder_that_lacks_a_file_says_how_to_give_one_alone(tmp_path):
    write(tmp_path / "ift.jsonl", [DEMONSTRATIONS["alpaca"]])
    with pytest.raises(DataError, match=r"eft\.jsonl: there is no such file\. .* given by its own path"):
        load_seeds(str(tmp_path))
