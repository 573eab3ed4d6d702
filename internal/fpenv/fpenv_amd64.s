//go:build gc && !purego

#include "textflag.h"

// func get() uint64
TEXT ·get(SB), NOSPLIT, $8-8
	STMXCSR mxcsr-8(SP)
	MOVL    mxcsr-8(SP), AX
	MOVQ    AX, ret+0(FP)
	RET

// func set(bits uint64)
TEXT ·set(SB), NOSPLIT, $0-8
	LDMXCSR bits+0(FP)
	RET
