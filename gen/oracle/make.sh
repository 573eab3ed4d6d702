#!/bin/sh
# Makes testdata/*64.bin.gz again, byte for byte. Needs gcc, gzip and libmpfr-dev.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for name in oracle targets; do
	gcc -O2 -Wall -Wextra -ffp-contract=off "$name.c" -o "$tmp/$name" -lmpfr -lgmp
	"$tmp/$name" >"$tmp/values"
	gzip -9n <"$tmp/values" >"../../testdata/${name}64.bin.gz"
done
