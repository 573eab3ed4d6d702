// Package arm64 checks of the NEON kernels what Go's assembler and vet do not: the instructions that kernel_arm64.h encodes
// by hand, because the assembler does not know them, and the sizes of the frames. Either would be assembled wrong without a
// word. It has tests only, in the module of the generator, which keeps the disassembler away from who imports focal.
package arm64
