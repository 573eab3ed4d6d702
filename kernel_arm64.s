//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "kernel_arm64.h"

// BEGIN is for all functions, after N has been loaded to END.
#define BEGIN(constants) MOVD constants(SB), CONSTS; MOVD ZR, INDEX; LSL $EL(2, 3), END

// LOOP is the loop over the groups, for what is done with one of them.
#define LOOP(body) \
loop:                                                                                        \
	body;                                                                                \
	ADD $64, INDEX; CMP END, INDEX; BLT loop

// ENTER loads the arguments of a kernel, and copies its parameters to where vectors of them are read. The first slot is at
// 16(RSP).
#define ENTER(constants, loss, grad, plan) \
	ADD $16, RSP, FRAME; MOVD const_argsN(ARGS), END; BEGIN(constants);                  \
	MOVD const_argsU(ARGS), U; MOVD loss(ARGS), LOSS; MOVD grad(ARGS), GRAD;             \
	WEIGHT(W, WEACH, const_argsW, const_argsWeight, slotW, w);                           \
	MOVD plan(ARGS), ADDRESS;                                                            \
	PARAMETER(const_planGamma, slotGamma); PARAMETER(const_planHessOne, slotHessOne);    \
	PARAMETER(const_planPowHi, slotPowHi); PARAMETER(const_planPowLo, slotPowLo);        \
	PARAMETER(const_planPowHiDown, slotPowHiDown)
#define PARAMETER(field, slot) \
	EL(MOVWU, MOVD) field*EL(4, 8)(ADDRESS), VALUE; BROADCAST; STRQ(K0, nFRAME, slot)
#define WEIGHT(array, each, field, weight, slot, have) \
	MOVD field(ARGS), array; MOVD $-1, each; CBNZ array, have;                           \
	EL(MOVWU, MOVD) weight(ARGS), VALUE; BROADCAST;                                      \
	STPQ(K0, K0, nFRAME, slot); STPQ(K0, K0, nFRAME, slot+32);                           \
	ADD $slot, FRAME, array; MOVD ZR, each;                                              \
have:

#define ENTER32 ENTER(·neonF32, const_argsLoss32, const_argsGrad32, const_argsPlan32)
#define ENTER64 ENTER(·neonF64, const_argsLoss64, const_argsGrad64, const_argsPlan64)

#define EL(f32, f64) f32

TEXT ·lossSquareF32NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF32NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradSquare)
	RET

TEXT ·lossPowerF32NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossPower)
	RET

TEXT ·gradPowerF32NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradPower)
	RET

TEXT ·sumF32NEON(SB), 0, $0-24
	MOVD s+0(FP), SUMS
	MOVD loss+8(FP), LOSS
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	load(g0, nSUMS, 0); load(g1, nSUMS, 64)
	LOOP(sum32)
	store(g0, nSUMS, 0); store(g1, nSUMS, 64)
	RET

TEXT ·mulF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD dout+8(FP), U
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(multiply)
	RET

TEXT ·expandF32NEON(SB), 0, $32-56
	MOVD u+0(FP), LOSS
	MOVD w+8(FP), W
	MOVD x+16(FP), U
	MOVD pos+24(FP), POS
	MOVD keep+32(FP), KEEP
	MOVD n+40(FP), END
	BEGIN(·neonF32)
	MOVWU wNeg+48(FP), VALUE
	BROADCAST; VMOV(K2, K0)
	MOVWU wPos+52(FP), VALUE
	BROADCAST; VMOV(K1, K0)
	MOVD $-1, KEEPEACH
	CBNZ KEEP, keep
	MOVD KEEPEACH, all-8(SP) // all are kept
	MOVD $all-8(SP), KEEP
	MOVD ZR, KEEPEACH
keep:
	LOOP(expand)
	RET

TEXT ·flipF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD pos+8(FP), POS
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(flip)
	RET

#undef EL
#define EL(f32, f64) f64

TEXT ·lossSquareF64NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF64NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradSquare)
	RET

TEXT ·lossPowerF64NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossPower)
	RET

TEXT ·gradPowerF64NEON(SB), 0, $480-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradPower)
	RET

TEXT ·sumF64NEON(SB), 0, $0-24
	MOVD s+0(FP), SUMS
	MOVD loss+8(FP), LOSS
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	load(g0, nSUMS, 0); load(g1, nSUMS, 64)
	load(g2, nSUMS, const_sumsLo); load(g3, nSUMS, const_sumsLo+64)
	LOOP(sum64)
	store(g2, nSUMS, const_sumsLo); store(g3, nSUMS, const_sumsLo+64)
	store(g0, nSUMS, 0); store(g1, nSUMS, 64)
	RET

TEXT ·mulF64NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD dout+8(FP), U
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	LOOP(multiply)
	RET

TEXT ·expandF64NEON(SB), 0, $32-64
	MOVD u+0(FP), LOSS
	MOVD w+8(FP), W
	MOVD x+16(FP), U
	MOVD pos+24(FP), POS
	MOVD keep+32(FP), KEEP
	MOVD n+40(FP), END
	BEGIN(·neonF64)
	MOVD wNeg+48(FP), VALUE
	BROADCAST; VMOV(K2, K0)
	MOVD wPos+56(FP), VALUE
	BROADCAST; VMOV(K1, K0)
	MOVD $-1, KEEPEACH
	CBNZ KEEP, keep
	MOVD KEEPEACH, all-8(SP) // all are kept
	MOVD $all-8(SP), KEEP
	MOVD ZR, KEEPEACH
keep:
	LOOP(expand)
	RET

TEXT ·flipF64NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD pos+8(FP), POS
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	LOOP(flip)
	RET
