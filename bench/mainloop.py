# Reads the disassembly of a kernel and prints the instructions of its main loop, for mca.sh and mca-arm64.sh: all those
# that a call without ignored rows runs through. Its argument is the architecture, amd64 or arm64.
import re
import sys

# How a jump is written, and which conditional jumps are not taken: amd64, those over the stores of an output; arm64,
# those that leave out an output.
jump, falls_through = {
    "amd64": (r"j\w+\s+([0-9a-f]+)", lambda text, skipped: all(re.match(r"vmovup\w\s+%[yz]mm\d+,", x) for x in skipped)),
    "arm64": (r"(?:b\.?\w*|cbn?z\s+\w+,)\s+0x([0-9a-f]+)", lambda text, skipped: re.match(r"cbz\s+x[234],", text)),
}[sys.argv[1]]

code = []
for line in sys.stdin:
    m = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
    if m:
        text = re.sub("<[^>]*>", "", m.group(2))
        if sys.argv[1] == "amd64":
            text = text.split("#")[0]
        code.append((int(m.group(1), 16), text.strip()))
index = {address: i for i, (address, _) in enumerate(code)}


def target(text):
    m = re.match(jump, text)
    return index.get(int(m.group(1), 16)) if m else None


# The first jump backwards ends the main loop.
end = next(i for i, (_, text) in enumerate(code) if target(text) is not None and target(text) < i)
i = target(code[end][1])
while i < end:
    text = code[i][1]
    to = target(text)
    if to is None:
        print(text)
    elif not falls_through(text, [x for _, x in code[i + 1:to]]):
        i = to
        continue
    i += 1
