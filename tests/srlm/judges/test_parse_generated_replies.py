"""Thousands of judges' replies, written by a grammar that knows what the judge meant: never is a wrong score read.

A reply is a rationale, which may quote scores, then a last word, then perhaps a remark. What must come out is known by
construction: a clear last word is read exactly; a doubtful one is never read as something else than what was meant.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.engines.reasoning import split_reasoning
from srlm.judges.parse import read_rating, read_score
from srlm.judges.rubric import Scale
from srlm.types import Completion, Scored, Unparsed

MANY = settings(max_examples=1500, deadline=None)
GRADES = Scale(1, 10)
scales = st.sampled_from([Scale(0, 5), Scale(1, 5), GRADES, Scale(0, 9)])


@dataclass(frozen=True)
class Reply:
    """`meant` is the judge's score, None when it gave none; `clear` says that it must be read."""

    text: str
    meant: float | None
    clear: bool
    finish: str = "stop"

    def agrees(self, found):
        """Whether a reading is what was meant, or honestly nothing."""
        own = split_reasoning(self.text).answer
        if isinstance(found, Scored):
            return found.value == self.meant and found.text == own
        return isinstance(found, Unparsed) and not self.clear and found.text == own and found.reason != ""


words = st.text(
    alphabet=st.characters(
        exclude_characters='`~\r"\u201c\u201e\u00ab\u300c<', exclude_categories=("Cs", "Cc", "Zl", "Zp")
    ),
    max_size=12,
).map(lambda text: f"So: {text}.")


def quotations(label):
    """Sentences of a rationale that hold scores which are not the judge's."""
    return st.one_of(
        words,
        st.sampled_from(
            [
                "The response is about the request.",
                "It is worth 1 point for that, and 1 point for its order.",
                "4 or 5 steps are missing.",
                "| criterion | holds |\n|---|---|\n| 1 | yes |",
                "# Judgement",
                "",
                "A score of 5 would be too much.",
                "5/5 is out of reach; 10/10 as well.",
            ]
        ),
        st.builds(
            str.format,
            st.sampled_from(
                [
                    'The answer says "{}".',
                    "The answer says '{}', which is an order to me.",
                    "It ends with {}, which I do not follow.",
                    "It claims: {}",
                    "> {}",
                    "```\n{}\n```",
                    "~~~ text\n{}\n~~~",
                    "    {}",
                    "It asks me to write {} or {}.",
                    'It says "so:\n{}\n" and more.',
                    "> So:\u2028{}",
                    "<think>\n{}\n</think>",
                ]
            ),
            label,
            label,
        ),
    )


def whole(scale):
    return st.integers(scale.lowest, scale.highest)


CLEAR_SCORES = [
    "Score: {}",
    "score : {}",
    "**Score:** {}",
    "**Score: {}**",
    "Score: **{}** points",
    "Score: <{}>",
    "Score: [{}]",
    "Score: ({}/{top})",
    "Score: {} out of {top}.",
    "Score: {} (out of {top})",
    "Score: {}.0",
    "`Score: {}`",
    "[Score: {}]",
    "### Final score: {}",
    "- Total score: {}",
    "Overall Score = {}",
    "SCORE\uff1a{}",
    "  Score: {}\t",
    "Score: {} (good)",
    "Score: $\\boxed{{{}}}$",
    "Score: {}</s>",
]
# What was meant may be seen or not, but nothing else may be read: {} is what the judge meant.
DOUBTFUL_SCORES = [
    "My final score: {}",
    "Score (0-9): {}",
    "Score {}",
    "Score: it is {}",
    "Score: ** {} ** !!",
    "{}",
    "Total: {}",
]
NO_SCORES = [
    "Score: {} or {other}",
    "Score: {}-{other}",
    "Score: {} \u2013 {other}",
    "Score: {} to {other}",
    "Score: {}, {other}",
    "Score: {}/{other}00",
    "Score: {}.5",
    "Score: {},5",
    "Score: -1{}",
    "Score: \u2212{}",
    "Score: 1{}0",
    "Score: {}e1",
    "Score: {}\u00b2",
    "Score: {}%",
    "Score: <{}",
    "Score: {} {other}",
    "Score: {} + {other}",
    "Score: ~~{}~~ {other}",
    "Score: \u00bd",
    "Score: five or so",
    "Score: {} (or {other})",
    "Score: $\\boxed{{{}}}$ or $\\boxed{{{other}}}$",
    "Score: <total>",
    "Score:",
    "Score: {}? {other}?",
    "Score: {}/{other}/{top}",
    "Score: unclear",
    "- Score: {}\n- Score: {other}",
    "1. Score: {}\n2. Score: {other}\n",
]
REMARKS = ["", "\n", "\n\n", "\n\nThat is all.", "\nThe response could be shorter.", "\n \n*End*\n"]
REMARKS_ON_SCORES = ["\n\nA score of {other} would be wrong.", "\n> Score: {other}", "\nIt wanted {other} points."]


@st.composite
def scored_replies(draw, scale):
    number = whole(scale).map(str)
    lines = draw(st.lists(quotations(number.map("Score: {}".format)), max_size=4))
    value, other = draw(whole(scale)), draw(whole(scale))
    kind = draw(st.sampled_from(["clear", "twice", "remark", "doubtful", "none", "nothing", "cut"]))
    forms = {"doubtful": DOUBTFUL_SCORES, "none": NO_SCORES}.get(kind, CLEAR_SCORES)
    last = draw(st.sampled_from(forms)).format(value, other=other, top=scale.highest)
    if kind == "nothing":
        return Reply("\n".join([*lines, "I stop here."]), None, clear=False)
    if kind in {"twice", "none"}:  # an earlier word that the judge takes back
        lines.append(draw(st.sampled_from(CLEAR_SCORES)).format(other, other=other, top=scale.highest))
        lines.append("On reflection:")
    text = "\n".join([*lines, last])
    if kind == "cut":
        return Reply(text, None, clear=False, finish="length")
    text += draw(st.sampled_from(REMARKS_ON_SCORES if kind == "remark" else REMARKS)).format(other=other)
    meant = None if kind == "none" else float(value)
    return Reply(text, meant, clear=kind in {"clear", "twice"})


@MANY
@given(data=st.data(), scale=scales)
def test_a_score_is_what_the_judge_meant_or_is_not_read(data, scale):
    one = data.draw(scored_replies(scale))
    found = read_score(Completion(one.text, one.finish, 1, 1), scale)
    assert one.agrees(found), (one, found)


CLEAR_RATINGS = [
    "Rating: [[{}]]",
    "It is good. Rating: [[{}]]",
    'It says "wow!" Rating: [[{}]].',
    "**Rating: [[{}]]**",
    "**Rating:** [[{}]]",
    "[Rating: [[{}]]]",
    "[[rating]]: [[{}]]",
    "[[{}]]",
    "- Final rating: [[ {} ]]",
    "# Rating: [[{}]]",
]
DOUBTFUL_RATINGS = [
    "I would rate it [[{}]].",
    'I rate it as follows: "Rating: [[{}]]".',
    "Rating: [[{}]] (good)",
    "Rating: [{}]",
    "Rating: {}",
    "[[Rating]]: {}",
    "{}/10",
]
NO_RATINGS = [
    "Rating: [[{}]] or [[{other}.25]]",
    "Rating: [[{}]]. Rating: [[{other}.25]]",
    "Rating: [[1{}0]]",
    "Rating: [[-{}]]",
    "Rating: [[0]]",
    "Rating: [[0.5]]",
    "Rating: [[10.5]]",
    "Rating: [[rating]]",
    "Rating: [[{},5]]",
    "Rating: [[{}-{other}]]",
    "Rating: [[{}/10]]",
    "Rating: [[five]]",
    "Rating:",
    "Confidence: 9{} %",
]
REMARKS_ON_RATINGS = ["\n\nBetter ones earn a rating of [[{other}.25]].", "\nRating: {other}", "\n\nwhich is a [[9]]."]


@st.composite
def rated_replies(draw):
    number = whole(GRADES).map(str)
    lines = draw(st.lists(quotations(number.map("Rating: [[{}]]".format)), max_size=4))
    value = draw(whole(GRADES).map(str) | st.sampled_from(["8.5", "1.0", "9.75"]))
    other = draw(whole(GRADES))
    kind = draw(st.sampled_from(["clear", "twice", "remark", "doubtful", "none", "nothing", "cut"]))
    forms = {"doubtful": DOUBTFUL_RATINGS, "none": NO_RATINGS}.get(kind, CLEAR_RATINGS)
    last = draw(st.sampled_from(forms)).format(value, other=other)
    if kind == "nothing":
        return Reply("\n".join([*lines, "I stop here."]), None, clear=False)
    if kind == "twice":
        lines += [draw(st.sampled_from(CLEAR_RATINGS)).format(other), "On reflection:"]
    text = "\n".join([*lines, last])
    if kind == "cut":
        return Reply(text, None, clear=False, finish="length")
    text += draw(st.sampled_from(REMARKS_ON_RATINGS if kind == "remark" else REMARKS)).format(other=other)
    return Reply(text, None if kind == "none" else float(value), clear=kind in {"clear", "twice"})


@MANY
@given(one=rated_replies())
def test_a_rating_is_what_the_judge_meant_or_is_not_read(one):
    found = read_rating(Completion(one.text, one.finish, 1, 1), GRADES)
    assert one.agrees(found), (one, found)
