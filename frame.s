//go:build gc && !purego && (amd64 || arm64)

#include "funcdata.h"

#ifdef GOARCH_amd64
#define MOVE MOVQ
#define JOB AX
#define TOTAL CX
#define PASS_ALL \
	LEAQ 87(SP), BX   \ // the scratch: behind the arguments, at a multiple of 64
	ANDQ $-64, BX     \
	MOVQ JOB, 0(SP)   \
	MOVQ TOTAL, 8(SP) \
	MOVQ BX, 16(SP)
#endif

#ifdef GOARCH_arm64
#define MOVE MOVD
#define JOB R0
#define TOTAL R2
#define PASS_ALL \
	ADD  $95, RSP, R1   \ // the same, and behind the link register's place
	AND  $~63, R1, R1   \
	MOVD JOB, 8(RSP)    \
	MOVD TOTAL, 16(RSP) \
	MOVD R1, 24(RSP)
#endif

// func inFrameF32(j *job[float32], total *exact.Total)
TEXT ·inFrameF32(SB), 0, $46568-16
	NO_LOCAL_POINTERS
	MOVE j+0(FP), JOB
	MOVE total+8(FP), TOTAL
	PASS_ALL
	CALL ·workF32(SB)
	RET

// func inFrameF64(j *job[float64], total *exact.Total)
TEXT ·inFrameF64(SB), 0, $59304-16
	NO_LOCAL_POINTERS
	MOVE j+0(FP), JOB
	MOVE total+8(FP), TOTAL
	PASS_ALL
	CALL ·workF64(SB)
	RET
