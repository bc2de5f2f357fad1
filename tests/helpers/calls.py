"""Requests and completions for tests of the ledger and of the calls that it caches."""

from srlm.types import Completion, Message, Request


def completion(text="yes", probabilities=None):
    return Completion(text, "stop", 5, 7, probabilities)


def request(text, **others):
    return Request((Message("user", text),), **others)
