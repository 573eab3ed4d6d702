#!/bin/sh
# Makes testdata/oracle64.bin.gz again, byte for byte. Needs gcc, gzip and libmpfr-dev.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
gcc -O2 -Wall -Wextra -ffp-contract=off oracle.c -o "$tmp/oracle" -lmpfr -lgmp
"$tmp/oracle" >"$tmp/oracle64.bin"
gzip -9n <"$tmp/oracle64.bin" >../../testdata/oracle64.bin.gz
