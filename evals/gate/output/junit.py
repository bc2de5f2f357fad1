"""A decision as JUnit XML, which CI servers read: a test case for each rule and for each requirement on the judge.

A regression is a failure. An inconclusive rule and a broken judge are errors: the test could not be carried out, and
must not look as if it had passed. Requirements on a judge card that a suite does not have are skipped.
"""

import re
import xml.etree.ElementTree as ET

from evals.gate.decision import Decision
from evals.gate.messages import check_cells, check_sentence, headline, rule_text
from srlm.escape import escape_workflow_commands, one_line

SUITE = "srlm gate"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def as_junit(decision: Decision) -> str:
    """Return the whole document."""
    name = _clean(f"{SUITE}: {decision.candidate} against {decision.baseline}")
    suite = ET.Element("testsuite", name=name)
    for result in decision.results:
        sentence = rule_text(result).sentence
        case = _case(suite, "rule", f"{result.rule.metric} {result.rule.kind}")
        if result.verdict != "pass":
            failed = "failure" if result.verdict == "regression" else "error"
            _result(case, failed, result.verdict, sentence)
        ET.SubElement(case, "system-out").text = _clean(sentence)
    for check in decision.checks:
        label, of, *_ = check_cells(check)
        case = _case(suite, "judge", f"{label}, {of}")
        if check.state == "broken":
            _result(case, "error", "judge broken", check_sentence(check))
        elif check.state == "unknown":
            ET.SubElement(case, "skipped", message="the suite has no judge card")
    for tag, plural in (("testcase", "tests"), ("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(plural, str(len(suite.findall(f".//{tag}"))))
    ET.SubElement(suite, "system-out").text = _clean(headline(decision))
    root = ET.Element("testsuites", {key: value for key, value in suite.attrib.items() if key != "skipped"})
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, kind: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"gate.{kind}", name=_clean(name), time="0")


def _result(case: ET.Element, tag: str, kind: str, sentence: str) -> None:
    ET.SubElement(case, tag, type=kind, message=_clean(sentence))


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("?", escape_workflow_commands(one_line(text)))
