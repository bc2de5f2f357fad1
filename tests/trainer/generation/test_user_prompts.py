"""Prompts of the user's own: shares of a file, what is refused, and the run's copy of them."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.told_progress import Told
from srlm.cli.show import describe
from srlm.config import TrainConfig
from srlm.errors import UsageError
from srlm.lineage import find_lineage
from srlm.runs import Run
from srlm.seed_data import evaluation_set
from srlm.types import Demonstration, Dropped, Message, Prompt
from trainer.generation import user_prompts
from trainer.generation.new_prompts import new_prompts
from trainer.generation.user_prompts import (
    CONTAMINATED,
    REPEATED,
    PromptsUsed,
    prompts_of_an_iteration,
    select_prompts,
    snapshot_prompts,
)
from trainer.session import Session


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def prompts(texts):
    return [{"prompt": text} for text in texts]


def config(source, iterations=2, seed=0, **instructions):
    return TrainConfig.model_validate(
        {"model": "m", "iterations": iterations, "seed": seed, "instructions": {"source": str(source), **instructions}}
    )


def shares(selection):
    found = {}
    for one in selection.chosen:
        found.setdefault(one.id.split("-")[0], []).append(one.instruction)
    return found


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=30),
    st.integers(1, 3),
    st.none() | st.integers(1, 4),
    st.integers(0, 3),
)
def test_shares_are_of_one_size_disjoint_and_nothing_is_lost(tmp_path_factory, texts, iterations, count, seed):
    path = lines(tmp_path_factory.mktemp("any") / "p.jsonl", prompts(texts))
    wanted = config(path, iterations, seed, count=count)
    distinct = len(set(texts))
    if distinct < (count or 1) * iterations:
        with pytest.raises(UsageError, match=rf"has {len(texts)} prompts: {distinct} can be used"):
            select_prompts(wanted, [])
        return
    found = select_prompts(wanted, [])
    size = count or distinct // iterations
    assert [len(one) for one in shares(found).values()] == [size] * iterations
    assert len({one.instruction for one in found.chosen}) == len(found.chosen) == size * iterations
    assert [one.id for one in found.chosen] == [f"M{m}-p{n:04d}" for m in range(2, iterations + 2) for n in range(size)]
    assert len({one.id for one in found.refused}) == len(found.refused) <= len(texts) - distinct
    assert found.used.refused == Counter(one.reason for one in found.refused)
    if count is None:
        assert len(found.refused) == len(texts) - distinct
    assert select_prompts(wanted, []) == found


def test_the_order_depends_on_the_seed_and_the_texts_and_not_on_their_order(tmp_path):
    texts = [f"Text {number}" for number in range(40)]
    one = lines(tmp_path / "one.jsonl", prompts(texts))
    two = lines(tmp_path / "two.jsonl", prompts(texts[::-1]))
    first = shares(select_prompts(config(one), []))
    assert first == shares(select_prompts(config(two), []))
    assert first != shares(select_prompts(config(one, seed=1), []))
    assert first["M2"] != sorted(first["M2"])


def test_a_conversation_is_the_same_prompt_only_with_the_same_context(tmp_path):
    chat = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]
    last = {"role": "user", "content": "Go on."}
    rows = [{"prompt": "Go on."}, {"messages": [*chat, last]}, {"messages": [last]}, {"prompt": " Go on.\n"}]
    found = select_prompts(config(lines(tmp_path / "p.jsonl", rows), iterations=1), [])
    context = (Message("user", "Hello."), Message("assistant", "Hi."))
    assert {(one.context, one.instruction) for one in found.chosen} == {((), "Go on."), (context, "Go on.")}
    assert [(one.id, one.reason, one.detail) for one in found.refused] == [
        ("M2-line-3", REPEATED, "Go on."),
        ("M2-line-4", REPEATED, "Go on."),
    ]


FILTERED = ["Hi there", "List four rivers of Spain", "List four rivers of Spain now", "(Explain) how the tides work"]


def test_the_filters_of_written_instructions_are_applied_only_on_request(tmp_path):
    path = lines(tmp_path / "p.jsonl", prompts(FILTERED))
    assert len(select_prompts(config(path, iterations=1), []).chosen) == 4
    found = select_prompts(config(path, iterations=1, filters=True), [])
    assert len(found.chosen) == 1
    assert found.used.refused == {
        "too short": 1,
        "begins with punctuation": 1,
        "too similar to a known instruction": 1,
    }


def test_the_filters_compare_with_the_seeds_of_the_run(tmp_path):
    seeds = [Demonstration("s", "Explain how the tides of a sea work", "So.")]
    path = lines(tmp_path / "p.jsonl", prompts([f"{seeds[0].instruction} now", "List four rivers of Spain"]))
    assert len(select_prompts(config(path, iterations=1), seeds).chosen) == 2
    found = select_prompts(config(path, iterations=1, filters=True), seeds)
    assert [one.instruction for one in found.chosen] == ["List four rivers of Spain"]


def test_prompts_of_evaluation_sets_are_refused_only_on_request(tmp_path):
    tested = max((one.instruction for one in evaluation_set()), key=len)
    other = " ".join(f"word{number}" for number in range(13))
    held_out = lines(tmp_path / "test.jsonl", prompts([other]))
    rows = [*prompts([f"Please: {tested}", f"And {other}"]), {"prompt": "List four rivers of Spain"}]
    path = lines(tmp_path / "p.jsonl", rows)
    assert len(select_prompts(config(path, iterations=1), []).chosen) == 3
    for sets, left in (("embedded", 2), ([str(held_out)], 2), (["embedded", str(held_out)], 1)):
        found = select_prompts(config(path, iterations=1, decontaminate=sets), [])
        assert len(found.chosen) == left
        assert found.used.refused == {CONTAMINATED: 3 - left}


def test_too_few_are_said_with_all_counts(tmp_path):
    path = lines(tmp_path / "p.jsonl", prompts(["a", "b", "b", "c"]))
    with pytest.raises(UsageError) as caught:
        select_prompts(config(path, count=2), [])
    assert str(caught.value) == (
        f"{path} has 4 prompts: 3 can be used, 1 refused (1 repeats another prompt); 2 iterations of 2 "
        "(instructions.count) need 4. Give more prompts, or set instructions.count to 1 or fewer (null: an equal "
        "share), or fewer iterations."
    )
    with pytest.raises(
        UsageError, match=r"need 8\. Give more prompts, or set instructions\.count to 1 or fewer [^,]*\.$"
    ):
        select_prompts(config(path, count=4), [])
    with pytest.raises(
        UsageError, match=r"5 iterations need at least one each\. Give more prompts, or fewer iterations"
    ):
        select_prompts(config(path, iterations=5), [])


def test_no_iteration_needs_no_prompt(tmp_path):
    found = select_prompts(config(lines(tmp_path / "p.jsonl", prompts(["a"])), iterations=0), [])
    assert (found.chosen, found.refused) == ((), ())


# --- settings ---------------------------------------------------------------------------------------------------------


def test_of_a_file_the_default_is_an_equal_share_and_of_a_model_the_count_of_the_paper(tmp_path):
    assert config("p.jsonl").instructions.count is None
    assert config("p.jsonl", count=7).instructions.count == 7
    assert TrainConfig(model="m").instructions.count == 4000


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        ({"source": "writen"}, "must be written, puzzle, .*hf:OWNER/NAME"),
        ({"source": "hf:NAME"}, "must be written, puzzle, .*hf:OWNER/NAME"),
        ({"count": None}, "count is null, an equal share of a file, but source is no file"),
        ({"filters": True}, "filters is for prompts of a file, and source is written"),
        (
            {"source": "puzzle", "decontaminate": "embedded"},
            "decontaminate is for prompts of a file, and source is puz",
        ),
        ({"source": "p.jsonl", "decontaminate": ["alpaca"]}, "'alpaca' is none of embedded, hf:OWNER/NAME"),
    ],
)
def test_settings_without_an_effect_or_a_meaning_are_refused(instructions, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig.model_validate({"model": "m", "instructions": instructions})


# --- the run ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The end of a process."""


def session(folder, settings):
    return Session(settings, Run(folder, settings), Told())


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.jsonl"))}


def both_iterations(one):
    snapshot_prompts(one, [])
    return [
        one.run.stage(f"M{number + 1}/instructions", Prompt, lambda number=number: new_prompts(one, number, []))
        for number in (1, 2)
    ]


ROWS = prompts([*(f"Text {number}" for number in range(9)), "Text 0"])


def test_the_run_has_the_prompts_their_counts_and_the_digest_of_the_file(tmp_path):
    path = lines(tmp_path / "p.jsonl", ROWS)
    one = session(tmp_path / "r", config(path))
    found = both_iterations(one)
    assert [len(share) for share in found] == [4, 4]
    assert all(prompt.source == "file" and prompt.origin.startswith("p.jsonl, line ") for prompt in found[0])
    (used,) = one.run.records("prompts/file", PromptsUsed)
    assert (used.prompts, used.chosen, used.refused) == (10, 8, {REPEATED: 1})
    assert used.sha256 == user_prompts.file_digest(str(path))
    refused = [*one.run.records("M2/refused", Dropped), *one.run.records("M3/refused", Dropped)]
    assert [one.reason for one in refused] == [REPEATED]
    assert one.progress.lines == [f"{path}: 10 prompts; 8 chosen, 1 refused (1 repeats another prompt), 1 not needed"]
    assert prompts_of_an_iteration(one.config, one.run) == 4


def test_show_names_the_line_and_the_conversation(tmp_path):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go on."}]
    one = session(tmp_path / "r", config(lines(tmp_path / "p.jsonl", [{"messages": chat}]), iterations=1))
    snapshot_prompts(one, [])
    one.run.write("M2/instructions", new_prompts(one, 1, []))
    assert describe(find_lineage(one.run, "M2-p0000")) == (
        "Instruction M2-p0000  (p.jsonl, line 1)\n  System: Be brief.\n  \n  User: Go on.\n"
    )


def test_a_run_killed_before_any_write_and_resumed_has_the_same_bytes(tmp_path, monkeypatch):
    path = lines(tmp_path / "p.jsonl", ROWS)
    both_iterations(session(tmp_path / "whole", config(path)))
    wanted = contents(tmp_path / "whole")
    assert len(wanted) == 7
    write = Run.write
    for end in range(7):
        folder, left = tmp_path / f"killed-{end}", iter(range(end))

        def some(run, stage, records, left=left):
            if next(left, None) is None:
                raise Killed
            write(run, stage, records)

        with monkeypatch.context() as patch:
            patch.setattr(Run, "write", some)
            with pytest.raises(Killed):
                both_iterations(session(folder, config(path)))
        both_iterations(session(folder, config(path)))
        assert contents(folder) == wanted


@pytest.mark.parametrize("gone", [False, True])
def test_a_resumed_run_goes_on_with_its_own_prompts_whatever_became_of_the_file(tmp_path, gone):
    path = lines(tmp_path / "p.jsonl", ROWS)
    whole = both_iterations(session(tmp_path / "whole", config(path)))
    first = session(tmp_path / "r", config(path))
    snapshot_prompts(first, [])
    if gone:
        path.unlink()
    else:
        lines(path, prompts([f"Other {number}" for number in range(9)]))
    again = session(tmp_path / "r", config(path))
    assert both_iterations(again) == whole
    assert [said.split(" The run")[0] for said in again.progress.lines] == (
        [] if gone else [f"{path} has changed since this run started."]
    )
