"""Progress whose lines are kept, to check what the user is told."""

from srlm.console import Progress


class Told(Progress):
    """Prints nothing. `lines` has what `say` was given."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)
