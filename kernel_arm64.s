//go:build gc && !purego

#include "textflag.h"
#include "go_asm.h"
#include "kernel_arm64.h"

// BEGIN is for all functions, after N has been loaded to END.
#define BEGIN(constants) MOVD constants(SB), CONSTS; MOVD ZR, INDEX; LSL $EL(2, 3), END

// LOOP is the loop over the groups, for what is done with one of them.
#define LOOP(body) \
loop:                                                                                           \
	body;                                                                                       \
	ADD $64, INDEX; CMP END, INDEX; BLT loop

// PASSES is the loop over as many groups as have slots, for the passes over them. That long chains of operations are cut lets a
// CPU work on several groups at a time.
#define PASSES(passes) \
chunk:                                                                                          \
	MOVD INDEX, START; ADD $(16*64), INDEX, STOP; CMP END, STOP; CSEL GT, END, STOP, STOP;      \
	passes;                                                                                     \
	CMP END, INDEX; BLT chunk
#define PASS(loop, size, body) \
	MOVD START, INDEX; MOVD SLOTS, FRAME;                                                       \
loop:                                                                                           \
	body;                                                                                       \
	ADD $64, INDEX; ADD $size, FRAME; CMP STOP, INDEX; BLT loop

#define ENTER_FRAME ADD $16, RSP, PARAMS; ADD $params, PARAMS, SLOTS; MOVD SLOTS, FRAME

// ENTER loads the arguments of a kernel, and copies its parameters to where vectors of them are read. They stand at 16(RSP),
// and the slots behind them.
#define ENTER(constants, loss, grad, hess, curv, plan) \
	ENTER_FRAME; MOVD const_argsN(ARGS), END; BEGIN(constants);                                 \
	MOVD const_argsU(ARGS), U; MOVD loss(ARGS), LOSS; MOVD grad(ARGS), GRAD;                    \
	MOVD hess(ARGS), HESS; MOVD curv(ARGS), CURV;                                               \
	WEIGHT(W, WEACH, const_argsW, const_argsWeight, paramW, w);                                 \
	MOVD plan(ARGS), ADDRESS;                                                                   \
	PARAMETER(const_planGamma, paramGamma); PARAMETER(const_planGammaLn2, paramGammaLn2);       \
	PARAMETER(const_planHessOne, paramHessOne);                                                 \
	PARAMETER(const_planPowHi, paramPowHi); PARAMETER(const_planPowLo, paramPowLo);             \
	PARAMETER(const_planPowHiDown, paramPowHiDown);                                             \
	PARAMETER(const_planHessPow, paramHessPow); PARAMETER(const_planHessBracket, paramHessBracket)
#define PARAMETER(field, offset) \
	EL(MOVWU, MOVD) field*EL(4, 8)(ADDRESS), VALUE; BROADCAST; STRQ(K0, nPARAMS, offset)
#define WEIGHT(array, each, field, weight, offset, have) \
	MOVD field(ARGS), array; MOVD $-1, each; CBNZ array, have;                                  \
	EL(MOVWU, MOVD) weight(ARGS), VALUE; BROADCAST;                                             \
	STPQ(K0, K0, nPARAMS, offset); STPQ(K0, K0, nPARAMS, offset+32);                            \
	ADD $offset, PARAMS, array; MOVD ZR, each;                                                  \
have:

#define SOFT_ENTER(weight) \
	MOVD const_argsTarget(ARGS), TARGET; WEIGHT(WPOS, WPOSEACH, const_argsWPos, weight, paramWPos, wPos)

#define ENTER32 ENTER(·neonF32, const_argsLoss32, const_argsGrad32, const_argsHess32, const_argsCurv32, const_argsPlan32)
#define ENTER64 ENTER(·neonF64, const_argsLoss64, const_argsGrad64, const_argsHess64, const_argsCurv64, const_argsPlan64)
#define SOFT_ENTER32 SOFT_ENTER(const_argsWeightPos32)
#define SOFT_ENTER64 SOFT_ENTER(const_argsWeightPos64)

#define EL(f32, f64) f32

TEXT ·lossZeroF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossZero)
	RET

TEXT ·gradZeroF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradZero)
	RET

TEXT ·hessZeroF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(hessZero)
	RET

TEXT ·lossSquareF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradSquare)
	RET

TEXT ·hessSquareF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(hessSquare)
	RET

TEXT ·frozenSquareF32NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(frozenSquare)
	RET

TEXT ·lossPowerF32NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER32
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(NO)); PASS(pass3, slots, lossPower))
	RET

TEXT ·gradPowerF32NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER32
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, gradPower))
	RET

TEXT ·hessPowerF32NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER32
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, passPow); PASS(pass4, slots, hessPower))
	RET

TEXT ·frozenPowerF32NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER32
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, frozenPower))
	RET

TEXT ·softLossSquareF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softLossSquare))
	RET

TEXT ·softGradSquareF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softGradSquare))
	RET

TEXT ·softHessSquareF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softHessSquare))
	RET

TEXT ·softFrozenSquareF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softFrozenSquare))
	RET

TEXT ·softLossPowerF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(NO)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softLossPower))
	RET

TEXT ·softGradPowerF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softGradPower))
	RET

TEXT ·softHessPowerF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softHessPower))
	RET

TEXT ·softFrozenPowerF32NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER32
	SOFT_ENTER32
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softFrozenPower))
	RET

TEXT ·sigmoidF32NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	ENTER_FRAME
	BEGIN(·neonF32)
	LOOP(sigmoid)
	RET

TEXT ·softplusF32NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	ENTER_FRAME
	BEGIN(·neonF32)
	LOOP(softplus)
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

TEXT ·lossZeroF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossZero)
	RET

TEXT ·gradZeroF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradZero)
	RET

TEXT ·hessZeroF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(hessZero)
	RET

TEXT ·lossSquareF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradSquare)
	RET

TEXT ·hessSquareF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(hessSquare)
	RET

TEXT ·frozenSquareF64NEON(SB), 0, $720-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(frozenSquare)
	RET

TEXT ·lossPowerF64NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER64
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(NO)); PASS(pass3, slots, lossPower))
	RET

TEXT ·gradPowerF64NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER64
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, gradPower))
	RET

TEXT ·hessPowerF64NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER64
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, passPow); PASS(pass4, slots, hessPower))
	RET

TEXT ·frozenPowerF64NEON(SB), 0, $7440-8
	MOVD a+0(FP), ARGS
	ENTER64
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, frozenPower))
	RET

TEXT ·softLossSquareF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softLossSquare))
	RET

TEXT ·softGradSquareF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softGradSquare))
	RET

TEXT ·softHessSquareF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softHessSquare))
	RET

TEXT ·softFrozenSquareF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, softFrozenSquare))
	RET

TEXT ·softLossPowerF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(NO)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softLossPower))
	RET

TEXT ·softGradPowerF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softGradPower))
	RET

TEXT ·softHessPowerF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softHessPower))
	RET

TEXT ·softFrozenPowerF64NEON(SB), 0, $12560-8
	MOVD a+0(FP), ARGS
	ENTER64
	SOFT_ENTER64
	PASSES(PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog); PASS(pass3, softSlots, passM(YES)); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, softFrozenPower))
	RET

TEXT ·sigmoidF64NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	ENTER_FRAME
	BEGIN(·neonF64)
	LOOP(sigmoid)
	RET

TEXT ·softplusF64NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	ENTER_FRAME
	BEGIN(·neonF64)
	LOOP(softplus)
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
