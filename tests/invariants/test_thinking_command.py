"""Models and a judge that think before they answer, through the real command line: thoughts are nowhere an answer.

Servers show thoughts in the content, between marks, or in a field of their own. srlm never judges, measures or hands on
what stands in them, reads no verdict out of them, and shows them folded.
"""

import base64
import gzip
import json
import re
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from helpers.servers import Handler, serving
from srlm.config_file import load_config
from srlm.runs import start_run

pytestmark = pytest.mark.skipif(find_spec("openai") is None, reason="needs the SDK of OpenAI")
KEY = {"OPENAI_API_KEY": "k"}
DRAFT = "Let me see, a draft."
THOUGHTS = f"{DRAFT}\nScore: 2\nRating: [[2]]\nAnswer: (2 + 3)\nB"
QUESTIONS = [{"question_id": 81, "category": "writing", "turns": ["Write a line.", "Write another."]}]
PAIRS = [{"prompt": f"Name {n} colours.", "chosen": "red, blue", "rejected": "none " * n} for n in range(1, 4)]
FILE = [{"id": f"{n}", "instruction": f"Name {n} colours.", "output": "red " * n} for n in range(1, 3)]


class Thinker(Handler):
    """Thinks first, in the content or in a field of its own. Its next token is never the answer."""

    field = False

    def words(self, first, body):
        if "<answer_a>" in body["messages"][-1]["content"]:
            return "A" if first > 0.5 else "B"
        return super().words(first, body)

    def chat(self, body):
        answer = super().chat(body)
        (choice,) = answer["choices"]
        message = choice["message"]
        if self.field:
            message["reasoning_content"] = message["reasoning"] = THOUGHTS
        else:
            message["content"] = f"<think>\n{THOUGHTS}\n</think>\n\n{message['content']}"
        if body.get("logprobs"):
            next_tokens = [("<think>", -0.0001), ("The", -9.5), ("A", -11.0), ("B", -11.5)]
            top = [{"token": token, "logprob": logprob} for token, logprob in next_tokens]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return answer


@contextmanager
def thinking(field):
    with serving(scores=True) as server:
        server.RequestHandlerClass = type("One", (Thinker,), {"field": field})
        yield server


@pytest.fixture(scope="module", params=["content", "field"])
def thought(request, once, cli):
    """A folder in which every command was given that asks a model or reads what one said; once for all tests."""

    def make(folder):
        start_run(folder / "runs", "r", load_config("quickstart", [])).close()
        (folder / "question.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
        (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
        (folder / "file.jsonl").write_text("\n".join(map(json.dumps, FILE)), encoding="utf-8")
        at = ("--runs", folder / "runs", "--run", "r")
        with thinking(request.param == "field") as server:
            one, two, judge = (server.spec("openai", name) for name in ("one", "two", "judge"))
            said = {
                "pairs": ("eval", one, two, "--suite", "alpaca,head-to-head", "--limit", 2, "--judge", judge, *at),
                "words": ("eval", one, "--suite", "alpaca", "--limit", 2, "--judge", judge, "--judge-tokens", 64, *at),
                "mt-bench": ("eval", one, "--suite", "mt-bench", "--prompts", "question.jsonl", "--judge", judge, *at),
                "checked": ("eval", one, "--suite", "verifiable", "--data", "countdown", "--limit", 2, *at),
                "reward": ("eval", one, "--suite", "reward", "--limit", 2, "--judge-tokens", 300, *at),
                "judge": ("judge", "file.jsonl", "--judge", judge, "--samples", 1, "--output", "judged.jsonl"),
                "card": ("judge", "card", judge, "--pairs", "pairs.jsonl", "--samples", 1, "--judge-tokens", 64),
                "compare": ("compare", one, "--format", "json", *at),
                "report": ("report", "--output", "page.html", "--runs", folder / "runs", "r"),
            }
            if request.param == "field":
                del said["report"]  # which takes the longest, and knows no server
            for name, words in said.items():
                result = cli(*words, cwd=folder, env=KEY)
                assert result.code == 0, (name, result.err)
                (folder / f"{name}.out").write_text(result.out, encoding="utf-8")

    return once(f"thinking-{request.param}", make)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def verdicts(folder):
    found = [row for path in (folder / "runs").rglob("*verdicts.jsonl") for row in rows(path)]
    return found + [verdict for row in rows(folder / "judged.jsonl") for verdict in row["verdicts"]]


def test_no_verdict_is_read_out_of_a_thought(thought):
    found = verdicts(thought)
    assert len(found) > 10
    for one in found:
        assert DRAFT not in json.dumps(one["reading"])
    by_score = [one for one in found if one["rubric"].startswith("additive")]
    assert by_score
    # The draft says 2; the server's scores differ, and each is what was said after it.
    for one in by_score:
        assert one["reading"]["kind"] == "scored"
        assert one["reading"]["text"] == f"Score: {one['reading']['value']:.0f}"
    assert {one["reading"]["value"] for one in by_score} != {2.0}


def test_thoughts_are_kept_beside_what_was_said(thought):
    if "field" in thought.name:
        pytest.skip("whether a field of its own is kept is the engine's")
    assert all(DRAFT in one["thoughts"] for one in verdicts(thought) if not one["reading"].get("probabilities"))
    answers = [row for path in (thought / "runs").rglob("*answers.jsonl") for row in rows(path)]
    assert answers
    assert all(DRAFT in one["thoughts"] for one in answers)


def test_no_answer_no_length_and_no_file_of_another_tool_has_a_thought(thought):
    evals = thought / "runs" / "r" / "evals"
    answers = {row["id"]: row["text"] for path in evals.rglob("*answers.jsonl") for row in rows(path)}
    assert all(len(text) < 10 for text in answers.values())
    for name in ("model_outputs.json", "annotations.json", "model_answer.jsonl", "model_judgment.jsonl"):
        paths = list(evals.rglob(name))
        assert paths
        for path in paths:
            assert DRAFT not in path.read_text(encoding="utf-8")
    for path in (*evals.glob("alpaca/*.json"), *evals.glob("mt-bench/*.json"), *evals.glob("verifiable/*.json")):
        text = path.read_text(encoding="utf-8")
        assert DRAFT not in text
        assert max(map(int, re.findall(r'"length": (\d+)', text))) < 10


def test_what_is_printed_has_no_thought(thought):
    for path in thought.glob("*.out"):
        assert DRAFT not in path.read_text(encoding="utf-8")


def test_the_page_shows_thoughts_folded_and_apart(thought):
    if "field" in thought.name:
        pytest.skip("there is one page")
    page = (thought / "page.html").read_text(encoding="utf-8")
    assert DRAFT not in page
    (packed,) = re.findall(r'id="packed"[^>]*>([^<]+)<', page)
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    texts, folded = data["texts"], 0
    for sample in data["samples"]:
        for reply in sample["replies"]:
            shown = [reply["text"], *(number for one in reply["judgements"] for number in one[:4])]
            assert not any(DRAFT in texts[number] for number in shown)
            folded += "thoughts" in reply
            folded += sum(len(one) > 4 for one in reply["judgements"])
    assert folded


def test_room_for_thoughts_is_part_of_what_must_agree(thought):
    (result,) = (thought / "runs" / "r" / "evals" / "alpaca").glob("*one*.json")
    found = json.loads(result.read_text(encoding="utf-8"))
    assert found["provenance"]["rubric"].endswith(" in 64 tokens")
    assert found["card"]["rubric"] == found["provenance"]["rubric"]


def test_a_browser_folds_them(thought, page, seen):
    if "field" in thought.name:
        pytest.skip("there is one page")
    page.goto(f"{(thought / 'page.html').as_uri()}#samples?suite=alpaca")
    first = page.locator("details.thoughts").first
    first.wait_for()
    assert first.locator("summary").inner_text().startswith("reasoning, ")
    assert first.get_attribute("open") is None
    assert DRAFT in first.locator("p").text_content()
    assert not page.get_by_text(DRAFT).first.is_visible()
    first.locator("summary").click()
    assert page.get_by_text(DRAFT).first.is_visible()
    assert not seen.errors
