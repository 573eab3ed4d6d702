"""Draws the pictures of the documentation from what bench/peers hands over on standard input: peer.go knows which
peers, in which order, and under what names. Usage: plot.py DIRECTORY

A picture is as wide as a telephone. It is light, or dark where the reader prefers that.
"""

import io
import json
import sys

import matplotlib

matplotlib.use("svg")

# Those of "focal report".
TEXT, GRID, OURS, OTHERS, BACKGROUND = "#1f2328", "#d8dee4", "#d55e00", "#666666", "#ffffff"
DARK = {TEXT: "#e6edf3", GRID: "#30363d", OURS: "#f08c4a", OTHERS: "#aaaaaa", BACKGROUND: "#0d1117"}

matplotlib.rcParams["svg.hashsalt"] = "focal"  # the same bytes for the same figures
matplotlib.rcParams["font.size"] = 10
for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
    matplotlib.rcParams[name] = TEXT

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter


def plain(v):
    """Three significant digits, as in the tables."""
    if v < 1e5:
        return "%.0f" % v if v >= 100 else ("%#.3g" % v).rstrip(".")
    mantissa, exponent = ("%.1e" % v).split("e")
    power = "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(d)] for d in str(int(exponent)))
    return power if mantissa == "1.0" else mantissa + "·" + power


def themed(svg):
    """Adds a rule for each colour that makes it the dark one."""
    rules = "".join(
        '[style*="%s: %s"]{%s:%s!important}' % (p, light, p, dark) for light, dark in DARK.items() for p in ("fill", "stroke"))
    head, rest = svg.split("<defs>", 1)
    return head + "<style>@media (prefers-color-scheme:dark){" + rules + "}</style>\n <defs>" + rest


def bars(peers, key, title, label, file):
    peers = sorted((p for p in peers if p[key] is not None), key=lambda p: p[key])
    values = [p[key] for p in peers]
    fig, ax = plt.subplots(figsize=(5.5, 0.3 * len(peers) + 1.2))
    ax.barh([p["name"] for p in peers], values, color=[OURS if p["ours"] else OTHERS for p in peers], height=0.7)
    ax.set_xscale("log")
    ax.invert_yaxis()
    ax.set_xlim(min(values) / 2, max(values) * (max(values) / min(values)) ** 0.25)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: "%g" % v if v < 1e5 else plain(v)))
    ax.set_xlabel(label)
    fig.suptitle(title, x=0.02, ha="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color=GRID, zorder=0)
    ax.set_axisbelow(True)
    for i, v in enumerate(values):
        ax.annotate(plain(v), (v, i), (4, 0), textcoords="offset points", va="center", fontsize=9)
    fig.tight_layout()
    svg = io.StringIO()
    fig.savefig(svg, format="svg", facecolor=BACKGROUND, metadata={"Date": None})
    with open(file, "w") as f:
        f.write(themed(svg.getvalue()))


def main():
    peers = json.load(sys.stdin)
    bars(peers, "ns", "Focal loss, float32, γ = 2, 1024×80, one core: time", "ns per element, logarithmic",
         sys.argv[1] + "/peers-speed.svg")
    bars(peers, "worst", "Focal loss, float32, γ = 2, |x| ≤ 20: worst error", "units in the last place, logarithmic",
         sys.argv[1] + "/peers-error.svg")


main()
