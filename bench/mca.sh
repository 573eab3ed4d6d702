#!/bin/bash
# Prints what llvm-mca says of the kernels' main loops: instructions per vector, and the cycles per element that the
# model of the CPU needs at least (reciprocal throughput) and in its simulation. Needs binutils, python3 and llvm-mca
# (Debian: llvm-19). What a call for the loss, or for loss and gradient, without a sum jumps over is left out.
#
#	bench/mca.sh [cpu]
set -euo pipefail
cd "$(dirname "$0")/.."
cpu=${1:-znver4}
mca=$(command -v llvm-mca-19 || command -v llvm-mca)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go test -c -o "$tmp/focal.test" .
for kernel in {loss,grad}{Square,Power}F{32,64}{AVX512,AVX2}; do
	objdump -d --no-show-raw-insn --disassemble="github.com/gofocal/focal.$kernel.abi0" "$tmp/focal.test" |
		python3 bench/mainloop.py amd64 >"$tmp/loop.s"
	"$mca" -mcpu="$cpu" -iterations=200 "$tmp/loop.s" >"$tmp/report"
	python3 - "$kernel" "$tmp/loop.s" "$tmp/report" <<-'EOF'
		import re, sys
		kernel, loop, report = sys.argv[1], open(sys.argv[2]).read(), open(sys.argv[3]).read()
		width = (64 if "512" in kernel else 32) // (4 if "F32" in kernel else 8)
		vectors = len(re.findall(r"vdivp[sd]", loop)) or len(re.findall(r"vmaxp[sd]", loop)) // 3
		cycles = float(re.search(r"Total Cycles:\s+(\d+)", report).group(1)) / 200
		bound = float(re.search(r"Block RThroughput:\s+([\d.]+)", report).group(1))
		n = width * vectors
		print(f"{kernel:22} {len(loop.splitlines())/vectors:5.1f} instructions per vector; cycles per element: "
		      f"bound {bound/n:.2f}, simulated {cycles/n:.2f}")
	EOF
done
