"""`srlm train` on seed files in the forms of other tools: their records in the run, and messages on missing parts."""

import json

import pytest

SYSTEM = {"from": "system", "value": "Answer in one line."}


def sharegpt(number):
    turns = ("human", f"Name a number above {number}."), ("gpt", f"{number + 1}"), ("human", "And one more?")
    answer = {"from": "gpt", "value": f"{number + 2}"}
    conversation = [SYSTEM, *({"from": who, "value": text} for who, text in turns), answer]
    return {"id": f"chat-{number}", "conversations": conversation}


def spoken_pair(number):
    before = f"\n\nHuman: Hello.\n\nAssistant: Hello!\n\nHuman: What comes after {number}?\n\nAssistant:"
    return {"chosen": f"{before} {number + 1}", "rejected": f"{before} I do not know."}


@pytest.fixture
def seed_file(tmp_path):
    def write(name, rows):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return tmp_path / name

    return write


@pytest.fixture
def chats(seed_file):
    return seed_file("chats.jsonl", [sharegpt(n) for n in range(8)])


@pytest.fixture
def pairs(seed_file):
    return seed_file("pairs.jsonl", [spoken_pair(n) for n in range(16)])


@pytest.mark.slow
def test_m1_is_trained_on_sharegpts_conversations_and_hhs_pairs(cli, tiny_config, tmp_path, run_folder, chats, pairs):
    changes = ("iterations=0", f"seeds.source={chats}", f"seeds.eft_source={pairs}", "seeds.eft_targets=ranks")
    words = [word for change in changes for word in ("--set", change)]
    result = cli("train", tiny_config, "--runs", tmp_path / "runs", "--name", "r", *words)
    assert result.code == 0, result.err
    run = run_folder(tmp_path / "runs" / "r")
    first = run.records("seeds/ift")[0]
    assert [one["role"] for one in first["context"]] == ["system", "user", "assistant"]
    assert (first["instruction"], len(run.records("seeds/ift"))) == ("And one more?", 8)
    ranked = [*run.records("seeds/eft"), *run.records("seeds/validation")]
    assert {tuple(answer["rank"] for answer in one["answers"]) for one in ranked} == {(0, 1)}
    assert {one["context"][0]["content"] for one in ranked} == {"Hello."}
    judgements = run.records("M1/judgements")
    assert {one["score"] for one in judgements} == {0, 5}
    assert (run.folder / "M1" / "checkpoint" / "model.safetensors").exists()


def test_files_that_lack_a_part_say_which_setting_helps(cli, tiny_config, tmp_path, chats, pairs):
    found = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", "--seeds", pairs)
    assert found.code == 2
    assert "have no demonstration" in found.err
    assert "but 16 ranked instructions" in found.err
    assert f"seeds.eft_source={pairs}" in found.err
    found = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", "--seeds", chats)
    assert found.code == 2
    assert "have no ranked instruction to train the judge on" in found.err
    assert "seeds.eft_source=embedded" in found.err
    assert not (tmp_path / "r").exists()


def test_a_wrong_line_is_named_and_nothing_is_written(cli, tiny_config, tmp_path, seed_file):
    path = seed_file("mine.jsonl", [sharegpt(0), {"prompt": "Only a prompt."}])
    found = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", "--seeds", path)
    assert found.code == 2
    assert found.errors == [found.errors[0]]
    assert f"{path}, line 2: is neither a demonstration" in found.err
    assert not (tmp_path / "r").exists()
