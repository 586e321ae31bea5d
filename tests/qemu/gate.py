# SPDX-License-Identifier: Apache-2.0
"""The gate: marker files, the part of them that a topology expects, and the verdict on a boot log.

The format of the marker files is explained at the top of tests/markers/boot.txt.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

MARKER_DIRECTORY = Path(__file__).resolve().parent.parent / "markers"

FIELDS = {
    "number": r"[0-9]+",
    "hex": r"0x[0-9a-f]+",
    "text": r".*",
    "any": r"[0-3]",
}
SECTION = re.compile(r"\[(order\s+(?P<chain>[\w-]+)|anywhere|absent)(\s+if\s+(?P<conditions>[^]]+))?\]")


class MarkerFileError(Exception):
    """A marker file that does not follow its format."""


@dataclass(frozen=True)
class Topology:
    """What a profile boots, as far as the expected markers depend on it."""

    smp: int = 4
    disk: bool = True
    selftest: bool = True

    def holds(self, condition: str) -> bool:
        truths = {
            "smp>1": self.smp > 1,
            "smp=1": self.smp == 1,
            "disk": self.disk,
            "no-disk": not self.disk,
            "selftest": self.selftest,
        }
        if condition not in truths:
            raise MarkerFileError(f"unknown condition: {condition}")
        return truths[condition]


@dataclass(frozen=True)
class Marker:
    """One line that must appear; `text` has its hart indices filled in and may keep value fields."""

    text: str
    repeatable: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(to_regex(self.text))


@dataclass
class Expectation:
    """All that a topology expects. A chain is a list of steps, a step a set of markers in any order."""

    chains: dict[str, list[list[Marker]]] = field(default_factory=dict)
    anywhere: list[Marker] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def markers(self) -> list[Marker]:
        ordered = [marker for steps in self.chains.values() for step in steps for marker in step]
        return ordered + self.anywhere


def to_regex(text: str) -> str:
    parts = re.split(r"\{([\w-]+)\}", text)
    regex = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            regex += re.escape(part)
        elif part in FIELDS:
            regex += FIELDS[part]
        else:
            raise MarkerFileError(f"unknown field {{{part}}} in: {text}")
    return regex


def expand(line: str, topology: Topology) -> list[Marker]:
    """The markers one line of a marker file stands for, one per hart where it says so."""
    repeatable = line.startswith("+ ")
    text = line.removeprefix("+ ").replace("{smp}", str(topology.smp))
    for name, first in (("{each}", 0), ("{secondary}", 1)):
        if name in text:
            harts = range(first, topology.smp)
            return [Marker(text.replace(name, str(hart)), repeatable) for hart in harts]
    return [Marker(text, repeatable)]


def read_markers(path: Path, topology: Topology, into: Expectation) -> None:
    """Add to `into` what one marker file expects of `topology`."""
    section: re.Match[str] | None = None
    wanted = False
    for number, raw in enumerate(path.read_text().splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = SECTION.fullmatch(line)
            if section is None:
                raise MarkerFileError(f"{path.name}:{number}: not a section: {line}")
            conditions = [word.strip() for word in (section["conditions"] or "").split(",") if word.strip()]
            wanted = all([topology.holds(condition) for condition in conditions])
            continue
        if section is None:
            raise MarkerFileError(f"{path.name}:{number}: a marker before the first section")
        joins = line.startswith("& ")
        markers = expand(line.removeprefix("& "), topology)
        for marker in markers:
            to_regex(marker.text)
        if not wanted:
            continue
        if section["chain"]:
            steps = into.chains.setdefault(section["chain"], [])
            if joins and steps:
                steps[-1].extend(markers)
            else:
                steps.append(markers)
        elif section[1] == "anywhere":
            into.anywhere.extend(markers)
        else:
            into.absent.extend(marker.text for marker in markers)


def expectation(topology: Topology, directory: Path = MARKER_DIRECTORY) -> Expectation:
    """What the marker files together expect of `topology`."""
    result = Expectation()
    for path in sorted(directory.glob("*.txt")):
        read_markers(path, topology, result)
    return result


def log_lines(log: bytes) -> list[str]:
    return [line.rstrip("\r") for line in log.decode("utf-8", "replace").split("\n")]


def judge(log: bytes, expected: Expectation) -> list[str]:
    """Every reason why `log` is not what was expected, in words; an empty list is a pass."""
    lines = log_lines(log)
    reasons: list[str] = []
    forbidden = [re.compile(to_regex(text)) for text in expected.absent]
    reasons += [f"forbidden: {line}" for line in lines if any(pattern.search(line) for pattern in forbidden)]

    found: dict[Marker, int] = {}
    for marker in expected.markers():
        pattern = marker.pattern
        at = [number for number, line in enumerate(lines, start=1) if pattern.fullmatch(line)]
        if not at:
            reasons.append(f"missing: {marker.text}")
            continue
        found[marker] = at[0]
        if len(at) > 1 and not marker.repeatable:
            reasons.append(f"repeated: {marker.text} (lines {', '.join(map(str, at))})")

    for steps in expected.chains.values():
        reasons += judge_order(steps, found)
    return reasons


def unreached(log: bytes, expected: Expectation) -> set[str]:
    """The reasons `missing: ...` that a boot ended on purpose is not to blame for: what had not come yet.

    Of a chain that is all after the last marker seen; what may come anywhere may always come later.
    """
    lines = log_lines(log)

    def seen(step: list[Marker]) -> bool:
        return any(marker.pattern.fullmatch(line) for marker in step for line in lines)

    later = list(expected.anywhere)
    for steps in expected.chains.values():
        last = max((number for number, step in enumerate(steps) if seen(step)), default=-1)
        later += [marker for step in steps[last + 1 :] for marker in step]
    return {f"missing: {marker.text}" for marker in later}


def judge_order(steps: list[list[Marker]], found: dict[Marker, int]) -> list[str]:
    """Out-of-order markers of one chain; `found` has the first line of each marker that appeared."""
    reasons: list[str] = []
    latest: Marker | None = None
    for step in steps:
        present = [marker for marker in step if marker in found]
        for marker in present:
            if latest is not None and found[marker] < found[latest]:
                reasons.append(
                    f"out of order: {marker.text} (line {found[marker]}) before {latest.text} (line {found[latest]})"
                )
        candidates = present + ([latest] if latest is not None else [])
        latest = max(candidates, key=lambda marker: found[marker], default=None)
    return reasons
