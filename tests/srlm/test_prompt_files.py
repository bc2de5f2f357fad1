"""Prompts of the user's own: every form of a record and of a file, and what is refused with its position."""

import gzip
import hashlib
import importlib
import json
import string
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.paths import SHARED_DATA
from srlm.errors import DataError, MissingDependency
from srlm.jsonl import parse_lines, write_records
from srlm.prompt_files import NOT_READ, file_digest, is_prompt_source, read_prompts
from srlm.types import Message, Prompt

TEXTS = st.text(min_size=1).filter(str.strip)
SYSTEM = Message("system", "Be brief.")
BEFORE = (Message("user", "Name a river."), Message("assistant", "The Elbe."))
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Elbe."},
    {"role": "user", "content": "Another one."},
]
SHAREGPT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "Name a river."},
    {"from": "gpt", "value": "The Elbe."},
    {"from": "human", "value": "Another one."},
]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def asked(source):
    return [(one.context, one.instruction) for one in read_prompts(source).prompts]


FORMS = {
    "prompt": ({"prompt": "Name a river."}, (), "Name a river."),
    "instruction, as AlpacaEval has it": (
        {"dataset": "koala", "instruction": "Name a river.", "output": "The Elbe.", "generator": "m"},
        (),
        "Name a river.",
    ),
    "question": ({"question": "Name a river?", "answer": "The Elbe."}, (), "Name a river?"),
    "input": ({"instruction": "Translate.", "input": "Fluss", "output": "river"}, (), "Translate.\n\nFluss"),
    "an empty input": ({"instruction": "Name a river.", "input": "", "output": "x"}, (), "Name a river."),
    "null beside it": ({"prompt": None, "instruction": "Name a river.", "input": None}, (), "Name a river."),
    "UltraFeedback": (
        {"source": "evol", "instruction": "Name a river.", "models": ["a"], "completions": [{"response": "The Elbe."}]},
        (),
        "Name a river.",
    ),
    "UltraFeedback binarized": (
        {
            "prompt": "Name a river.",
            "prompt_id": "ab",
            "chosen": [*CHAT[1:3]],
            "rejected": [*CHAT[1:3]],
            "messages": CHAT[1:3],
            "score_chosen": 9.0,
        },
        (),
        "Name a river.",
    ),
    "messages": ({"messages": CHAT}, (SYSTEM, *BEFORE), "Another one."),
    "messages with the answer": (
        {"messages": [*CHAT, {"role": "assistant", "content": "The Rhine."}]},
        (SYSTEM, *BEFORE),
        "Another one.",
    ),
    "messages of parts": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Go."}]}]}, (), "Go."),
    "messages before a prompt of the same record": ({"prompt": "first", "messages": CHAT[1:]}, BEFORE, "Another one."),
    "TRL's prompt": ({"prompt": CHAT, "chosen": [], "rejected": []}, (SYSTEM, *BEFORE), "Another one."),
    "ShareGPT": (
        {"id": "x", "conversations": [*SHAREGPT, {"from": "gpt", "value": "The Rhine."}]},
        (SYSTEM, *BEFORE),
        "Another one.",
    ),
    "a system field": ({"system": "Be brief.", "conversations": SHAREGPT[1:]}, (SYSTEM, *BEFORE), "Another one."),
    "OpenOrca": (
        {"system_prompt": "Be brief.", "question": "Name a river.", "response": "x"},
        (SYSTEM,),
        "Name a river.",
    ),
    "an empty system field": ({"system": "", "prompt": "Name a river."}, (), "Name a river."),
    "history": ({"instruction": "Another one.", "history": [["Name a river.", "The Elbe."]]}, BEFORE, "Another one."),
    "MT-Bench": ({"question_id": 81, "turns": ["Name a river.", "Another one."]}, (), "Name a river."),
}


@pytest.mark.parametrize(("row", "context", "instruction"), FORMS.values(), ids=FORMS.keys())
def test_each_form(tmp_path, row, context, instruction):
    assert asked(lines(tmp_path / "p.jsonl", [row])) == [(context, instruction)]


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.none() | TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=2), TEXTS), min_size=1, max_size=5)
)
def test_what_is_written_as_messages_is_read_in_order_and_from_the_run_again(tmp_path_factory, given):
    folder = tmp_path_factory.mktemp("any")
    chats = []
    for system, before, last in given:
        turns = [Message("system", system)] if system else []
        for question, answer in before:
            turns += [Message("user", question), Message("assistant", answer)]
        chats.append([*turns, Message("user", last)])
    rows = [{"messages": [{"role": one.role, "content": one.content} for one in chat]} for chat in chats]
    found = read_prompts(lines(folder / "p.jsonl", rows)).prompts
    assert [(*one.context, Message("user", one.instruction)) for one in found] == [tuple(chat) for chat in chats]
    assert [one.id for one in found] == [f"line-{number}" for number in range(1, len(chats) + 1)]
    write_records(folder / "again.jsonl", found)
    assert parse_lines(folder / "again.jsonl", Prompt) == [*found]


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "prompt",
                        "messages",
                        "conversations",
                        "turns",
                        "role",
                        "content",
                        "from",
                        "value",
                        "system",
                        "history",
                        "context",
                        "input",
                        "message_id",
                        "message_tree_id",
                        "x",
                    ]
                ),
                one,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_ends_in_anything_but_prompts_or_one_message(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "p.jsonl"
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        found = read_prompts(str(path)).prompts
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert all(one.instruction.strip() and one.source == "file" for one in found)


ROWS = [{"prompt": "Ünï one"}, {"prompt": 'two, "quoted"\nover lines'}, {"prompt": "NA"}, {"prompt": "12"}]
WANTED = [row["prompt"] for row in ROWS]
CSV = 'id,prompt\n1,Ünï one\n2,"two, ""quoted""\nover lines"\n3,NA\n4,12\n'


def parquet(path, rows):
    pyarrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("p.json", json.dumps(ROWS, indent=2)),
        ("p.anything", json.dumps(ROWS)),
        ("p.csv", CSV),
        ("p.csv", CSV.replace("\n", "\r\n")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_each_file_format_plain_and_packed(tmp_path, name, content, packed):
    path = tmp_path / (f"{name}.gz" if packed else name)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read_prompts(str(path))
    assert [one.instruction.replace("\r\n", "\n") for one in found.prompts] == WANTED
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == file_digest(str(path))


def test_a_table_with_tabs(tmp_path):
    (tmp_path / "p.tsv").write_text("prompt\tinput\nAdd.\t1, 2\nSubtract.\t\n", encoding="utf-8")
    assert asked(str(tmp_path / "p.tsv")) == [((), "Add.\n\n1, 2"), ((), "Subtract.")]


def test_parquet_by_its_content_with_columns_that_are_not_text(tmp_path):
    rows = [{"messages": CHAT, "prompt": None, "n": 1.5}, {"messages": None, "prompt": "Go.", "n": None}]
    parquet(tmp_path / "p.bin", rows)
    assert asked(str(tmp_path / "p.bin")) == [((SYSTEM, *BEFORE), "Another one."), ((), "Go.")]


def test_every_prompt_says_where_it_is_from(tmp_path):
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    assert [one.origin for one in read_prompts(str(tmp_path / "p.csv")).prompts] == [
        f"p.csv, line {line}" for line in (2, 3, 5, 6)
    ]
    (tmp_path / "p.json").write_text(json.dumps(ROWS), encoding="utf-8")
    assert read_prompts(str(tmp_path / "p.json")).prompts[3].origin == "p.json, record 4"


def message(name, text, parent=None, role=None, **others):
    known = role or ("assistant" if parent else "prompter")
    return {
        "message_id": name,
        "parent_id": parent,
        "role": known,
        "text": text,
        "lang": "en",
        "deleted": False,
    } | others


def nested(one, *replies):
    return {**one, "replies": [*replies]}


MESSAGES = [
    message("a", "Name a river."),
    message("a0", "No.", "a", rank=1),
    message("a1", "The Elbe.", "a", rank=0),
    message("a1b", "Another one.", "a1", "prompter"),
    message("a1bc", "The Rhine.", "a1b", "assistant", rank=None),
    message("b", "Only a question."),
    message("c", "Nenne einen Fluss.", lang="de"),
    message("d", None, deleted=True),
]
TREES = [
    {"message_tree_id": "a", "prompt": nested(MESSAGES[0], MESSAGES[1], nested(MESSAGES[2], nested(*MESSAGES[3:5])))},
    *({"message_tree_id": one["message_id"], "prompt": nested(one)} for one in MESSAGES[5:]),
]


@pytest.mark.parametrize("rows", [MESSAGES, TREES], ids=["messages", "trees"])
def test_open_assistant_along_the_replies_that_people_ranked_best(tmp_path, rows):
    source = lines(tmp_path / "oasst.jsonl", rows)
    assert asked(source) == [(BEFORE, "Another one."), ((), "Only a question.")]
    assert [(one.reason, one.detail) for one in read_prompts(source).refused] == [
        (NOT_READ, "Nenne einen Fluss."),
        (NOT_READ, ""),
    ]


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="needs the published data")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("alpaca_eval/model_outputs/gpt4_1106_preview.json.gz", 805),
        ("mt_bench/question.jsonl", 80),
        ("oasst2/instructions.jsonl.gz", 754),
        ("oasst2/ranked_train.jsonl.gz", 411),
        ("nlp/ifeval.jsonl.gz", 541),
        ("nlp/gsm8k.jsonl.gz", 1319),
    ],
)
def test_published_files(name, count):
    found = read_prompts(str(SHARED_DATA / name)).prompts
    assert len(found) == count
    assert not any(one.context for one in found)


BAD = {
    "no prompt": ({"text": "x"}, "has no prompt: a field prompt.* it has text. It looks like plain text"),
    "nothing": ({}, "it has no field at all"),
    "only null": ({"prompt": None}, "it has no field at all"),
    "empty": ({"prompt": " \n"}, "has no text. Leave out the record"),
    "a number": ({"prompt": 3}, "the field prompt must be text, not a number"),
    "an object": ({"instruction": {"a": 1}}, "the field instruction must be text, not an object"),
    "messages as text": ({"messages": "[]"}, "the field messages must be a list of messages, not text"),
    "no messages": ({"messages": []}, "the field messages is an empty list"),
    "an answer alone": ({"messages": [CHAT[2]]}, "out of order: message 1, the assistant's, is the first"),
    "two of the user": ({"messages": [CHAT[1], CHAT[3]]}, "message 2, the user's, comes after the user's"),
    "an empty turn": ({"messages": [CHAT[1], {"role": "assistant", "content": ""}, CHAT[3]]}, "message 2 .* no text"),
    "a tool": ({"messages": [{"role": "tool", "content": "x"}]}, "the role 'tool' in messages is none of"),
    "a system message alone": ({"messages": CHAT[:1]}, "no message of the user"),
    "turns of a number": ({"turns": 3}, "the field turns must be a list of texts"),
    "no turn": ({"turns": []}, "the field turns must be a list of texts"),
    "a history of texts": ({"prompt": "a", "history": ["b"]}, "history must be a list of pairs"),
    "an empty history": ({"prompt": "a", "history": [["", "b"]]}, "message 1 .* has no text"),
    "an input of a list": ({"prompt": "a", "input": ["b"]}, "the field input must be text"),
}


@pytest.mark.parametrize(("row", "said"), BAD.values(), ids=BAD.keys())
def test_a_record_that_is_no_prompt_is_named_with_its_line(tmp_path, row, said):
    source = lines(tmp_path / "p.jsonl", [{"prompt": "Go."}, row])
    with pytest.raises(DataError, match=rf"p\.jsonl, line 2: .*{said}"):
        read_prompts(source)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.jsonl", b"", "holds no record"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt": ', "line 2: not JSON"),
        ("p.json", b'{"data": [{"prompt": "a"}]}', "line 1: .*holds 1 records. Take them out with: jq"),
        ("p.csv", b"", "is empty: a line with the names of the columns"),
        ("p.csv", b"prompt\n", "has no record"),
        ("p.csv", b"prompt,prompt\na,b\n", "line 1: two columns have the same name"),
        ("p.csv", b"id,prompt\n1,a\n2,b,c\n", "line 3: has 3 cells, and the first line has 2"),
        ("p.csv", b'prompt\n"a" b\n', "line 2: is not CSV"),
        ("p.csv", b'prompt\n"a', "line 2: is not CSV"),
        ("p.csv", b"text\nHello\n", "line 2: has no prompt"),
        ("p.parquet", b"PAR1 and no more", "is a damaged Parquet file"),
        ("p.gz", gzip.compress(b'{"prompt": "a"}', mtime=0)[:-9], "ends in the middle"),
        ("p.jsonl", b"PK\x03\x04", "is a zip archive"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.*{said}"):
        read_prompts(str(tmp_path / name))


def test_parquet_without_a_column_of_prompts(tmp_path):
    parquet(tmp_path / "p.parquet", [{"body": "x"}])
    with pytest.raises(DataError, match=r"none of its columns \(body\) is one of"):
        read_prompts(str(tmp_path / "p.parquet"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_prompts(str(tmp_path / "p.jsonl"))
    with pytest.raises(DataError, match="is a folder"):
        read_prompts(str(tmp_path))


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("p.jsonl", True),
        ("P.JSONL.GZ", True),
        ("data/prompts", True),
        ("./prompts", True),
        ("hf:OWNER/NAME", True),
        ("hf:OWNER/NAME:train_prefs", True),
        ("hf:OWNER/NAME:train[:100]", True),
        ("hf:NAME", False),
        ("hf:", False),
        ("hf:OWNER/NAME:", False),
        ("hf:../etc/passwd", False),
        ("writen", False),
        ("", False),
    ],
)
def test_sources_are_known_by_their_form(source, known):
    assert is_prompt_source(source) is known


# --- the Hub ---


class Table(list):
    """A data set as `datasets` returns it, as far as it is used."""

    @property
    def column_names(self):
        return [*self[0]]

    def select_columns(self, names):
        return Table({name: row[name] for name in names} for row in self)


def hub(monkeypatch, load, splits=()):
    fake = SimpleNamespace(load_dataset=load, get_dataset_split_names=lambda name: [*splits])
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setattr("srlm.optional_deps.importlib.util.find_spec", lambda name: fake)


def test_a_data_set_of_the_hub_and_its_split(monkeypatch):
    calls = []

    def load(name, split):
        calls.append((name, split))
        return Table([{"prompt": f"{split} {number}", "image": b""} for number in range(2)])

    hub(monkeypatch, load)
    found = read_prompts("hf:OWNER/NAME:test")
    assert [(one.instruction, one.origin) for one in found.prompts] == [
        ("test 0", "hf:OWNER/NAME:test, record 1"),
        ("test 1", "hf:OWNER/NAME:test, record 2"),
    ]
    assert found.sha256 == read_prompts("hf:OWNER/NAME:test").sha256 != read_prompts("hf:OWNER/NAME").sha256
    assert calls == [("OWNER/NAME", "test"), ("OWNER/NAME", "test"), ("OWNER/NAME", "train")]


def test_a_split_that_does_not_exist_is_named_with_those_that_do(monkeypatch):
    def load(name, split):
        raise ValueError(f"Unknown split {split}")

    hub(monkeypatch, load, ["train_sft", "train_prefs"])
    said = (
        r"hf:OWNER/NAME: has no split 'train'. Name one of its splits: hf:OWNER/NAME:train_sft, hf:OWNER/NAME:train_p"
    )
    with pytest.raises(DataError, match=said):
        read_prompts("hf:OWNER/NAME")


def test_no_network_and_no_secret(monkeypatch):
    def load(name, split):
        raise ConnectionError("https://user:hf_secret@hub")

    hub(monkeypatch, load)
    with pytest.raises(
        DataError, match=r"cannot be loaded from the Hub .*\(ConnectionError\). Check the name"
    ) as caught:
        read_prompts("hf:OWNER/NAME")
    assert "secret" not in str(caught.value)


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr("srlm.optional_deps.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="Reading a data set from the Hub needs the library datasets"):
        read_prompts("hf:OWNER/NAME")
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingDependency, match="Reading Parquet needs the library pyarrow"):
        read_prompts(str(tmp_path / "p.parquet"))


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_as_csv_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "p.csv"
    path.write_text("prompt,input\n" + text, encoding="utf-8", newline="")
    try:
        read_prompts(str(path))
    except DataError as error:
        assert str(path) in str(error)
