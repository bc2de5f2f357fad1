"""A policy says what is wrong with it, and a margin is never taken in another unit than it was meant in."""

from importlib.resources import files

import pytest

from evals.gate.policy import CalibrationPolicy, JudgePolicy, Policy, Rule, load_policy, parse_margin
from srlm.errors import DataError, UnknownName

GOOD = """\
rules:
  - metric: win_rate
    kind: non-inferiority
    margin: 5 points
"""


@pytest.fixture
def policy(tmp_path):
    def load(text):
        path = tmp_path / "gate.yaml"
        path.write_text(text, encoding="utf-8")
        return load_policy(path)

    return load


@pytest.mark.parametrize(
    ("written", "size", "unit"),
    [
        ("5 points", 0.05, "fraction"),
        ("1 point", 0.01, "fraction"),
        ("2.5points", 0.025, "fraction"),
        ("300 characters", 300, "characters"),
        ("0.2 grades", 0.2, "grade"),
        (" .5 grades ", 0.5, "grade"),
        (0.05, 0.05, None),
        (2, 2, None),
        (0.00001, 0.00001, None),
    ],
)
def test_a_margin_is_read_with_its_unit(written, size, unit):
    margin = parse_margin(written)
    assert (margin.size, margin.unit) == (pytest.approx(size), unit)


@pytest.mark.parametrize("written", ["5 %", "-5 points", "five points", "5 points of percent", "", True, None, "1e9x"])
def test_what_is_no_margin_is_refused(written):
    with pytest.raises(ValueError, match="with its unit"):
        parse_margin(written)


def test_what_is_left_out_has_its_default(policy):
    found = policy(GOOD)
    assert (found.risk, found.power, found.judge) == (0.05, 0.8, JudgePolicy())
    assert found.risk_of(found.rules[0]) == 0.05
    stricter = policy(f"{GOOD}    risk: 0.01\n")
    assert stricter.risk_of(stricter.rules[0]) == 0.01


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "not YAML"),
        ("- a\n", "a mapping with rules"),
        ("{}", "rules is missing"),
        ("rules: []", "rules"),
        (f"{GOOD}risk: 5\n", "risk"),
        (f"{GOOD}risk: 0\n", "risk"),
        (f"{GOOD}power: 80\n", "power"),
        (GOOD.replace("5 points", "5 %"), "rules.0.margin: a size with its unit"),
        (GOOD.replace("5 points", "0 points"), "needs a margin above 0"),
        (GOOD.replace("    margin: 5 points\n", ""), "needs a margin above 0"),
        (GOOD.replace("non-inferiority", "better"), "rules.0.kind"),
        (f"{GOOD}    better: higher\n", "rules.0.better"),
        (f"{GOOD}judge: {{agreement: 65}}\n", "judge.agreement"),
        (f"{GOOD}judge: {{missing: -1}}\n", "judge.missing"),
        (f"{GOOD}judge: {{calibration: {{agreement: 0.9}}}}\n", "judge.calibration.file is missing"),
        (GOOD + GOOD.removeprefix("rules:\n"), "two rules of non-inferiority on win_rate"),
        (f"{GOOD}rules: []\n", "rules is repeated"),
        (f"{GOOD}    margin: 50 points\n", "margin is repeated"),
    ],
)
def test_a_mistake_is_named(policy, text, said):
    with pytest.raises(DataError, match=said) as error:
        policy(text)
    assert "gate.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        (f"{GOOD}riks: 0.1\n", "riks", "risk"),
        (f"{GOOD}    marign: 5 points\n", "rules.0.marign", "rules.0.margin"),
        (f"{GOOD}judge: {{agreemnt: 0.6}}\n", "judge.agreemnt", "judge.agreement"),
        (f"{GOOD}judge: {{calibration: {{fil: a}}}}\n", "judge.calibration.fil", "judge.calibration.file"),
    ],
)
def test_an_unknown_key_is_refused_with_those_that_there_are(policy, text, key, meant):
    with pytest.raises(UnknownName, match=f"'{key}' does not exist. Did you mean '{meant}'"):
        policy(text)


def test_no_policy_at_all_says_how_to_get_one(tmp_path):
    with pytest.raises(DataError, match="srlm gate init"):
        load_policy(tmp_path / "gate.yaml")


def test_superiority_needs_no_margin(policy):
    found = policy(GOOD.replace("non-inferiority", "superiority").replace("    margin: 5 points\n", ""))
    assert found.rules[0].margin is None


def starter():
    return (files("evals.gate") / "template.yaml").read_text(encoding="utf-8")


def test_the_policy_to_begin_with_is_one_and_says_what_each_line_is(policy):
    found = policy(starter())
    assert [rule.metric for rule in found.rules] == ["win_rate", "length"]
    assert all(value is not None for key, value in found.judge if key != "calibration")
    for line in starter().splitlines()[3:]:
        assert not line or "#" in line.lstrip("# "), f"no comment: {line}"


def test_what_the_starter_leaves_out_can_be_put_in(policy):
    """Each line that is commented out is one of a policy, too."""
    whole = [line[2:] if line.startswith("# ") else line for line in starter().splitlines()[3:]]
    lines = [
        f"  {line}" if line.startswith(("- metric", "  kind", "  margin", "  risk", "calibration")) else line
        for line in whole
    ]
    lines = [f"  {line}" if line.startswith(("  file", "  agreement: 0.9")) else line for line in lines]
    found = policy("\n".join(lines))
    assert len(found.rules) == 6
    assert found.judge.calibration == CalibrationPolicy(file="calibration.json", agreement=0.9)


def test_each_field_has_a_line_of_doc():
    for section in (Policy, Rule, JudgePolicy, CalibrationPolicy):
        for name, field in section.model_fields.items():
            if section is not Policy or name != "judge":
                assert field.description, f"{section.__name__}.{name}"
