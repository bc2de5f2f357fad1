"""A decision as JUnit XML, which CI servers read: a test case for each rule and for each thing asked of the judge.

A regression is a failure. An open rule and a broken judge are errors: the test could not be carried out, and must not
look as if it had been passed. What the policy asks of a card that a suite does not have is skipped.
"""

import re
import xml.etree.ElementTree as ET

from evals.gate.decision import Decision
from evals.gate.messages import check_cells, check_sentence, finding_words, headline
from srlm.escape import escape_workflow_commands, one_line

SUITE = "srlm gate"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, not even escaped."""


def as_junit(decision: Decision) -> str:
    """The whole document."""
    name = _clean(f"{SUITE}: {decision.candidate} against {decision.baseline}")
    suite = ET.Element("testsuite", name=name)
    for finding in decision.findings:
        words = finding_words(finding)
        case = _case(suite, "rule", f"{finding.rule.metric} {finding.rule.kind}")
        if finding.verdict != "pass":
            failed = "failure" if finding.verdict == "regression" else "error"
            _result(case, failed, finding.verdict, words.sentence)
        ET.SubElement(case, "system-out").text = _clean(words.sentence)
    for check in decision.checks:
        label, of, *_ = check_cells(check)
        case = _case(suite, "judge", f"{label}, {of}")
        if check.state == "broken":
            _result(case, "error", "judge broken", check_sentence(check))
        elif check.state == "unknown":
            ET.SubElement(case, "skipped", message="the suite has no card of its judge")
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
