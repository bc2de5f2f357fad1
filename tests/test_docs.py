"""The Python, YAML and rubric blocks of the pages: they compile, use only what srlm has, and are accepted by it.

Links, anchors and commands are checked by tools/check_docs.py. What precedes a block says more about it:
`<!-- test: run -->` has a Python block executed, `<!-- test: policy -->` a YAML block read as a policy of the gate;
other YAML blocks are configurations. `<!-- test: suite -->` blocks are files of a suite, which
tests/invariants/test_add_a_suite.py adds and evaluates.
"""

import ast
import importlib
import inspect
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import srlm
from evals.gate.policy import load_policy
from srlm.config_file import load_config
from srlm.judges.rubric import load_rubric

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
BLOCK = re.compile(r"(?:<!-- test: (?P<mark>\w+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
PUBLIC = "srlm"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    place: str
    text: str
    mark: str | None


def blocks(language):
    """Return the blocks in a language, as parameters of a test."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if block["language"] == language:
                place = f"{page.relative_to(ROOT)}:{text[: block.start('text')].count(chr(10)) + 1}"
                found.append(pytest.param(Block(place, block["text"], block["mark"]), id=place))
    return found


def uses(tree):
    """Yield what a block imports from srlm, as (module, name), and what it calls of it, as (name, call)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def public_attributes(tree):
    """Yield the nodes `srlm.X` of a block, and the calls of them."""
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == PUBLIC:
            yield node.attr, calls.get(id(node))


@pytest.mark.parametrize("block", [one for one in blocks("python") if one.values[0].mark != "suite"])
def test_python_uses_what_srlm_has(block):
    tree = ast.parse(block.text, block.place)
    for module, name in uses(tree):
        assert module.split(".")[0] not in {"trainer", "evals"}, f"{module} is not public"
        found = importlib.import_module(module)
        assert name is None or hasattr(found, name), f"{module} has no {name}"
    for name, call in public_attributes(tree):
        assert name in srlm.__all__, f"srlm.{name} is not public"
        if call:
            named = {keyword.arg: None for keyword in call.keywords}
            inspect.signature(getattr(srlm, name)).bind(*call.args, **named)


@pytest.mark.parametrize("block", [one for one in blocks("python") if one.values[0].mark == "run"])
def test_python_runs(block):
    exec(compile(block.text, block.place, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_is_accepted(block, tmp_path):
    file = tmp_path / "block.yaml"
    file.write_text(block.text, encoding="utf-8")
    if block.mark == "policy":
        assert load_policy(file).rules
        return
    given = yaml.safe_load(block.text)
    if not given.keys() & {"preset", "model"}:  # a part of a file
        file.write_text(f"preset: quickstart\n{block.text}", encoding="utf-8")
    config = load_config(str(file), []).model_dump(mode="json")
    assert given.keys() - {"preset"} <= config.keys()


@pytest.mark.parametrize("block", blocks("markdown"))
def test_rubrics_are_accepted(block, tmp_path):
    file = tmp_path / "rubric.md"
    file.write_text(block.text, encoding="utf-8")
    assert load_rubric(str(file)).scale.highest > load_rubric(str(file)).scale.lowest


@pytest.mark.parametrize("block", blocks("json"))
def test_json_is_one_object(block):
    assert isinstance(json.loads(block.text), dict)


def test_every_kind_of_block_is_found():
    assert min(map(len, map(blocks, ("python", "yaml", "markdown", "json", "console")))) > 0


def test_each_exit_code_is_documented():
    from srlm.errors import EXIT_CODES

    page = (DOCS / "reference" / "exit_codes.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (\d+) \|", page, re.M))
    assert {code for code in EXIT_CODES if code.isdigit()} <= rows


def test_the_engine_of_the_page_answers():
    """docs/howto/add_an_engine.md: the class satisfies the protocol, and the pipeline gets its answers."""
    from srlm.types import GREEDY, Message, Request

    page = (DOCS / "howto" / "add_an_engine.md").read_text(encoding="utf-8")
    code = next(block["text"] for block in BLOCK.finditer(page) if block["mark"] == "run")
    names: dict = {"__name__": "docs"}
    exec(code, names)
    engine = names["UpperEngine"]("upper")
    requests = [Request((Message("user", word),), GREEDY) for word in ("one", "two")]
    plan = engine.plan(requests)
    answered = []
    results = list(engine.run([[requests[index] for index in batch] for batch in plan], lambda: answered.append(1)))
    assert [reply.text for result in results for reply in result.replies] == ["ONE", "TWO"]
    assert sorted(index for batch in plan for index in batch) == [0, 1]
    assert len(answered) == 2
    engine.close()
