"""From any id of a run back to the whole story, on a small run made by hand."""

import pytest

from srlm.config_file import load_config
from srlm.errors import UnknownName
from srlm.lineage import find_lineage
from srlm.runs import start_run
from srlm.types import (
    Answer,
    Demonstration,
    Dropped,
    PreferencePair,
    Prompt,
    Reward,
    Scored,
    SFTExample,
    Unparsed,
    Verdict,
)


def candidates(prompt, model="M1"):
    return [Answer(f"{prompt}-c{i}", prompt, model, f"answer {i}", "stop", i) for i in range(2)]


def verdicts(prompt, readings):
    return [
        Verdict(f"{prompt}-c{c}-v{v}", "M1", "additive:0", (f"{prompt}-c{c}",), reading, v)
        for c, given in enumerate(readings)
        for v, reading in enumerate(given)
    ]


@pytest.fixture
def run(tmp_path):
    found = start_run(tmp_path, "small", load_config("quickstart", []))
    for model in ("M1", "M2", "M3"):
        found.checkpoint(model, lambda folder: (folder / "config.json").write_text("{}"))
    found.write("seeds/ift", [Demonstration("ift-a01", "Seed?", "Yes."), Demonstration("ift-a02", "Other?", "No.")])
    paired, lost = "M2-p0000", "M2-p0001"
    found.write(
        "M2/instructions", [Prompt(paired, "Do.", "generated", ("ift-a01",)), Prompt(lost, "Try.", "generated")]
    )
    found.write("M2/candidates", candidates(lost) + candidates(paired))
    good, bad, unread = Scored(4.0, "Score: 4"), Scored(1.0, "Score: 1"), Unparsed("eh", "no score line")
    found.write("M2/verdicts", verdicts(paired, [[good, unread], [bad, bad]]) + verdicts(lost, [[bad], [bad]]))
    values = {f"{paired}-c0": 4.0, f"{paired}-c1": 1.0, f"{lost}-c0": 1.0, f"{lost}-c1": 1.0}
    found.write("M2/rewards", [Reward(name, value, 0.0, 1, 0, 0) for name, value in values.items()])
    pair = PreferencePair(
        f"{paired}-pair", paired, "Do.", f"{paired}-c0", "answer 0", 4.0, f"{paired}-c1", "answer 1", 1.0, "r"
    )
    found.write("M2/pairs", [pair])
    found.write("M2/dropped", [Dropped(lost, "all rewards are equal", "1.00 for 2 candidates")])
    found.write("M3/instructions", [Prompt("M3-p0000", "Next.", "generated", ("ift-a02", paired, "gone"))])
    return found


@pytest.mark.parametrize("identifier", ["M2-p0000", "M2-p0000-pair", "M2-p0000-c1", "M2-p0000-c0-v1"])
def test_every_id_of_an_instruction_leads_to_its_whole_story(run, identifier):
    found = find_lineage(run, identifier)
    assert found.model == "M2"
    assert found.prompt.instruction == "Do."
    assert [one.id for one in found.shots] == ["ift-a01"]
    assert [one.answer.id for one in found.candidates] == ["M2-p0000-c0", "M2-p0000-c1"]
    assert [one.reward.value for one in found.candidates] == [4.0, 1.0]
    assert [[one.id for one in judged.verdicts] for judged in found.candidates] == [
        ["M2-p0000-c0-v0", "M2-p0000-c0-v1"],
        ["M2-p0000-c1-v0", "M2-p0000-c1-v1"],
    ]
    assert isinstance(found.candidates[0].verdicts[1].reading, Unparsed)
    assert (found.pair.chosen_id, found.pair.rejected_id) == ("M2-p0000-c0", "M2-p0000-c1")
    assert found.dropped is None


def test_an_instruction_without_a_pair_says_why(run):
    found = find_lineage(run, "M2-p0001-c0")
    assert found.pair is None
    assert found.dropped.reason == "all rewards are equal"
    assert [one.answer.prompt_id for one in found.candidates] == ["M2-p0001"] * 2


def test_shots_are_seeds_and_earlier_instructions(run):
    found = find_lineage(run, "M3-p0000")
    assert [(one.id, one.instruction) for one in found.shots] == [("ift-a02", "Other?"), ("M2-p0000", "Do.")]
    assert found.candidates == []
    assert found.pair is None
    assert found.dropped is None


@pytest.mark.parametrize("identifier", ["M2-p0009-pair", "M9-p0000", "nonsense", "", "M2-", "ift-a01", "../x-p0000"])
def test_an_unknown_id_names_pairs_that_there_are(run, identifier):
    with pytest.raises(UnknownName, match="M2-p0000-pair"):
        find_lineage(run, identifier)


@pytest.mark.parametrize("identifier", ["M2-p0000-c9", "M2-p0000-c0-v7", "M2-p0001-pair", "M2-p0000-pear"])
def test_an_id_of_no_record_is_unknown_also_below_an_instruction(run, identifier):
    with pytest.raises(UnknownName):
        find_lineage(run, identifier)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x1c", "\x0b"])
def test_positives_with_line_separators_in_them_are_one_record_each(run, separator):
    found = find_lineage(run, "M2-p0000")
    learned = found.candidates[0].answer.id
    run.write("M2/positives", [SFTExample(learned, "positive", "p", f"one{separator}two")])
    assert find_lineage(run, "M2-p0000").positives == {learned}
