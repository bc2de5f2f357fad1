"""`srlm annotate` in a real browser: ten pairs by keyboard, a server that is killed in between, and no vote lost."""

import json
import re
import signal
import socket
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from evals.suites import load_results
from evals.suites.human.result import HumanResult, votes_folder
from helpers.human_votes import prompts, run_of

MODEL, OPPONENT = "osprey-nine", "falcon-seven"
COUNT = 10
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\n\n  indented **text**"


@pytest.fixture
def run(tmp_path):
    """Two models' answers; each says in its text which of the two it is, but not by its name."""
    asked = prompts(COUNT)
    texts = [(f"{HOSTILE} from one on {one.id}", "The other\n" * 80 + f"on {one.id}") for one in asked]
    return run_of(tmp_path / "runs", MODEL, OPPONENT, asked, texts)


class Annotating:
    """The command while it runs, and its address."""

    def __init__(self, cli, run, *words):
        at = ("--runs", run.folder.parent, "--run", run.name, "--no-open")
        self.process = cli.start("annotate", MODEL, OPPONENT, *words, *at)
        self.printed = ""
        while not (found := re.search(r"http://\S+", self.printed)):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.printed += line
        self.address = found.group()

    def kill(self):
        """As the kernel does: nothing is told, nothing is ended in good order."""
        self.process.kill()
        self.process.wait()

    def interrupt(self):
        """Ctrl-C; what it printed after the address."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        assert (self.process.returncode, err) == (0, "")
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        for end in (self.process.stdout, self.process.stderr):
            end.close()


def stored(run):
    """The votes that stand: by prompt, for the first model."""
    return {vote.prompt_id: vote.verdict for one in load_results(run).of(HumanResult).values() for vote in one.votes}


def begin(page, address, name=" Ann "):
    page.goto("about:blank")  # so that another key after the # is another page
    page.goto(address)
    page.locator("#name").press_sequentially(name)
    page.keyboard.press("Enter")
    page.locator("#pair, #done").locator("visible=true").wait_for()


def vote(page, key):
    """Press a key; which prompt it was for, and what it says of the first model."""
    prompt = f"e{int(re.search(r'[0-9]+', page.inner_text('#instruction')).group()):03d}"
    left = "from one on" in page.inner_text("#left")
    page.keyboard.press(key)
    return prompt, "tie" if key == "3" else "win" if (key == "1") == left else "loss"


@pytest.fixture
def annotating(cli, run):
    with Annotating(cli, run, "--annotator", "Bob") as found:
        yield found


def test_ten_pairs_by_keyboard_and_no_kill_loses_a_vote(cli, run, page, seen):
    from playwright.sync_api import expect

    progress, expected = page.locator("#progress"), {}

    def vote_until(count):
        while len(expected) < count:
            expect(progress).to_have_text(f"{len(expected) + 1} of {COUNT}")
            prompt, verdict = vote(page, "1231"[len(expected) % 4])
            expected[prompt] = verdict
        if count < COUNT:
            expect(progress).to_have_text(f"{count + 1} of {COUNT}")

    with Annotating(cli, run) as annotating:
        begin(page, annotating.address)
        vote_until(4)
        prompt, verdict = vote(page, "2")
        annotating.kill()
    # Whether that key was in time is open. If it was, the vote stands, and stands once.
    assert expected.items() <= stored(run).items() <= {**expected, prompt: verdict}.items()
    expected = stored(run)

    with Annotating(cli, run) as annotating:
        begin(page, annotating.address)
        vote_until(8)
        assert stored(run) == expected
        annotating.kill()
        vote(page, "1")
        expect(page.locator("#problem")).to_contain_text("Start the command again")
        expect(progress).to_have_text(f"9 of {COUNT}")
        assert stored(run) == expected

    (path,) = votes_folder(run, (MODEL, OPPONENT)).glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"prompt_id": "e0')  # what a kill in the middle of a line leaves
    with Annotating(cli, run) as annotating:
        begin(page, annotating.address)
        vote_until(COUNT)
        expect(page.locator("#done")).to_contain_text("Thank you")
        out = annotating.interrupt()
    assert stored(run) == expected
    assert len(expected) == COUNT
    assert path.read_bytes().count(b"\n") == COUNT
    assert f"ann: {COUNT} of {COUNT} votes stand" in out
    compare = re.search(r"Next: srlm (compare .*)", out)[1].split()
    assert compare[:4] == ["compare", MODEL, "--baseline", OPPONENT]
    compared = cli(*compare, "--format", "json")
    assert compared.code == 0, compared.err
    metrics = {metric["key"]: metric for metric in json.loads(compared.out)["metrics"]}
    found = metrics["human"]["models"][MODEL]["difference"]
    assert [found[one] for one in ("wins", "ties", "losses")] == [
        list(expected.values()).count(verdict) for verdict in ("win", "tie", "loss")
    ]

    received = "".join([*seen.received, page.content()])
    assert '"pairs": [{' in received
    assert [word for word in (MODEL, OPPONENT, str(run.folder)) if word in received] == []
    assert seen.hosts() == {"127.0.0.1"}


def test_a_vote_can_be_changed_and_the_keyboard_is_enough(run, annotating, page, seen):
    from playwright.sync_api import expect

    page.goto(annotating.address)
    expect(page.locator("#who")).to_have_text("bob")
    prompt, verdict = vote(page, "1")
    expect(page.locator("#progress")).to_have_text("2 of 10")
    assert stored(run) == {prompt: verdict}
    page.keyboard.press("u")
    expect(page.locator("#progress")).to_have_text("1 of 10")
    expect(page.locator("[data-choice=left]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(page.locator("#progress")).to_have_text("2 of 10")
    assert stored(run) == {prompt: {"win": "loss", "loss": "win"}[verdict]}

    page.keyboard.press("Control+1")  # the browser's, and no vote
    page.keyboard.press("x")
    for _ in range(20):  # by Tab to the tie, and by Enter: no key of ours
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.choice") == "tie":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_have_text("3 of 10")
    assert list(stored(run).values()).count("tie") == 1
    assert len(stored(run)) == 2
    assert page.title() == "Which answer is better?"
    assert seen.errors == []
    assert seen.hosts() == {"127.0.0.1"}


def test_texts_are_shown_as_they_were_written(annotating, page):
    page.goto(annotating.address)
    page.locator("#pair").wait_for()
    sides = {page.locator(box).text_content() for box in ("#left", "#right")}
    assert any(text.startswith(HOSTILE) for text in sides)
    assert page.locator("#pair img, #pair script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_columns_are_equally_high_and_scroll_and_a_narrow_window_has_one(annotating, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1200, "height": 700})
    page.goto(annotating.address)
    page.locator("#pair").wait_for()
    boxes = [page.locator(box).bounding_box() for box in ("#left", "#right")]
    assert (boxes[0]["y"], boxes[0]["height"]) == (boxes[1]["y"], boxes[1]["height"])
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.keyboard.press("PageDown")
    scrolled = "Math.max(...['left', 'right'].map(id => document.getElementById(id).scrollTop))"
    assert page.evaluate(scrolled) > 0

    page.set_viewport_size({"width": 360, "height": 700})
    boxes = [page.locator(box).bounding_box() for box in ("#left", "#right")]
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button = page.locator("[data-choice=left]").bounding_box()
    assert button["y"] + button["height"] <= 700


def test_a_port_in_use_a_second_server_and_a_wrong_name_end_in_one_message(cli, run, annotating):
    at = ("--runs", run.folder.parent, "--run", run.name, "--no-open")
    second = cli("annotate", MODEL, OPPONENT, *at)
    assert (second.code, second.out) == (2, "")
    assert "Another srlm annotate" in second.err
    unknown = cli("annotate", "nobody", OPPONENT, *at)
    assert (unknown.code, unknown.out) == (2, "")
    assert "'nobody' does not exist" in unknown.err
    annotating.kill()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = cli("annotate", MODEL, OPPONENT, *at, "--port", taken.getsockname()[1])
    assert (port.code, port.out) == (2, "")
    assert "is in use" in port.err
    for result in (second, unknown, port):
        assert len(result.errors) == 1
        assert result.err.count("\n") == 1


def test_a_page_elsewhere_gets_nothing(annotating):
    where = urlsplit(annotating.address)
    for host, status in (("rebound.example", 403), (where.netloc, 200)):
        connection = HTTPConnection(where.hostname, where.port, timeout=30)
        connection.request("GET", "/", headers={"Host": host})
        assert connection.getresponse().status == status
        connection.close()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", where.port), timeout=5):
        pass


def test_nobody_voted(annotating):
    assert "There are no votes" in annotating.interrupt()
