//go:build gc && !purego

#include "funcdata.h"

// func inFrameF32(j *job[float32])
TEXT ·inFrameF32(SB), 0, $44824-8
	NO_LOCAL_POINTERS
	MOVQ j+0(FP), AX
	LEAQ 79(SP), BX
	ANDQ $-64, BX
	MOVQ AX, 0(SP)
	MOVQ BX, 8(SP)
	CALL ·workF32(SB)
	RET

// func inFrameF64(j *job[float64])
TEXT ·inFrameF64(SB), 0, $55768-8
	NO_LOCAL_POINTERS
	MOVQ j+0(FP), AX
	LEAQ 79(SP), BX
	ANDQ $-64, BX
	MOVQ AX, 0(SP)
	MOVQ BX, 8(SP)
	CALL ·workF64(SB)
	RET
