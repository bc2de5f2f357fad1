"""`srlm annotate`: people compare the answers of two models blind, on a local page."""

import os
import sys
from contextlib import ExitStack
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, MAX_ITEMS, RunName, Runs, command
from srlm.cli.signals import answer_signals
from srlm.console import say

if TYPE_CHECKING:
    from evals.suites.human.server import AnnotationServer
    from evals.suites.human.votes import AnnotationSet


def annotate(
    model: Annotated[str, typer.Argument(help="A model that was evaluated, such as M2.")],
    opponent: Annotated[str, typer.Argument(help="The one to compare it with: another model, or reference.")],
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            help="Suite of the answers: head-to-head or alpaca; the first of them that has any, if not given.",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            "--pairs",
            min=1,
            max=MAX_ITEMS,
            help="Number of prompts, sampled at random; 50, if not given. It can grow later.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Random seed of the prompts, their order and the sides.")
    ] = None,
    annotator: Annotated[
        str | None,
        typer.Option("--annotator", metavar="NAME", help="Name of the annotator; the page asks for it, if not given."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address without opening a browser.")] = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare two models' answers blind, in the browser.

    The keys are 1, 2, and 3 for a tie. Ctrl-C ends it; votes are kept.

    All annotators see the same prompts, in an order of their own and with sides swapped at random. Each has a file of
    votes in the run and resumes where they stopped. srlm compare shows the win rate, the inter-annotator agreement, and
    the agreement with the judge.
    """
    from evals.suites import load_results
    from evals.suites.human.blinding import AnnotationSession, clean_name
    from evals.suites.human.pair_sampling import exclusive_lock, get_or_draw, order_pair
    from evals.suites.human.result import votes_folder
    from evals.suites.human.server import AnnotationServer
    from srlm.runs import open_run

    home = open_run(runs, run)
    name = clean_name(annotator) if annotator is not None else None
    results = load_results(home)
    pair = order_pair(results, model, opponent)
    folder = votes_folder(home, pair)
    with ExitStack() as stack:
        stack.enter_context(exclusive_lock(folder))
        sheet = get_or_draw(home, results, pair, suite, pairs, seed)
        server = stack.enter_context(AnnotationServer(AnnotationSession(sheet, folder), name, port))
        stopped = _told_to_stop()
        say(
            f"{len(sheet.pairs)} pairs of {sheet.model} and {sheet.opponent} from the suite {sheet.source}. The page:\n"
            f"{server.address}\n"
            "Ctrl-C ends it. Votes are kept; the same command goes on."
        )
        sys.stdout.flush()
        _serve(server, stopped, opened=not no_open)
        _say(server, sheet, command("--runs", runs, "--run", home.name))


def _told_to_stop() -> Event:
    """Return an event that Ctrl-C, with which this command ends, and the other stop signals set."""
    stopped = Event()
    answer_signals(lambda *_: stopped.set())
    return stopped


def _serve(server: "AnnotationServer", stopped: Event, opened: bool) -> None:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    if opened and _has_screen():
        import webbrowser

        webbrowser.open(server.address)
    while not stopped.wait(1):  # without a limit, Windows would not hear Ctrl-C
        pass
    server.shutdown()


def _has_screen() -> bool:
    """Check if a browser can open a window; on a server, a text browser would take over the terminal."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _say(server: "AnnotationServer", sheet: "AnnotationSet", at: str) -> None:
    counts = server.session.counts()
    say("")
    for name, count in counts.items():
        say(f"{name}: {count} of {len(sheet.pairs)} votes stand.")
    if not counts:
        say("There are no votes.")
        return
    say(f"Next: {command('srlm', 'compare', sheet.model, '--baseline', sheet.opponent)} {at}")
