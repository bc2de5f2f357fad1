"""YAML files: unique keys, bounded size, one message for every error."""

import pytest

from srlm.read_yaml import NotYamlError, parse_yaml, shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: 2024-13-01", "an impossible value, such as the date 2024-13-01"),
        ("model: 2001-12-14t21:59:43.10-25:00", "an impossible value"),
        ("seed: " + "9" * 5000, "more than 400 digits"),
        ("seed: 0x" + "f" * 5000, "more than 400 digits"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        ("a: " + "[" * 5000, "nested more than 50 deep"),
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 4}]\n" for n in range(9)),
            "more than 20,000",
        ),
        ("a: &a [*a]", "contains itself"),
        ("a: 1\nb: 2\na: 3", "the key a is repeated"),
        ("a: {b: 1, b: 2}", "the key b is repeated"),
        ("a: !!float x", "an impossible value"),
        ("a: !!int ''", "an impossible value"),
        ("a: !!python/object/apply:os.system [x]", "not YAML"),
        ("{[a]: 1}", "not YAML"),
        ("a: \x01", "not YAML"),
        ("a: [", "not YAML"),
    ],
)
def test_yaml_that_python_answers_with_its_own_errors_is_one_message(text, words):
    with pytest.raises(NotYamlError, match=words) as caught:
        parse_yaml(text)
    assert "\n" not in caught.value.problem


def test_yaml_that_is_fine():
    assert parse_yaml("") is None
    assert parse_yaml("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: 2024-12-01\n")["b"] == {"x": 3, "y": 2}


def test_a_value_in_a_message_is_cut():
    assert shown("short") == "'short'"
    assert len(shown(["x" * 50] * 100)) == 83
    assert shown(1 << 20_000) == "a number of thousands of digits"
