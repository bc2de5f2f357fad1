"""Samples as they are packed: nothing of a text is lost, and nothing of it is markup."""

import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.report.samples.pack import pack
from evals.results import collect
from evals.sample import Judgement, OutcomeTag, Reply, Sample, injection_spans, judgement_of, link
from evals.sample_source import SampleSource
from evals.suites.nlp.result import NlpResult
from evals.suites.nlp.samples import samples
from srlm.errors import DataError
from srlm.runs import Run
from srlm.types import Failed, InjectionFlag, Scored, Unparsed, Verdict


def opened(packed):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def utf16(text, start, end):
    """What JavaScript's slice gives."""
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


words = st.text(st.characters(exclude_categories=["Cs"]))


@given(words, words, words)
def test_every_text_comes_back(prompt, answer, verdict):
    sample = Sample("p", "alpaca", prompt, (Reply("M1", answer, judgements=(Judgement("j", "it", "5", verdict),)),))
    data = opened(pack([sample]))
    (one,) = data["samples"]
    (reply,) = one["replies"]
    assert data["texts"][one["prompt"]] == prompt
    assert data["texts"][reply["text"]] == answer
    assert data["texts"][reply["judgements"][0][3]] == verdict


@given(words, words.filter(bool), words)
def test_a_flagged_place_is_the_same_for_javascript(before, suspect, after):
    text = before + suspect + after
    reply = Reply("M1", text, flags=((len(before), len(before + suspect), "verdict"),))
    ((start, end, kind),) = opened(pack([Sample("p", "s", "", (reply,))]))["samples"][0]["replies"][0]["flags"]
    assert (utf16(text, start, end), kind) == (suspect, "verdict")


def test_a_text_is_packed_once_and_the_page_cannot_be_left():
    hostile = "</script><script>alert(1)</script>"
    packed = pack([Sample(str(n), "s", hostile, (Reply("M1", hostile),)) for n in range(50)])
    assert opened(packed)["texts"] == [hostile]
    assert "<" not in packed


def test_the_same_samples_give_the_same_bytes():
    sample = Sample("p", "s", "why", (Reply("M1", "so", tags=(OutcomeTag("M1", "win", "SFT"),)),))
    assert pack([sample]) == pack([sample])


def test_a_link_names_facets_and_leaves_out_empty_ones():
    assert link(suite="alpaca", model="a&b=c", opponent="") == "#samples?suite=alpaca&model=a%26b%3Dc"
    assert link(category=["x", "y z"]) == "#samples?category=x&category=y+z"


def test_a_verdict_that_was_not_read_says_so():
    def said(reading):
        return judgement_of(Verdict("v", "j", "r", ("a",), reading), "it", ("A", "B"))

    assert said(Scored(0.7, "A", (0.7, 0.3))).result == "A 0.70, B 0.30"
    assert said(Unparsed("hm", "no letter")) == Judgement("j", "it", "not parsed: no letter", "hm")
    assert said(Failed("timeout")).result == "no reply: timeout"


def test_flags_are_those_of_the_answer_once():
    found = [InjectionFlag("a", "verdict", 3, 5), InjectionFlag("a", "verdict", 3, 5), InjectionFlag("b", "tag", 0, 1)]
    assert injection_spans(found, "a") == ((3, 5, "verdict"),)


def test_thoughts_are_packed_beside_the_text_and_only_where_there_are_some():
    reading = Scored(4.0, "It is so.\nScore: 4")
    verdict = Verdict("v", "j", "additive", ("a",), reading, thoughts="<think>2?</think>")
    plain = Reply("M1", "so", judgements=(judgement_of(Verdict("v", "j", "additive", ("a",), reading), "it"),))
    thought = Reply("M2", "so", judgements=(judgement_of(verdict, "it"),), thoughts="<b>Well</b>")
    data = opened(pack([Sample("p", "s", "why", (plain, thought))]))
    one, two = data["samples"][0]["replies"]
    assert ("thoughts" in one, len(one["judgements"][0])) == (False, 4)
    assert data["texts"][two["thoughts"]] == "<b>Well</b>"
    assert [data["texts"][number] for number in two["judgements"][0]][3:] == [
        "It is so.\nScore: 4",
        "<think>2?</think>",
    ]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x1c"])
def test_items_of_lm_eval_with_line_separators_in_them_are_one_each(tmp_path, separator):
    folder = tmp_path / "run" / "evals" / "nlp" / "M1"
    folder.mkdir(parents=True)
    row = {
        "doc_id": 0,
        "doc": {"q": f"one{separator}two"},
        "resps": [["x"]],
        "metrics": ["acc"],
        "acc": 1.0,
        "target": "x",
    }
    (folder / "samples_a_2026.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    results = collect([NlpResult("M1", "id", {})])
    (found,) = samples(SampleSource(Run(tmp_path / "run"), results))
    assert json.loads(found.prompt) == {"q": f"one{separator}two"}
    (folder / "samples_a_2026.jsonl").write_text(json.dumps(row | {"metrics": 3}) + "\n")
    with pytest.raises(DataError, match="a sample of a is none of lm-eval's"):
        samples(SampleSource(Run(tmp_path / "run"), results))
