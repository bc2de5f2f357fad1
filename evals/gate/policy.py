"""Gate policy: rules on metrics and requirements on the judge, read from YAML; unknown keys are refused.

There are two kinds of amounts, so that one is never taken for the other. A margin has its unit ("5 points" of percent,
"300 characters", "0.2 grades"), and is refused in a unit that is not the metric's. A risk, a power and all requirements
on a judge are shares from 0 to 1.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.functional_validators import BeforeValidator

from srlm.config.section import Section
from srlm.errors import DataError, UnknownName
from srlm.read_yaml import read_yaml, shown

UNITS = {"points": ("fraction", 0.01), "characters": ("characters", 1.0), "grades": ("grade", 1.0)}
"""The units of margins: the metric's unit in the JSON of a comparison, and the factor to it."""

UNIT_WORDS = {unit: word for word, (unit, _) in UNITS.items()}
"""The word for a unit of the JSON."""
_MARGIN = re.compile(r"(?P<size>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[a-z%]+)?")


@dataclass(frozen=True)
class Margin:
    """A margin with its unit: `size` is in the unit of the JSON, `unit` None where none was written."""

    size: float
    unit: str | None
    text: str


def parse_margin(value: Any) -> Margin:
    """Parse a margin: "5 points", "1 point", "300 characters", "0.2 grades"; a bare number for other metrics.

    Raises ValueError for anything else.
    """
    if isinstance(value, Margin):
        return value
    text = f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    found = None if isinstance(value, bool) else _MARGIN.fullmatch(text.strip())
    word = found["unit"] if found else None
    plural = word if word is None or word.endswith("s") else f"{word}s"
    if found is None or (plural is not None and plural not in UNITS):
        raise ValueError(
            "a size with its unit is expected, such as 5 points (of percent), 300 characters or 0.2 grades; for "
            "metrics without a unit a bare number"
        )
    unit, scale = UNITS[plural] if plural else (None, 1.0)
    return Margin(float(found["size"]) * scale, unit, text.strip())


Amount = Annotated[Margin, BeforeValidator(parse_margin)]
Risk = Annotated[float, Field(gt=0, lt=0.5)]
Share = Annotated[float, Field(ge=0, le=1)]


class Rule(Section):
    """A requirement on one metric, against the baseline on the same prompts."""

    metric: str = Field(description="its key in srlm compare --format json, such as win_rate; it needs a difference")
    kind: Literal["non-inferiority", "superiority"] = Field(
        description="non-inferiority: not worse by the margin; superiority: better, by more than one if it is given"
    )
    margin: Amount | None = Field(None, description='with its unit: "5 points" (of percent), "300 characters"')
    risk: Risk | None = Field(
        None, description="how often a candidate that is just not good enough may pass; the policy's, if not given"
    )
    better: Literal["more", "less"] | None = Field(
        None, description="the direction that is better, for metrics such as length that have none"
    )

    @model_validator(mode="after")
    def _margin_fits(self) -> "Rule":
        if self.kind == "non-inferiority" and (self.margin is None or not self.margin.size):
            raise ValueError(
                'non-inferiority needs a margin above 0, such as "5 points": how much worse is still as good'
            )
        return self


class CalibrationPolicy(Section):
    """Requirement on the pinned verdicts of the judge, which is asked again at every gate."""

    file: str = Field(description="the file that srlm gate pin wrote; relative to the policy's folder")
    agreement: Share = Field(0.9, description="minimum share of unchanged pinned verdicts")


class JudgePolicy(Section):
    """Requirements on the judges of suites with a rule: shares from 0 to 1. What is left out is not required."""

    agreement: Share | None = Field(None, description="minimum agreement of its judge card with the labelled pairs")
    consistency: Share | None = Field(None, description="minimum share of pairs with one winner in both orders")
    parsed: Share | None = Field(None, description="minimum share of parsed verdicts on the judge card's pairs")
    missing: Share | None = Field(
        None, description="maximum share of a model's prompts without a verdict, of candidate and baseline alike"
    )
    calibration: CalibrationPolicy | None = Field(None, description="pairs that the judge is asked about again")


class Policy(Section):
    """A gate policy. All rules must pass for the candidate to pass."""

    risk: Risk = Field(0.05, description="one-sided: of passing for each rule, of a false regression for all together")
    power: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.8, description="how often the number of prompts that is called needed would be enough"
    )
    rules: tuple[Rule, ...] = Field(min_length=1, description="requirements on the candidate")
    judge: JudgePolicy = JudgePolicy()

    @field_validator("rules")
    @classmethod
    def _each_once(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        for number, rule in enumerate(rules):
            if any((rule.metric, rule.kind) == (other.metric, other.kind) for other in rules[:number]):
                raise ValueError(f"there are two rules of {rule.kind} on {rule.metric}; one of them is enough")
        return rules

    def risk_of(self, rule: Rule) -> float:
        """Return the risk of passing by this rule."""
        return rule.risk if rule.risk is not None else self.risk


def load_policy(path: Path) -> Policy:
    """Read a policy from a YAML file.

    Raises:
        DataError: it cannot be read, or a value is invalid; the message names the field.
        UnknownName: it has an unknown key; the message lists the known ones.
    """
    if not path.exists():
        raise DataError(path, "there is no such policy. Write one with: srlm gate init")
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise DataError(path, "a mapping with rules is expected. Write one with: srlm gate init")
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise _translate(path, error) from None


def _translate(path: Path, error: ValidationError) -> Exception:
    errors = error.errors(include_url=False)
    # A misspelt key is reported as missing, too; the misspelling is what the user has to correct.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    where = ".".join(str(part) for part in first["loc"]) or "the policy"
    if first["type"] == "extra_forbidden":
        return UnknownName(f"{path}: the key", where, _known_keys(first["loc"]))
    if first["type"] == "missing":
        return DataError(path, f"{where} is missing, and needed.")
    given = f", not {shown(first['input'])}" if not isinstance(first["input"], dict | list | tuple) else ""
    return DataError(path, f"{where}: {first['msg'].removeprefix('Value error, ')}{given}.")


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    """Return the known keys of the section that has the unknown key at `place`."""
    inside: dict[str, type[Section]] = {"rules": Rule, "judge": JudgePolicy, "calibration": CalibrationPolicy}
    names = [part for part in place[:-1] if isinstance(part, str)]
    section = inside[names[-1]] if names else Policy
    prefix = ".".join(str(part) for part in place[:-1])
    return [f"{prefix}.{name}" if prefix else name for name in section.model_fields]
