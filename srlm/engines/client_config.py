"""Settings of the client that calls a model server: number of connections, timeout, backoff."""

from collections.abc import Callable
from dataclasses import dataclass, field

DEFAULT_MAX_CONNECTIONS = 16
"""Concurrent calls to a server, where neither the user nor the engine says otherwise."""

DEFAULT_TIMEOUT_S = 300.0
ATTEMPT_TIMEOUT_SHARE = 0.4
"""Share of the timeout that one attempt may take, so that a second attempt fits in."""

MAX_ATTEMPT_TIMEOUT_S = 86_400.0
"""Limit of one attempt for any timeout: the HTTP libraries accept no infinite one."""

MAX_TIMEOUT_S = 100 * MAX_ATTEMPT_TIMEOUT_S


@dataclass(frozen=True)
class ClientConfig:
    """Connections, timeouts and backoff of the calls to a model server, in seconds.

    Up to `max_connections` calls are made concurrently, the engine's own number if it is None. The command stops when
    no call was answered for `timeout` seconds. The wait before the next attempt of a call starts around
    `initial_backoff` and doubles up to `max_backoff`, or up to what the server asks for in Retry-After. `warn` shows a
    warning to the user; `warned` are the warnings of `warn_once` so far.
    """

    max_connections: int | None = None
    timeout: float = DEFAULT_TIMEOUT_S
    initial_backoff: float = 0.5
    max_backoff: float = 30.0
    warn: Callable[[str], None] = lambda text: None
    warned: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def attempt_timeout(self) -> float:
        """Return the timeout of one attempt in seconds."""
        return min(ATTEMPT_TIMEOUT_SHARE * self.timeout, MAX_ATTEMPT_TIMEOUT_S)

    def warn_once(self, text: str) -> None:
        """Show a warning, unless this command has shown it before."""
        if text not in self.warned:
            self.warned.add(text)
            self.warn(text)
