"""Draws the pictures of the documentation from what bench/peers hands over on standard input: peer.go knows which
peers, in which order, and under what names. Usage: plot.py DIRECTORY
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "focal"  # the same bytes for the same figures
matplotlib.rcParams["font.size"] = 10

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter


def plain(v):
    if v < 1e5:
        return "%.0f" % v if v >= 100 else "%.3g" % v
    mantissa, exponent = ("%.1e" % v).split("e")
    power = "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(d)] for d in str(int(exponent)))
    return power if mantissa == "1.0" else mantissa + "·" + power


def bars(peers, key, title, label, file):
    peers = sorted((p for p in peers if p[key] is not None), key=lambda p: p[key])
    values = [p[key] for p in peers]
    fig, ax = plt.subplots(figsize=(7.5, 0.32 * len(peers) + 1.1))
    ax.barh([p["name"] for p in peers], values, color=["#c2410c" if p["ours"] else "#64748b" for p in peers], height=0.7)
    ax.set_xscale("log")
    ax.invert_yaxis()
    ax.set_xlim(min(values) / 2, max(values) * (max(values) / min(values)) ** 0.15)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: plain(v)))
    ax.set_xlabel(label)
    ax.set_title(title, loc="left", fontsize=10.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#e2e8f0", zorder=0)
    ax.set_axisbelow(True)
    for i, v in enumerate(values):
        ax.text(v * 1.08, i, plain(v), va="center", fontsize=9)
    fig.tight_layout()
    fig.savefig(file, facecolor="white", metadata={"Date": None})


def main():
    peers = json.load(sys.stdin)
    bars(peers, "ns", "Focal loss, float32, γ = 2, 1024×80, one core", "ns per element, logarithmic: shorter is faster",
         sys.argv[1] + "/peers-speed.svg")
    bars(peers, "worst", "The same, worst error for |x| ≤ 20", "units in the last place, logarithmic: shorter is more accurate",
         sys.argv[1] + "/peers-error.svg")


main()
