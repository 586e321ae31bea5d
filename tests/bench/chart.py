# SPDX-License-Identifier: Apache-2.0
"""The benchmark's rows as an SVG bar chart: ours, the peers', and where the budget ends, on a log scale."""

import math
from dataclasses import dataclass
from html import escape

LABEL_WIDTH = 380
PLOT_WIDTH = 520
MARGIN = 20
BAR_HEIGHT = 9
ROW_GAP = 12
HEAD_HEIGHT = 58
VALUE_WIDTH = 90

OURS, OVER, PEER, LINUX, BUDGET, GRID, TEXT = (
    "#1f6feb", "#d1495b", "#9aa5b1", "#e3a857", "#111111", "#e6e9ec", "#24292f",
)  # fmt: skip


@dataclass(frozen=True)
class Bars:
    """One row of the chart; what is None has no bar."""

    label: str
    ours: float | None
    budget: float
    peer: float | None
    peer_name: str
    linux: float | None
    met: bool


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


class Chart:
    def __init__(self, rows: list[Bars]) -> None:
        self.rows = rows
        values = [value for row in rows for value in (row.ours, row.budget, row.peer, row.linux) if value]
        self.low = math.floor(math.log10(min(values)))
        self.high = math.ceil(math.log10(max(values)))
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        """Where a bar of this value ends."""
        share = (math.log10(max(value, 10**self.low)) - self.low) / max(self.high - self.low, 1)
        return LABEL_WIDTH + share * PLOT_WIDTH

    def bar(self, y: float, value: float, color: str, note: str) -> float:
        self.parts.append(rectangle(LABEL_WIDTH, y, self.x(value) - LABEL_WIDTH, BAR_HEIGHT, color))
        self.parts.append(text(self.x(value) + 4, y + BAR_HEIGHT - 1, f"{value:,.0f}{note}", size=9))
        return y + BAR_HEIGHT + 1

    def row(self, y: float, row: Bars) -> float:
        top = y
        self.parts.append(text(LABEL_WIDTH - 8, y + BAR_HEIGHT, row.label, "end"))
        if row.ours is not None:
            y = self.bar(y, row.ours, OURS if row.met else OVER, "")
        if row.peer is not None:
            y = self.bar(y, row.peer, PEER, f" {row.peer_name}")
        if row.linux is not None:
            y = self.bar(y, row.linux, LINUX, " Linux, live")
        y = max(y, top + BAR_HEIGHT)
        self.parts.append(rectangle(self.x(row.budget) - 1, top - 2, 2, y - top + 3, BUDGET))
        return y + ROW_GAP

    def grid(self, bottom: float) -> list[str]:
        lines = []
        for power in range(self.low, self.high + 1):
            x = self.x(10**power)
            lines.append(rectangle(x, HEAD_HEIGHT - 8, 1, bottom - HEAD_HEIGHT, GRID))
            lines.append(text(x, HEAD_HEIGHT - 12, f"{10**power:,}", "middle", 9))
        return lines

    def legend(self) -> list[str]:
        parts = [text(MARGIN, 20, "Nexus: executed guest instructions of one operation", size=14)]
        x = float(LABEL_WIDTH)
        for color, words in ((OURS, "within budget"), (OVER, "over it"), (PEER, "best peer"), (BUDGET, "budget")):
            parts += [rectangle(x, 26, 9, 9, color), text(x + 13, 34, words, size=10)]
            x += 110
        return parts

    def draw(self) -> str:
        y = float(HEAD_HEIGHT)
        for row in self.rows:
            y = self.row(y, row)
        width = LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH + MARGIN
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + MARGIN:.0f}" '
            f'font-family="sans-serif" fill="{TEXT}">'
        )
        background = rectangle(0, 0, width, y + MARGIN, "#ffffff")
        return "\n".join([head, background, *self.grid(y), *self.legend(), *self.parts, "</svg>"]) + "\n"
