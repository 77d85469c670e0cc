#!/usr/bin/env python3
"""Draws what benchmarks/filter prints: queries a second, as a share of the unfiltered, against what the condition matches.

    filter DATA text DIRECTORY > table.md;  plot.py table.md TITLE > picture.svg

A panel for each k, both axes logarithmic, a line for each kind of condition. Readable on light and dark pages.
"""
import math
import sys

INKS = {"chance": ("#0550ae", "#79c0ff"), "no index": ("#6e7781", "#8b949e"), "correlated": ("#1a7f37", "#56d364"),
        "anti-correlated": ("#bc4c00", "#ffa657")}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 56, 130, 34, 46
LEAST_SHARE, LEAST_RATIO, MOST_RATIO = 0.01, 0.1, 30.0  # in percent; of the unfiltered rate


def rows_of(path):
    """Yields k, condition, matching percent and ratio for each row that the table has."""
    with open(path, encoding="utf-8") as table:
        for line in table:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 7 and cells[0].endswith("%") and cells[1] in INKS:
                yield int(cells[2]), cells[1], float(cells[0].rstrip(" %")), float(cells[4])


def x_of(percent):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(percent / LEAST_SHARE) / math.log10(100 / LEAST_SHARE)


def y_of(ratio):
    ratio = min(max(ratio, LEAST_RATIO), MOST_RATIO)
    return TOP + (HEIGHT - TOP - BOTTOM) * math.log10(MOST_RATIO / ratio) / math.log10(MOST_RATIO / LEAST_RATIO)


def panel(k, lines, offset):
    """The drawing of one k, moved down by `offset` pixels."""
    out = [f'<g transform="translate(0 {offset})">', f'<text x="{LEFT}" y="18">k = {k}</text>']
    for percent in (0.01, 0.1, 1, 10, 100):
        x = x_of(percent)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{percent:g} %</text>')
    for ratio in (0.1, 0.3, 1, 3, 10, 30):
        y = y_of(ratio)
        out.append(f'<path class="{"one" if ratio == 1 else "grid"}" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{ratio:g}</text>')
    labels = []
    for number, (name, points) in enumerate(lines.items()):
        points.sort()
        path = " ".join(f"{x_of(percent):.1f},{y_of(ratio):.1f}" for percent, ratio in points)
        out.append(f'<polyline class="ink{list(INKS).index(name)}" points="{path}"/>')
        labels.append([y_of(points[-1][1]) + 4, name])
    labels.sort()
    for number, label in enumerate(labels):
        if number > 0:
            label[0] = max(label[0], labels[number - 1][0] + 15)
        out.append(f'<text class="name{list(INKS).index(label[1])}" x="{WIDTH - RIGHT + 6}" y="{label[0]:.1f}">{label[1]}</text>')
    out.append("</g>")
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    panels = {}
    for k, name, percent, ratio in rows_of(sys.argv[1]):
        panels.setdefault(k, {}).setdefault(name, []).append((percent, ratio))
    if not panels:
        sys.exit(f"{sys.argv[1]}: holds no table of benchmarks/filter")
    style = ["text{font:13px sans-serif;fill:#59636e}", ".grid{stroke:#d1d9e0}", ".one{stroke:#59636e}",
             "polyline{fill:none;stroke-width:2}"]
    dark = ["text{fill:#9198a1}", ".grid{stroke:#3d444d}", ".one{stroke:#9198a1}"]
    for number, (light_ink, dark_ink) in enumerate(INKS.values()):
        for inks, ink in ((style, light_ink), (dark, dark_ink)):
            inks.append(f".ink{number}{{stroke:{ink}}}.name{number}{{fill:{ink}}}")
    height = 30 + HEIGHT * len(panels)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">')
    print("<style>" + "".join(style) + "@media(prefers-color-scheme:dark){" + "".join(dark) + "}</style>")
    print(f'<text x="{LEFT}" y="20">{sys.argv[2]}: rate of the unfiltered search, by what the condition matches</text>')
    for number, (k, lines) in enumerate(sorted(panels.items())):
        print("\n".join(panel(k, lines, 30 + HEIGHT * number)))
    print("</svg>")


if __name__ == "__main__":
    main()
