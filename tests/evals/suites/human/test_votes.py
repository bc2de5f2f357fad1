"""A file of votes: whatever kills the process that writes it, each vote that was taken stands, and counts once."""

import json
import os
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.human.votes import Vote, append_vote, latest_votes, majority, read_votes
from helpers.refusals import refusal

VOTE = Vote("e1", "ann", "win", "model", "2026-01-02T03:04:05+00:00")
votes = st.builds(
    Vote,
    prompt_id=st.sampled_from(["e1", "e2", "é\u2028\x85"]),
    annotator=st.sampled_from(["ann", "bö"]),
    verdict=st.sampled_from(["win", "tie", "loss"]),
    left=st.sampled_from(["model", "opponent"]),
    at=st.just(VOTE.at),
)


def line(vote):
    return (json.dumps(asdict(vote), ensure_ascii=False) + "\n").encode()


def test_no_file_is_no_vote(tmp_path):
    assert read_votes(tmp_path / "ann.jsonl") == []


@given(st.lists(st.tuples(votes, st.floats(0, 1) | st.none())))
def test_what_was_taken_is_read_whatever_was_broken_off_in_between(tmp_path_factory, history):
    """Each vote is either taken, or its writer is killed after a part of its line."""
    path = tmp_path_factory.mktemp("votes") / "deep" / "ann.jsonl"
    expected = []
    for vote, share in history:
        if share is None:
            append_vote(path, vote)
            expected.append(vote)
        else:
            before = read_votes(path)
            assert before == expected
            written = line(vote)[: round(share * len(line(vote)))]
            append_vote(path, vote)  # mends what the one before left
            path.write_bytes(path.read_bytes()[: -len(line(vote))] + written)
            if len(written) >= len(line(vote)) - 1:  # it lacks nothing, or only its end
                expected.append(vote)
        assert read_votes(path) == expected
    stand = latest_votes(read_votes(path))
    assert stand == {(vote.annotator, vote.prompt_id): vote for vote in expected}


@pytest.mark.parametrize("cut", range(1, len(line(VOTE))))
def test_a_broken_line_is_cut_off_by_the_next_vote(tmp_path, cut):
    path = tmp_path / "ann.jsonl"
    append_vote(path, VOTE)
    path.write_bytes(line(VOTE) + line(VOTE)[:cut])
    other = Vote("e2", "ann", "loss", "opponent", VOTE.at)
    append_vote(path, other)
    whole = cut == len(line(VOTE)) - 1
    assert path.read_bytes() == line(VOTE) * (1 + whole) + line(other)


def test_a_later_vote_stands_and_both_stay(tmp_path):
    path = tmp_path / "ann.jsonl"
    changed = Vote("e1", "ann", "tie", "model", VOTE.at)
    append_vote(path, VOTE)
    append_vote(path, changed)
    assert read_votes(path) == [VOTE, changed]
    assert latest_votes(read_votes(path)) == {("ann", "e1"): changed}


def test_a_vote_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "ann.jsonl"
    append_vote(path, VOTE)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        append_vote(path, VOTE)
    assert read_votes(path) == [VOTE]


@pytest.mark.parametrize("bad", [b"{\n", b'{"prompt_id": "e1"}\n', b"\xff\n", b"[]\n"])
def test_a_damaged_line_with_its_end_is_named(tmp_path, bad):
    path = tmp_path / "ann.jsonl"
    path.write_bytes(line(VOTE) + bad + line(VOTE))
    assert "line 2" in refusal(read_votes, path)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["win"], "win"),
        (["win", "loss"], None),
        (["win", "win", "loss"], "win"),
        (["win", "tie", "loss"], None),
        (["tie", "tie", "loss"], "tie"),
        (["win", "win", "tie", "loss"], None),  # the most, but no more than half
        ([], None),
    ],
)
def test_a_majority_is_more_than_half(said, found):
    assert majority(said) == found
