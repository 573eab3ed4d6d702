//go:build gc && !purego

#include "funcdata.h"

// func inFrameF32(j *job[float32])
TEXT ·inFrameF32(SB), 0, $44824-8
	NO_LOCAL_POINTERS
	MOVD j+0(FP), R0
	ADD  $87, RSP, R1
	AND  $~63, R1, R1
	MOVD R0, 8(RSP)
	MOVD R1, 16(RSP)
	CALL ·workF32(SB)
	RET

// func inFrameF64(j *job[float64])
TEXT ·inFrameF64(SB), 0, $55768-8
	NO_LOCAL_POINTERS
	MOVD j+0(FP), R0
	ADD  $87, RSP, R1
	AND  $~63, R1, R1
	MOVD R0, 8(RSP)
	MOVD R1, 16(RSP)
	CALL ·workF64(SB)
	RET
