"""Prompts of one turn: the ids of a baseline's outputs."""

import pytest

from evals.single_turn import number_of_id, numbered_id


@pytest.mark.parametrize("number", [1, 42, 805, 12345])
def test_the_number_of_a_prompt_is_read_back_from_its_id(number):
    assert number_of_id(numbered_id(number)) == number


@pytest.mark.parametrize("prompt_id", ["alpaca-", "alpaca", "alpaca-x1", "alpaca--1", "7", "e0001", "", "p-0001"])
def test_other_ids_have_no_number(prompt_id):
    assert number_of_id(prompt_id) is None
