"""Prompts of the user's own that cannot be used: one message, and nothing is written."""

import json

import pytest

from helpers.refusals import check_refused

PROMPTS = [{"prompt": f"Name river number {number}."} for number in range(4)]


def text(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def train(cli, tiny_config, tmp_path):
    """`srlm train` of the tiny model with a file of prompts."""

    def run(source, content=None, *changes):
        path = tmp_path / source
        if content is not None:
            path.write_text(content, encoding="utf-8")
        place = source if source.startswith("hf:") else path
        words = [word for one in (f"instructions.source={place}", *changes) for word in ("--set", one)]
        result = cli("train", tiny_config, "--runs", tmp_path / "runs", "--name", "r", *words)
        assert not (tmp_path / "runs").exists()
        return result

    return run


def test_a_file_that_is_not_there(train):
    check_refused(train("p.jsonl"), "p.jsonl: there is no such file.")


def test_a_record_of_no_known_form(train):
    result = train("p.jsonl", text(*PROMPTS, {"body": "x"}))
    check_refused(result, "p.jsonl, line 5: has no prompt", "it has body")


def test_roles_out_of_order(train):
    chat = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    check_refused(train("p.jsonl", text({"messages": chat})), "line 1: the roles in messages are out of order")


def test_too_few_prompts(train):
    result = train("p.jsonl", text(*PROMPTS, PROMPTS[0]))
    check_refused(
        result,
        "has 5 prompts: 4 can be used, 1 refused (1 repeats another prompt); 2 iterations of 10",
        "need 20. Give more prompts, or set instructions.count to 2 or fewer",
    )


def test_an_empty_share(train):
    result = train("p.jsonl", text(*PROMPTS), "instructions.count=null", "iterations=5")
    check_refused(result, "has 4 prompts: 4 can be used, none refused; 5 iterations need at least one each")


def test_a_data_set_without_a_network(train):
    check_refused(train("hf:OWNER/NAME:test"), "hf:OWNER/NAME:test: cannot be loaded from the Hub", "Check the name")
