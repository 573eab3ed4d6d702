#!/bin/bash
# Prints what llvm-mca says of the arm64 kernels' main loops: instructions per vector, and the cycles per element that the
# model of a CPU needs at least and in its simulation. At least are those in which pipes of one sort are occupied, shared
# out evenly. It is a model, not a measurement. Needs python3 and LLVM 19. What a call without a sum, ignored rows and
# upstream gradients jumps over is left out; loads are taken not to wait for stores.
#
#	bench/mca-arm64.sh [cpu …]
set -euo pipefail
cd "$(dirname "$0")/.."
(($#)) || set -- neoverse-n1 neoverse-v2 apple-m1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
GOARCH=arm64 CGO_ENABLED=0 go test -c -o "$tmp/focal.test" .
for kernel in {loss,grad,hess,softLoss,softGrad}{Square,Power}F{32,64}NEON sigmoidF{32,64}NEON; do
	llvm-objdump-19 -d --no-show-raw-insn --disassemble-symbols="github.com/gofocal/focal.$kernel.abi0" "$tmp/focal.test" |
		python3 bench/mainloop.py arm64 >"$tmp/loop.s"
	for cpu; do
		llvm-mca-19 -march=aarch64 -mcpu="$cpu" -iterations=200 "$tmp/loop.s" >"$tmp/report"
		python3 - "$kernel" "$cpu" "$tmp/loop.s" "$tmp/report" <<-'EOF'
			import re, sys
			kernel, cpu, loop, report = sys.argv[1], sys.argv[2], open(sys.argv[3]).read(), open(sys.argv[4]).read()
			lanes = 4 if "F32" in kernel else 2
			vectors = len(re.findall(r"ldp.*\[x16", loop)) * 2 // (2 if "oft" in kernel else 1)
			cycles = float(re.search(r"Total Cycles:\s+(\d+)", report).group(1)) / 200
			pipes = re.findall(r"^\[[\d.]+\]\s+- (\w+?)\d*$", report, re.M)
			pressure = re.search(r"Resource pressure per iteration:\n.*\n(.*)", report).group(1).split()
			shared = {}
			for pipe, p in zip(pipes, pressure):
			    shared.setdefault(pipe, []).append(0 if p == "-" else float(p))
			bound = max(sum(p) / len(p) for p in shared.values())
			n = lanes * vectors
			print(f"{kernel:22} {cpu:12} {len(loop.splitlines())/vectors:6.1f} instructions per vector; cycles per element: "
			      f"at least {bound/n:5.2f}, simulated {cycles/n:5.2f}")
		EOF
	done
done
