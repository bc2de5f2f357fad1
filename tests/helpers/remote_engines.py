"""Requests and engines for tests against the local HTTP server of `helpers.servers`."""

from typing import Any

from helpers.servers import Server
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.types import Message, Request, Sampling

SECRET = "sk-secret-0123456789"
CLIENT = ClientConfig(timeout=5.0, initial_backoff=0.02, max_backoff=0.2)
PROTOCOLS = ("openai", "anthropic")

CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))
FREE = Request((Message("system", "Be brief."), Message("user", "Say A.")), Sampling(0.7, 0.9, 16, stop=("x",)), seed=3)


def calls(count: int) -> list[list[Request]]:
    """Different requests with two choices, one a batch."""
    return [[Request((Message("user", f"A or B? {number}"),), choices=("A", "B"))] for number in range(count)]


def opened(server: Server, protocol: str = "openai", client: ClientConfig = CLIENT) -> Any:
    """An engine of the server's model "judge"."""
    return open_engine(server.spec(protocol, "judge"), client=client)
