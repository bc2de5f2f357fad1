"""Common style of all figures, and conversion of matplotlib's SVG into a part of the page.

Colours are drawn as placeholders and become variables of the page's style, so that one figure serves light, dark and
print. Texts stay texts, in the page's own font. A marker with an address becomes a link with a name and keyboard focus.
Model and category names are shown as they are, and never parsed as mathematics.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from srlm.optional_deps import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
WIN, TIE, LOSS = "#050505", "#060606", "#070707"
SERIES = ("#100000", "#110000", "#120000", "#130000", "#140000", "#150000", "#160000", "#170000")
"""Placeholders, which no figure uses as real colours."""
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--card",
    WIN: "--win",
    TIE: "--tie",
    LOSS: "--loss",
    **{colour: f"--s{place}" for place, colour in enumerate(SERIES)},
}
WIDTH = 820
"""Width of a figure in pixels of the page; 72 to the inch, so that a point is a pixel."""
MIN_SCALE = 0.82
"""The smallest share of its width to which a narrow window scales a figure."""
MAX_LINES = 3
"""Lines of a label at most."""
LABEL_WIDTH = 40
"""Default characters of a line of a label."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
SHAPES = "●■◆▲▼✚✖★"
"""Shapes in addition to the colours, for readers who do not see their difference."""
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "srlm",
    "text.parse_math": False,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 10,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "lines.linewidth": 1.5,
}


def colour(place: int) -> str:
    """Return the colour of a series; from the ninth on they repeat."""
    return SERIES[place % len(SERIES)]


def marker(place: int) -> str:
    """Return the marker of a series; from the ninth on they repeat."""
    return MARKERS[place % len(MARKERS)]


def shape(place: int) -> str:
    """Return the marker of a series as a character, for a legend."""
    return SHAPES[place % len(MARKERS)]


def variable(place: int) -> str:
    """Return the variable of the page's style for the colour of a series."""
    return VARIABLES[colour(place)]


@contextmanager
def drawing(width: float, height: float) -> "Iterator[Drawing]":
    """Yield an empty figure of so many pixels, in the style of the page.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    require("matplotlib", "The report", "report")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # The browser's font has the glyphs that matplotlib's own font lacks.
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*missing.*")
        # Long labels may overlap; the tables of the page have the names in full.
        warnings.filterwarnings("ignore", message=".*(constrained|tight)_?.?layout.*", category=UserWarning)
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        yield figure


def plain(text: str, width: int = LABEL_WIDTH) -> str:
    """Return a name as a label: without characters that XML cannot hold, in lines of about `width`."""
    shown = whole(text)
    if len(shown) <= width:
        return shown
    lines = [""]
    for word in shown.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"{lines[MAX_LINES - 1]} ..."]
    return "\n".join(line if len(line) <= 2 * width else f"{line[: 2 * width]}..." for line in lines)


def whole(text: str) -> str:
    """Return a name in full, for screen readers."""
    return "".join(one if one.isprintable() else " " for one in text)


def to_svg(figure: "Drawing", name: str, alt: str, links: Mapping[str, str], *, focus: bool = True) -> str:
    """Return a figure as a fragment of HTML.

    Args:
        figure: with addresses (`set_url`).
        name: unique in the page.
        alt: a description in a sentence.
        links: the name of each address.
        focus: True to give the links keyboard focus; scatter plots have too many, and a table in addition.
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    # Our own figure, and no document from outside.
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314
    for child in list(root):
        if child.tag in {f"{_SVG}metadata"} or (child.tag == f"{_SVG}defs" and child.find(f"{_SVG}style") is not None):
            root.remove(child)
    _rename(root, name)
    width = float(root.get("width", "").removesuffix("pt"))
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "group")
    root.set("aria-label", whole(alt))
    # In a narrow window it scrolls before its texts become too small to read.
    root.set("style", f"max-width:{width:.0f}px;min-width:{MIN_SCALE * width:.0f}px")
    for element in root.iter():
        if element.tag == f"{_SVG}a":
            _name_link(element, links, focus)
        if style := element.get("style"):
            element.set("style", _themed(style))
        elif element.tag == f"{_SVG}text":
            element.set("style", f"fill:var({VARIABLES[INK]})")
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _name_link(element: Any, links: Mapping[str, str], focus: bool) -> None:
    element.attrib.pop("target", None)
    text = whole(links.get(element.get(_HREF, ""), ""))
    if not focus:
        element.set("tabindex", "-1")
    if text:
        element.set("aria-label", text)
        title = ElementTree.Element(f"{_SVG}title")
        title.text = text
        element.insert(0, title)


def _rename(root: Any, name: str) -> None:
    """Prefix ids that are used with the figure's name, and remove the others, as a page has many figures."""
    used = {
        found
        for element in root.iter()
        for value in element.attrib.values()
        for found in re.findall(r"(?:url\(#|^#)([\w-]+)", value)
    }
    for element in root.iter():
        own = element.get("id")
        if own is not None and own not in used:
            del element.attrib["id"]
        elif own is not None:
            element.set("id", f"{name}-{own}")
        for key, value in list(element.attrib.items()):
            if "url(#" in value:
                element.set(key, re.sub(r"url\(#([\w-]+)\)", rf"url(#{name}-\1)", value))
            elif key == _HREF and value.removeprefix("#") in used and element.tag == f"{_SVG}use":
                element.set(key, f"#{name}-{value.removeprefix('#')}")


def _themed(style: str) -> str:
    style = re.sub(r"font-family: [^;]*;?", "", style)
    style = re.sub(r"font: ([^;]*?) ?'[^;]*", r"font: \1 var(--sans)", style)
    return re.sub(
        r"#[0-9a-f]{6}", lambda found: f"var({VARIABLES[found[0]]})" if found[0] in VARIABLES else found[0], style
    )


def spread(values: Sequence[float], least: float = 0.0) -> tuple[float, float]:
    """Return the ends of an axis, a little beyond the values."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.06, least, 1e-9)
    return low - room, high + room
