"""Export and import of a ledger: all calls are kept, invalid files refused as a whole, answers never replaced."""

import gzip
import json
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.errors import DataError
from srlm.ledger import Call, Ledger
from srlm.ledger_export import export_calls, import_calls
from srlm.types import Completion, Message, Request, Sampling

ODD = [
    "",
    "\x00",
    "\u2028\u2029\x85\x0b\x0c\r\n",
    "\\u0041 \\",
    '"}\n{"',
    "\ufeff",
    "𐏿🏽‍♀️",
    "e\u0301",
    "\ud7ff\ue000\uffff",
]
texts = st.text() | st.sampled_from(ODD)
counts = st.integers(0, 2**53 - 1)
finite = st.floats(0, allow_nan=False, allow_infinity=False)
choices = st.lists(texts, max_size=3).map(tuple)
requests = st.builds(
    Request,
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=3).map(tuple),
    st.builds(
        Sampling,
        st.floats(0, 2),
        st.floats(0, 1),
        st.integers(1, 10**6),
        st.lists(texts, max_size=2).map(tuple),
    ),
    st.integers(-(2**70), 2**70),
    st.integers(0, 99),
    texts,
    choices,
)
completions = st.builds(
    Completion, texts, st.sampled_from(["stop", "length", "cut"]), counts, counts, mass=st.none() | st.floats(0, 1)
)


@st.composite
def answered(draw):
    """A request with its answer, which has a probability for each choice, or none."""
    request, completion = draw(requests), draw(completions)
    count = len(request.choices)
    given = draw(st.none() | st.lists(st.floats(0, 1), min_size=count, max_size=count))
    shares = None if given is None else tuple(one / max(1, sum(given)) for one in given)
    return request, replace(completion, probabilities=shares)


keys = st.integers(0, 16**64 - 1).map(lambda number: f"{number:064x}")
calls = st.lists(
    st.tuples(
        st.text(min_size=1) | st.just("M2/candidates"),
        st.text(min_size=1) | st.just("openai:x"),
        st.builds(
            lambda key, both, *rest: Call(key, *both, *rest), keys, answered(), st.none() | finite, st.none() | finite
        ),
    ),
    max_size=4,
    unique_by=lambda call: call[2].key,
)

CALL = Call("a" * 64, Request((Message("user", "Hello"),)), Completion("Hi", "stop", 5, 7), 1.5, 0.25, "2026-11-23")
LINE = {
    "key": "a" * 64,
    "stage": "s",
    "model": "m",
    "request": {
        "messages": [{"role": "user", "content": "Hello"}],
        "sampling": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 1, "stop": []},
        "seed": 0,
        "sample": 0,
        "prefill": "",
        "choices": [],
    },
    "completion": {
        "text": "Hi",
        "finish": "stop",
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "probabilities": None,
        "thoughts": "",
        "written": None,
        "mass": None,
    },
    "seconds": 1.5,
    "cost": 0.25,
    "day": "2026-11-23",
    "schema": 1,
}


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "l.sqlite")
    yield found
    found.close()


def content(ledger):
    return sorted(ledger.calls(), key=lambda call: call[2].key)


def changed(path, value):
    """The valid line with the value at a path such as ("completion", "text") replaced, or removed for `...`."""
    line = json.loads(json.dumps(LINE))
    place = line
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return line


@settings(max_examples=150, deadline=None)
@given(calls)
def test_every_call_comes_back_as_it_was(tmp_path_factory, calls):
    folder = tmp_path_factory.mktemp("exchange")
    there, here = Ledger(folder / "there.sqlite"), Ledger(folder / "here.sqlite")
    assert there.import_calls(calls) == len(calls)
    assert export_calls(there, folder / "calls.jsonl") == len(calls)
    assert import_calls(here, folder / "calls.jsonl") == (len(calls), len(calls))
    assert content(here) == content(there) == sorted(calls, key=lambda call: call[2].key)
    assert here.summary() == there.summary()
    assert import_calls(here, folder / "calls.jsonl") == (0, len(calls))
    # The way back gives the same file, so that nothing is lost that a second export would show.
    assert export_calls(here, folder / "again.jsonl") == len(calls)
    assert (folder / "again.jsonl").read_bytes() == (folder / "calls.jsonl").read_bytes()
    there.close()
    here.close()


def test_a_line_is_what_the_documentation_says(ledger, tmp_path):
    ledger.import_calls([("s", "m", CALL)])
    assert export_calls(ledger, tmp_path / "calls.jsonl") == 1
    (line,) = (tmp_path / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == LINE


def test_an_answer_that_is_there_stays(ledger, tmp_path):
    ledger.import_calls([("s", "m", CALL)])
    lines = [changed(("completion", "text"), "Other"), changed(("key",), "b" * 64)]
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert import_calls(ledger, tmp_path / "calls.jsonl") == (1, 2)
    assert ledger.get("a" * 64).text == "Hi"
    assert ledger.get("b" * 64).text == "Hi"


def test_of_two_answers_in_one_file_the_first_stays(ledger, tmp_path):
    lines = [LINE, changed(("completion", "text"), "Other")]
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert import_calls(ledger, tmp_path / "calls.jsonl") == (1, 2)
    assert ledger.get("a" * 64).text == "Hi"


def judged(*probabilities):
    """The valid line with two choices and their probabilities."""
    line = changed(("request", "choices"), ["A", "B"])
    line["completion"]["probabilities"] = probabilities
    return line


WRONG = [
    *[json.dumps(changed((name,), ...)) for name in ("key", "stage", "model", "request", "completion", "seconds")],
    *[json.dumps(changed(("key",), key)) for key in ("", "a" * 63, "a" * 65, "A" * 64, "a" * 64 + "\n", "g" * 64, 1)],
    json.dumps(changed(("stage",), "")),
    json.dumps(changed(("model",), None)),
    json.dumps(changed(("seconds",), -1)),
    json.dumps(changed(("seconds",), float("nan"))),
    json.dumps(changed(("cost",), float("inf"))),
    json.dumps(changed(("cost",), "0.25")),
    json.dumps(changed(("day",), "yesterday")),
    json.dumps(changed(("day",), "2026-13-99")),
    json.dumps(changed(("request", "sampling", "temperature"), float("nan"))),
    json.dumps(changed(("request", "sampling", "top_p"), 1.5)),
    json.dumps(changed(("completion", "mass"), float("inf"))),
    json.dumps(changed(("completion", "probabilities"), [0.5])),
    *[json.dumps(judged(*given)) for given in ((5, -3), (0.5, float("nan")), (0.9, 0.9), (0.5,))],
    json.dumps(changed(("request",), {})),
    json.dumps(changed(("request", "messages", 0, "role"), "judge")),
    json.dumps(changed(("request", "sampling", "max_tokens"), 1.5)),
    json.dumps(changed(("completion",), None)),
    json.dumps(changed(("completion", "text"), None)),
    json.dumps(changed(("completion", "text"), "half \ud83d")),
    json.dumps(changed(("completion", "finish"), "content_filter")),
    json.dumps(changed(("completion", "prompt_tokens"), -1)),
    json.dumps(changed(("completion", "completion_tokens"), 2**64)),
    json.dumps(changed(("completion", "probabilities"), ["half"])),
    json.dumps(LINE)[:-30],
    json.dumps([LINE]),
    "null",
    "key,stage,model",
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_line_is_named_and_nothing_is_taken_in(ledger, tmp_path, wrong):
    good = [json.dumps(changed(("key",), f"{number:064x}")) for number in range(3)]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join([*good[:2], "", wrong, good[2]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"calls\.jsonl, line 4: .*Nothing was imported") as caught:
        import_calls(ledger, path)
    assert "\n" not in str(caught.value)
    assert ledger.count() == 0
    path.write_text("\n".join(good), encoding="utf-8")
    assert import_calls(ledger, path) == (3, 3)


def test_a_file_of_a_newer_version_is_called_so(ledger, tmp_path):
    (tmp_path / "calls.jsonl").write_text(json.dumps(changed(("schema",), 2)), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: was written by a newer version of srlm \(schema 2"):
        import_calls(ledger, tmp_path / "calls.jsonl")


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-16", "utf-32-le", "gzip"])
def test_a_file_in_another_form_is_read(ledger, tmp_path, form):
    text = json.dumps(LINE) + "\r\n" + json.dumps(judged(0.25, 0.75) | {"key": "b" * 64}) + "\n"
    data = gzip.compress(text.encode()) if form == "gzip" else text.encode(form)
    (tmp_path / "calls.jsonl").write_bytes(data)
    assert import_calls(ledger, tmp_path / "calls.jsonl") == (2, 2)


def test_a_file_that_is_no_text(ledger, tmp_path):
    (tmp_path / "calls.jsonl").write_bytes(json.dumps(LINE).encode() + b"\n\xff\xfe{}\n")
    with pytest.raises(DataError, match="line 2"):
        import_calls(ledger, tmp_path / "calls.jsonl")
    assert ledger.count() == 0


@pytest.mark.parametrize("name", ["nowhere.jsonl", "folder"])
def test_a_file_that_cannot_be_read(ledger, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=name):
        import_calls(ledger, tmp_path / name)


def test_an_export_that_breaks_leaves_the_file_that_was_there(ledger, tmp_path, monkeypatch):
    path = tmp_path / "exported" / "calls.jsonl"
    ledger.import_calls([("s", "m", CALL)])
    export_calls(ledger, path)
    before = path.read_bytes()

    def breaks(self):
        yield "s", "m", CALL
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "readable_calls", breaks)
    with pytest.raises(KeyboardInterrupt):
        export_calls(ledger, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_import_that_breaks_leaves_the_ledger_as_it_was(ledger, tmp_path):
    def breaks():
        yield "s", "m", CALL
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.import_calls(breaks())
    assert ledger.count() == 0
    assert ledger.import_calls([("s", "m", CALL)]) == 1


def test_memory_does_not_grow_with_the_ledger(ledger, tmp_path):
    answer = Completion("word " * 2000, "stop", 1, 1)
    asked = CALL.request
    ledger.import_calls(("s", "m", Call(f"{number:064x}", asked, answer, 1.0, None)) for number in range(2000))
    other = Ledger(tmp_path / "other.sqlite")
    tracemalloc.start()
    export_calls(ledger, tmp_path / "calls.jsonl")
    import_calls(other, tmp_path / "calls.jsonl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "calls.jsonl").stat().st_size > 20_000_000
    assert peak < 2_000_000
    assert other.count() == 2000
    other.close()
