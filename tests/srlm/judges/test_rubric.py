"""Rubrics are data: a wording, a scale, and a digest that tells both apart."""

import pytest

from srlm.config.preferences import JudgeConfig
from srlm.errors import UnknownName, UsageError
from srlm.judges.pointwise import configured_judge
from srlm.judges.rubric import POINTS, Rubric, Scale, load_rubric

PROMPT = "<task>{{instruction}}</task>\n<reply>\n{{response}}\n</reply>\nScore: <n>\n"


def own(tmp_path, text, name="mine.md"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_the_rubrics_that_ship():
    additive, levels = load_rubric("additive"), load_rubric("levels")
    assert (additive.scale, levels.scale) == (POINTS, Scale(1, 5)) == (Scale(0, 5), Scale(1, 5))
    assert not levels.text.startswith("---")
    assert "scale:" not in levels.text
    assert levels.label == f"levels:{levels.digest}"
    assert str(levels.scale) == "1-5"
    assert Scale(1, 5).values == (1, 2, 3, 4, 5)


def test_the_digest_tells_wordings_and_scales_apart():
    digests = {Rubric("r", text, scale).digest for text in "ab" for scale in (POINTS, Scale(1, 5), Scale(0, 4))}
    assert len(digests) == 6
    assert Rubric("r", "a").digest == Rubric("other name", "a", POINTS).digest


def test_a_rubric_of_ones_own_is_0_to_5_unless_it_says_otherwise(tmp_path):
    assert load_rubric(own(tmp_path, PROMPT)) == Rubric("mine", PROMPT.strip(), POINTS)
    scaled = load_rubric(own(tmp_path, f"---\nscale: 1-7\n---\n{PROMPT}"))
    assert scaled == Rubric("mine", PROMPT.strip(), Scale(1, 7))
    assert load_rubric(own(tmp_path, f"\n--- \nscale :  2 - 30 \n---\n\n{PROMPT}")).scale == Scale(2, 30)


def test_windows_line_ends(tmp_path):
    path = tmp_path / "mine.md"
    path.write_bytes(f"---\nscale: 1-7\n---\n{PROMPT}".replace("\n", "\r\n").encode())
    assert load_rubric(str(path)).scale == Scale(1, 7)


@pytest.mark.parametrize(
    "front",
    [
        "---\nscale: 5-1\n---\n",
        "---\nscale: 3-3\n---\n",
        "---\nscale: 5\n---\n",
        "---\nscale: low-high\n---\n",
        "---\nscale: 0.5-5\n---\n",
        "---\nscale: -1-5\n---\n",
        "---\nscale: 0-1000\n---\n",
        "---\nscales: 1-5\n---\n",
        "---\nscale: 1-5\nauthor: me\n---\n",
        "---\n---\n",
        "---\nscale: 1-5\n",
        "--- scale: 1-5 ---\n",
    ],
)
def test_a_wrong_scale_is_refused_with_what_is_expected(tmp_path, front):
    with pytest.raises(UsageError, match="such as scale: 1-5") as caught:
        load_rubric(own(tmp_path, front + PROMPT))
    assert "mine" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "<task>{{instruction}}</task> {{response}}",
        "<task>{{instruction}}</task> <reply>{{response}}</task>",
        "<task>{{instruction}}</task> <reply>{{response}}",
        "<task>{{instruction}}</task> <reply>{{response}}</reply> Again: {{response}}",
    ],
)
def test_a_response_outside_of_tags_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match="between tags of its own"):
        load_rubric(own(tmp_path, text))


def test_prompts_of_other_judges_are_no_rubrics():
    with pytest.raises(
        UnknownName,
        match=r"'pairwise' does not exist.*There are: additive, brief, correct, levels, puzzle, sentences\.",
    ):
        load_rubric("pairwise")


def test_a_configuration_takes_a_name_or_a_path(tmp_path):
    assert configured_judge(JudgeConfig(rubric="levels")).rubric == load_rubric("levels")
    path = own(tmp_path, f"---\nscale: 0-9\n---\n{PROMPT}")
    assert configured_judge(JudgeConfig(rubric=path, scoring="expected")).rubric.scale == Scale(0, 9)


def test_expected_scores_need_values_of_one_digit(tmp_path):
    path = own(tmp_path, f"---\nscale: 1-10\n---\n{PROMPT}")
    assert configured_judge(JudgeConfig(rubric=path)).rubric.scale == Scale(1, 10)
    with pytest.raises(UsageError, match=r"mine is 1-10\. Use scoring=sampled, or a scale within 0-9"):
        configured_judge(JudgeConfig(rubric=path, scoring="expected"))
