// Package arm64 checks the instructions that kernel_arm64.h encodes by hand, because Go's assembler does not know them: a
// wrong encoding is assembled without a word. It has tests only, in a module of its own so that who imports focal does
// not get a disassembler.
package arm64
