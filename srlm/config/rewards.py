"""Setting `reward`: the sources of the rewards by which the training data is selected.

    judge              LLM-as-a-judge: the model itself, by judge.* (the paper)
    FILE.py:FUNCTION   a program: a function of the prompt and the answer
    hf:OWNER/NAME      a reward model: a classifier with one logit, from the Hub or in a folder

A list combines several, by a weighted mean and by vetoes; `srlm.rewards.combine` has the arithmetic. Not in the paper,
except for `judge`.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from srlm.config.section import Section

JUDGE = "judge"

_PROGRAM = re.compile(r"(?P<file>.+\.py):(?P<function>[^\W\d]\w*)", re.DOTALL)


def program_of(source: str) -> tuple[Path, str] | None:
    """Return the file and the function of a reward program, "check.py:score"; None for other sources."""
    found = _PROGRAM.fullmatch(source)
    return (Path(found["file"]).expanduser(), found["function"]) if found else None


def source_name(source: str) -> str:
    """Return the name of a source for a page that others read: of a file or a folder without its path."""
    return source if source.startswith("hf:") else Path(source).name


def _check_source(source: Any) -> Any:
    """Return the name of a source as it is given.

    Raises:
        ValueError: it names a file of Python and no function in it, or nothing.
    """
    if not isinstance(source, str):
        return source
    if not source.strip() or "\0" in source:
        raise ValueError("names no source; give judge, FILE.py:FUNCTION, hf:OWNER/NAME or the folder of a reward model")
    name, colon, function = source.rpartition(".py")
    if colon and name and program_of(source) is None and not Path(source).is_dir():
        if function in ("", ":"):
            raise ValueError(f"names a file and no function in it, as {name}.py:score does")
        if function.startswith(":"):
            raise ValueError(f"{function[1:]} cannot be the name of a function; it should look like {name}.py:score")
    return source


Source = Annotated[str, BeforeValidator(_check_source)]


class RewardPart(Section):
    """One source of a combined reward. Without `veto_below` its weight is 1, if not given."""

    source: Source = Field(description="judge, FILE.py:FUNCTION, hf:OWNER/NAME, or the folder of a reward model")
    weight: float | None = Field(None, gt=0, description="weight of its values in the mean")
    veto_below: float | None = Field(
        None, description="an answer with a smaller value of this source is vetoed: it is never a chosen answer"
    )

    @property
    def share(self) -> float:
        """Return the weight in the mean: 0 for a source that only vetoes."""
        if self.weight is not None:
            return self.weight
        return 1.0 if self.veto_below is None else 0.0


def _as_parts(value: Any) -> Any:
    """Return the parts of a reward that is given as one source, or as a list of sources and parts.

    Raises:
        ValueError: it is neither.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(part, str | dict | RewardPart) for part in parts):
        raise ValueError("must be a source, such as judge or check.py:score, or a list of sources and parts")
    return [{"source": part} if isinstance(part, str) else part for part in parts]


def _check_parts(parts: tuple[RewardPart, ...]) -> tuple[RewardPart, ...]:
    """Return the parts if they make a reward.

    Raises:
        ValueError: no source has a weight, or one is named twice.
    """
    names = [part.source for part in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"names the source {twice} twice; one part may have both weight and veto_below")
    if not any(part.share for part in parts):
        raise ValueError("has no source with a weight: those with veto_below alone only veto")
    return parts


def _shortest(parts: tuple[RewardPart, ...]) -> Any:
    """Return the parts as a user would write them."""
    written = [part.model_dump(exclude_none=True) for part in parts]
    short = [part["source"] if list(part) == ["source"] else part for part in written]
    return short[0] if len(short) == 1 and isinstance(short[0], str) else short


Rewards = Annotated[
    tuple[RewardPart, ...], BeforeValidator(_as_parts), AfterValidator(_check_parts), PlainSerializer(_shortest)
]
"""The setting: one source, or a list of sources and parts."""

JUDGE_ALONE = (RewardPart(source=JUDGE),)


def only_judge(parts: tuple[RewardPart, ...]) -> bool:
    """Return whether the mean is the judge's alone, so that rewards are on the scale of its rubric."""
    return all(part.source == JUDGE for part in parts if part.share)
