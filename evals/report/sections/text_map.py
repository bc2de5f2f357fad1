"""How the texts that the run learns from lie to each other: IFT, EFT and AIFT, in two dimensions (2401.10020, A.1).

A model of the run itself reads each text (`srlm.engines.embedding`); t-SNE puts the vectors on a plane, instructions
and answers each by themselves. At most `MOST` texts of a kind are read, drawn by their ids, and what was computed is
kept in the run under a digest of all that it depends on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, TypeVar

from evals.report.charts.scatter import Spot, scatter
from evals.report.charts.svg import shape, variable
from evals.report.samples.training import EFT, IFT, iteration, iterations
from evals.report.section import Cell, Figure, Key, Row, Section, Table
from evals.sample import link
from srlm.console import Progress
from srlm.errors import SrlmError
from srlm.model_hub import model_folder
from srlm.optional_deps import require
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.types import SCHEMA, Answer, Demonstration, PreferencePair, SFTExample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ID, TITLE = "map", "What it learns from, in two dimensions"
MOST = 80
"""Texts of a kind."""
FEWEST = 6
"""Texts below which there is nothing to see."""
PERPLEXITY = 30.0


@dataclass(frozen=True)
class Text:
    """An instruction with its answer, as the training saw them. `sample` and `suite` are where the page has them."""

    id: str
    group: str
    sample: str
    suite: str
    instruction: str
    answer: str


@dataclass(frozen=True)
class Place:
    """Where the two texts of an example lie, each on its own plane."""

    id: str
    instruction: tuple[float, float]
    answer: tuple[float, float]
    schema: int = SCHEMA


T = TypeVar("T", Demonstration, PreferencePair, SFTExample)


def texts(run: Run) -> list[Text]:
    """What a run learned from, by kind: seeds, judgements, and the chosen answers of each iteration."""
    found = [
        Text(one.id, "IFT", one.id, IFT, one.instruction, one.response)
        for one in _few(run.records("seeds/ift", Demonstration))
    ]
    found += [
        Text(f"{one.id}-judgement", "EFT", one.id.rpartition("-a")[0], EFT, one.prompt, one.completion)
        for one in _few(run.records("M1/judgements", SFTExample))
    ]
    for model in iterations(run):
        writer = f"AIFT (M{int(model[1:]) - 1})" if model[1:].isdigit() else f"AIFT ({model})"
        pairs = _few(run.records(f"{model}/pairs", PreferencePair))
        found += [Text(one.id, writer, one.prompt_id, iteration(model), one.prompt, one.chosen) for one in pairs]
        if not pairs:
            positives = _few(run.records(f"{model}/positives", SFTExample))
            of_prompt = {one.id: one.prompt_id for one in run.records(f"{model}/candidates", Answer)}
            found += [
                Text(one.id, writer, of_prompt.get(one.id, one.id), iteration(model), one.prompt, one.completion)
                for one in positives
            ]
    return found


def _few(found: Sequence[T]) -> list[T]:
    return sorted(found, key=lambda one: derive_seed("report", one.id))[:MOST]


def reader(run: Run) -> str | None:
    """The model that reads: M1, or the first that the run has; None where it has none yet."""
    trained = run.models()[1:]
    return "M1" if "M1" in trained else next(iter(trained), None)


def places(run: Run, found: Sequence[Text], model: str, progress: Progress) -> list[Place]:
    """Where the texts lie: computed once, then read.

    Raises:
        SrlmError: a library is missing, or the model cannot be read.
    """
    from srlm.engines.fingerprint import fingerprint

    folder = model_folder(run.model(model))
    digest = hashlib.sha256(f"v1 {fingerprint(folder)} {PERPLEXITY}".encode())
    for text in found:
        digest.update(repr(asdict(text)).encode("utf-8", "replace"))
    return run.cached(
        f"report/map-{digest.hexdigest()[:12]}", Place, lambda: _computed(run, found, folder, model, progress)
    )


def _computed(run: Run, found: Sequence[Text], folder: Path, model: str, progress: Progress) -> list[Place]:
    require("torch", "The map of texts", "report")
    require("sklearn", "The map of texts", "report")
    from srlm.engines.embedding import embed

    both = [one.instruction for one in found] + [one.answer for one in found]
    with progress.step(f"{model} reads {len(both)} texts for the map", len(both)) as step:
        vectors = embed(folder, both, device=run.config.device, dtype=run.config.dtype, on_progress=step.advance)
    instructions, answers = _flat(vectors[: len(found)]), _flat(vectors[len(found) :])
    return [Place(one.id, i, a) for one, i, a in zip(found, instructions, answers, strict=True)]


def _flat(vectors: "npt.NDArray[np.float32]") -> list[tuple[float, float]]:
    """t-SNE on vectors of unit length, so that distance is angle."""
    import numpy as np
    from sklearn.manifold import TSNE

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    flat = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(unit)
    return [(round(float(x), 3), round(float(y), 3)) for x, y in flat]


def map_section(run: Run, progress: Progress) -> Section:
    """The two planes; or what has to be there for them."""
    found, model = texts(run), reader(run)
    if model is None or len(found) < FEWEST:
        words = f"Too little to see: {len(found)} texts that the run learned from."
        return Section(ID, TITLE, missing=words, command=f"srlm train --name {quote(run.name)}")
    try:
        known = {one.id: one for one in places(run, found, model, progress)}
    except SrlmError as error:
        return Section(ID, TITLE, missing=str(error), command=f"srlm report {quote(run.name)}")
    groups = list(dict.fromkeys(one.group for one in found))
    panels = []
    for title, part in (("Instructions", "instruction"), ("Answers", "answer")):
        spots = [
            Spot(
                *(known[one.id].instruction if part == "instruction" else known[one.id].answer),
                groups.index(one.group),
                link(suite=one.suite, id=one.sample),
                f"{one.group}: {one.sample}",
            )
            for one in found
        ]
        panels.append((title, spots))
    counts = {group: sum(one.group == group for one in found) for group in groups}
    alt = "Points, instructions left and answers right: " + ", ".join(f"{n} of {group}" for group, n in counts.items())
    suites = {group: next(one.suite for one in found if one.group == group) for group in groups}
    rows = tuple(
        Row(group, (Cell(f"{count:,}", href=link(suite=suites[group])), Cell(suites[group])))
        for group, count in counts.items()
    )
    figure = Figure(
        "Instructions and answers",
        scatter("map", panels, alt),
        [Key(variable(place), shape(place), group) for place, group in enumerate(groups)],
        "Near is alike; axes, sizes of clumps and distances between them mean nothing (t-SNE).",
        [Table("What the points are", ("texts", "samples"), rows, "kind")],
    )
    lead = (
        f"Each point is a text as {model} reads it: the mean of its last hidden states. EFT is the judge's prompt and "
        "the judgement, AIFT an instruction of an iteration with the answer that was chosen. In the paper, IFT and "
        "AIFT overlap and EFT lies apart."
    )
    return Section(ID, TITLE, lead, [figure], notes=[f"At most {MOST} texts of a kind, drawn by their ids."])
