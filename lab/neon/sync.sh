#!/bin/bash
# the package with a test of the kernels alone
set -e
N=..; P=../pkg
rm -rf $P; mkdir -p $P; cd $N
for f in *.go; do case $f in *_test.go) ;; *) cp $f $P;; esac; done
cp kernel_arm64.s kernel_arm64.h kernel_amd64.s go.mod go.sum $P; cp -r internal $P
cp ../k_test.go $P/k_test.go
if [ -n "$NUM" ]; then cd ..; cp kernel_generic.go $P; cp internal/abi/*.go $P/internal/abi/; cp internal/coef/*.go $P/internal/coef/; rm -f $P/kernel_bridge.go; fi
