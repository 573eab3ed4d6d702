#!/usr/bin/env python3
"""Prints what llvm-mca says of the kernels' loops, those that several share included: instructions per vector, and the cycles per
element that the model of a CPU needs at least, because pipes of one sort are occupied, and in its simulation. It is a model, not a
measurement. Needs Go and LLVM 19 (Debian: llvm-19).

    bench/mca.py [-arm64] [cpu ...]
"""
import os
import re
import subprocess
import sys
import tempfile

OPERATIONS = ("loss", "grad", "hess", "softLoss", "softGrad")
CPUS = {"amd64": ["znver3", "znver4", "skylake", "sapphirerapids"], "arm64": ["neoverse-n1", "neoverse-v2", "apple-m1"]}
NO_AVX512 = ("znver3", "skylake")


def run(*command, **environment):
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment}).stdout


def loops(arch, binary, symbol):
    """The innermost loops of a function and of the local ones that it calls."""
    text = run("llvm-objdump-19", "-d", "--no-show-raw-insn", "--disassemble-symbols=" + symbol, binary)
    comment, jump = {"amd64": ("#", r"j\w+\s+"), "arm64": ("//", r"(?:b\.?\w*|cbn?z\s+\w+,)\s+")}[arch]
    code = [(int(m[1], 16), m[2].split(comment)[0].strip()) for m in re.finditer(r"^\s*([0-9a-f]+):\s+(.*)$", text, re.M)]
    index = {address: i for i, (address, _) in enumerate(code)}
    found, own = [], []
    for i, (_, text) in enumerate(code):
        if m := re.match(r"(?:callq?|bl)\s+0x[0-9a-f]+ <(.*)>$", text):
            if "morestack" not in m[1]:
                found += loops(arch, binary, m[1])
        elif m := re.match(jump + r"0x([0-9a-f]+)", text):
            start = index.get(int(m[1], 16), i + 1)
            if 0 < start <= i and not any(start <= a for a, _ in own):
                own.append((start, i))
    return found + [[re.sub("<[^>]*>", "", t) for _, t in code[a:b]] for a, b in own]


def model(arch, body, cpu):
    """Cycles at least, and in the simulation."""
    with tempfile.NamedTemporaryFile("w", suffix=".s") as f:
        f.write("\n".join(body) + "\n")
        f.flush()
        extra = ["-march=aarch64", "-noalias"] if arch == "arm64" else []
        report = run("llvm-mca-19", "-mcpu=" + cpu, "-iterations=100", *extra, f.name)
    simulated = float(re.search(r"Total Cycles:\s+(\d+)", report)[1]) / 100
    if arch == "amd64":
        return float(re.search(r"Block RThroughput:\s+([\d.]+)", report)[1]), simulated
    names = re.findall(r"^\[[\d.]+\]\s+- (\w+?)\d*$", report, re.M)
    pressure = re.search(r"Resource pressure per iteration:\n.*\n(.*)", report)[1].split()
    sorts = {}
    for name, p in zip(names, pressure):
        sorts.setdefault(name, []).append(0 if p == "-" else float(p))
    return max(sum(p) / len(p) for p in sorts.values()), simulated


def elements(arch, body, size):
    """How many elements a turn of a loop is for."""
    if arch == "arm64":
        return 64 // size  # four vectors
    return next(int(m[1], 0) for t in reversed(body) if (m := re.match(r"addq\s+\$(\w+), %rcx", t))) // size


def main():
    arch, cpus = "amd64", sys.argv[1:]
    if cpus[:1] == ["-arm64"]:
        arch, cpus = "arm64", cpus[1:]
    cpus = cpus or CPUS[arch]
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with tempfile.TemporaryDirectory() as tmp:
        binary = os.path.join(tmp, "focal.test")
        run("go", "test", "-c", "-o", binary, ".", GOARCH=arch, CGO_ENABLED="0")
        print("| kernel | instructions per vector | " + " | ".join(cpus) + " |\n|---|---|" + "---|" * len(cpus))
        for typ, family, op in ((t, f, o) for t in ("F32", "F64") for f in ("Square", "Power") for o in OPERATIONS):
            for path, vector in {"amd64": (("AVX2", 32), ("AVX512", 64)), "arm64": (("NEON", 16),)}[arch]:
                name, size = op + family + typ + path, 4 if typ == "F32" else 8
                bodies = loops(arch, binary, "github.com/gofocal/focal." + name + ".abi0")
                count = sum(len(b) / elements(arch, b, size) for b in bodies) * vector / size
                cells = []
                for cpu in cpus:
                    if path == "AVX512" and cpu in NO_AVX512:
                        cells.append("")
                        continue
                    cycles = [[c / elements(arch, b, size) for c in model(arch, b, cpu)] for b in bodies]
                    cells.append("{:.2f}, {:.2f}".format(*map(sum, zip(*cycles))))
                print(f"| {name} | {count:.0f} | " + " | ".join(cells) + " |")


main()
