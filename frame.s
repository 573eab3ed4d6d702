//go:build gc && !purego && (amd64 || arm64)

#include "funcdata.h"

#ifdef GOARCH_amd64
#define MOVE MOVQ
#define JOB AX
#define PASS_JOB_AND_SCRATCH \
	LEAQ 79(SP), BX  \ // the scratch: behind both arguments, at a multiple of 64
	ANDQ $-64, BX    \
	MOVQ JOB, 0(SP)  \
	MOVQ BX, 8(SP)
#endif

#ifdef GOARCH_arm64
#define MOVE MOVD
#define JOB R0
#define PASS_JOB_AND_SCRATCH \
	ADD  $87, RSP, R1 \ // the same, and behind the link register's place
	AND  $~63, R1, R1 \
	MOVD JOB, 8(RSP)  \
	MOVD R1, 16(RSP)
#endif

// func inFrameF32(j *job[float32])
TEXT ·inFrameF32(SB), 0, $46552-8
	NO_LOCAL_POINTERS
	MOVE j+0(FP), JOB
	PASS_JOB_AND_SCRATCH
	CALL ·workF32(SB)
	RET

// func inFrameF64(j *job[float64])
TEXT ·inFrameF64(SB), 0, $59288-8
	NO_LOCAL_POINTERS
	MOVE j+0(FP), JOB
	PASS_JOB_AND_SCRATCH
	CALL ·workF64(SB)
	RET
