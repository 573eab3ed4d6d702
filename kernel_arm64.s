//go:build gc && !purego

#include "textflag.h"
#include "go_asm.h"
#include "kernel_arm64.h"

// ENTER loads the block, and copies the parameters to where vectors of them are read.
#define ENTER(constants, wNeg, wPos, gamma, hessOne, powHi, powLo) \
	ADD $15, FRAME; AND $~15, FRAME; ADD $704, FRAME, SOFTFRAME;                     \
	MOVD constants(SB), CONSTS; ADD $neonConstants_exp, CONSTS, TABLES;              \
	MOVD const_blockN(BLOCK), LEFT; MOVD ZR, INDEX;                                  \
	MOVD const_blockX(BLOCK), X; MOVD const_blockDout(BLOCK), DOUT;                  \
	MOVD const_blockLoss(BLOCK), LOSS; MOVD const_blockGrad(BLOCK), GRAD; MOVD const_blockHess(BLOCK), HESS; \
	MOVD const_blockTarget(BLOCK), TARGET; MOVD const_blockPos(BLOCK), POS;          \
	MOVD const_blockKeep(BLOCK), KEEP; MOVD const_blockSums(BLOCK), SUMS;            \
	PARAMETER(wNeg, slotWNeg); PARAMETER(wPos, slotWPos);                            \
	PARAMETER(gamma, slotGamma); PARAMETER(hessOne, slotHessOne);                    \
	PARAMETER(powHi, slotPowHi); PARAMETER(powLo, slotPowLo)
#define PARAMETER(offset, slot) \
	EL(MOVWU, MOVD) offset(BLOCK), VALUE; EL(DUP4S(K0, nVALUE), DUP2D(K0, nVALUE)); STRQ(K0, nFRAME, slot)

#define ENTER32 ENTER(·neonF32, const_blockWNeg32, const_blockWPos32, const_blockGamma32, const_blockHessOne32, const_blockPowHi32, const_blockPowLo32)
#define ENTER64 ENTER(·neonF64, const_blockWNeg64, const_blockWPos64, const_blockGamma64, const_blockHessOne64, const_blockPowHi64, const_blockPowLo64)

// A sigmoid has no masks. Where nobody looks at the bits, BITS reads the constants instead, which are long enough.
#define ENTER_SIGMOID(constants) \
	ADD $15, FRAME; AND $~15, FRAME;                                                 \
	MOVD constants(SB), CONSTS; ADD $neonConstants_exp, CONSTS, TABLES;              \
	MOVD ZR, INDEX; MOVD ZR, GRAD; MOVD ZR, HESS; MOVD ZR, DOUT; MOVD ZR, TARGET; MOVD ZR, KEEP; \
	MOVD CONSTS, POS

// How many elements a vector has, and a group of four
#define LANES EL(4, 2)
#define GROUP EL(16, 8)

// BITS takes the next n bits out of the masks.
#define BITS(n, nokeep) \
	LSR $3, INDEX, ADDRESS; AND $7, INDEX, COUNT;              \
	MOVHU (POS)(ADDRESS), POSITIVES; LSR COUNT, POSITIVES;     \
	MOVD $-1, KEPTBITS; CBZ KEEP, nokeep;                      \
	MOVHU (KEEP)(ADDRESS), KEPTBITS; LSR COUNT, KEPTBITS; SBFX $0, KEPTBITS, $n, KEPTBITS; \
nokeep:

// LOOP is the loop over whole groups, for what is done with one of them.
#define LOOP(body) \
	CMP $GROUP, LEFT; BLT rest;                                \
loop:                                                          \
	BITS(GROUP, group_bits);                                   \
	body;                                                      \
	ADD $GROUP, INDEX; SUB $GROUP, LEFT; CMP $GROUP, LEFT; BGE loop; \
rest:

// REST does what is left, vector by vector, and ends the function. The last elements, if they do not fill a vector, are
// copied to slots which then stand for the arrays, so that nothing beside an array is touched; bits say that there are
// no others.
#define REST(body) \
	CBZ LEFT, done;                                            \
rest_loop:                                                     \
	BITS(LANES, vector_bits);                                  \
	CMP $LANES, LEFT; BGE vector;                              \
	MOVD $1, ADDRESS; LSL LEFT, ADDRESS; SUB $1, ADDRESS; AND ADDRESS, KEPTBITS; \
	PART_IN(X, partX, x_loop, x_no);                           \
	PART_IN(DOUT, partDout, dout_loop, dout_no);               \
	PART_IN(TARGET, partTarget, target_loop, target_no);       \
	PART_FOR(LOSS, ALLLOSS, partLoss, loss_no);                \
	PART_FOR(GRAD, ALLGRAD, partGrad, grad_no);                \
	PART_FOR(HESS, ALLHESS, partHess, hess_no);                \
vector:                                                        \
	body;                                                      \
	CMP $LANES, LEFT; BLT part;                                \
	ADD $LANES, INDEX; SUBS $LANES, LEFT; BNE rest_loop;       \
done:                                                          \
	RET;                                                       \
part:                                                          \
	PART_OUT(LOSS, ALLLOSS, loss_loop, loss_none);             \
	PART_OUT(GRAD, ALLGRAD, grad_loop, grad_none);             \
	PART_OUT(HESS, ALLHESS, hess_loop, hess_none);             \
	RET

#define PART_IN(array, slot, loop, no) \
	CBZ array, no;                                             \
	ADD INDEX<<EL(2, 3), array, ADDRESS;                       \
	ADD $slot, FRAME, array;                        \
	COPY(ADDRESS, array, loop);                                \
	SUB INDEX<<EL(2, 3), array;                                \
no:
#define PART_FOR(array, whole, slot, no) \
	MOVD array, whole; CBZ array, no;                          \
	ADD $slot, FRAME, array;                        \
	SUB INDEX<<EL(2, 3), array;                                \
no:
#define PART_OUT(array, whole, loop, no) \
	CBZ array, no;                                             \
	ADD INDEX<<EL(2, 3), array; ADD INDEX<<EL(2, 3), whole;    \
	COPY(array, whole, loop);                                  \
no:
#define COPY(from, to, loop) /* LEFT elements */ \
	MOVD LEFT, COUNT;                                          \
loop:                                                          \
	SUB $1, COUNT;                                             \
	EL(MOVWU, MOVD) (from)(COUNT<<EL(2, 3)), VALUE;            \
	EL(MOVW, MOVD) VALUE, (to)(COUNT<<EL(2, 3));               \
	CBNZ COUNT, loop

#define EL(f32, f64) f32

TEXT ·lossSquareF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#define WIDTH FOUR
	LOOP(LOSS_SQUARE(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(LOSS_SQUARE(kept2, sums2, loss2))

TEXT ·lossPowerF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(LOSS_POWER(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(LOSS_POWER(kept2, sums2, loss2))

TEXT ·gradSquareF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(GRAD_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(GRAD_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·gradPowerF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(GRAD_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(GRAD_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·hessSquareF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(HESS_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(HESS_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·hessPowerF32NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(HESS_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(HESS_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·softLossSquareF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_LOSS_SQUARE(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_LOSS_SQUARE(kept2, sums2, loss2))

TEXT ·softLossPowerF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_LOSS_POWER(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_LOSS_POWER(kept2, sums2, loss2))

TEXT ·softGradSquareF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_GRAD_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_GRAD_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·softGradPowerF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_GRAD_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_GRAD_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·softHessSquareF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_HESS_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_HESS_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·softHessPowerF32NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER32
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_HESS_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_HESS_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·sigmoidF32NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), X
	MOVD n+16(FP), LEFT
	MOVD $frame-720(SP), FRAME
	ENTER_SIGMOID(·neonF32)
#undef WIDTH
#define WIDTH FOUR
	LOOP(SIGMOID)
#undef WIDTH
#define WIDTH ONE
	REST(SIGMOID)

#undef EL
#define EL(f32, f64) f64

TEXT ·lossSquareF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(LOSS_SQUARE(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(LOSS_SQUARE(kept2, sums2, loss2))

TEXT ·lossPowerF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(LOSS_POWER(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(LOSS_POWER(kept2, sums2, loss2))

TEXT ·gradSquareF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(GRAD_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(GRAD_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·gradPowerF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(GRAD_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(GRAD_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·hessSquareF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(HESS_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(HESS_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·hessPowerF64NEON(SB), 0, $720-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-720(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(HESS_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(HESS_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·softLossSquareF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_LOSS_SQUARE(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_LOSS_SQUARE(kept2, sums2, loss2))

TEXT ·softLossPowerF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_LOSS_POWER(kept1, sums1, loss1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_LOSS_POWER(kept2, sums2, loss2))

TEXT ·softGradSquareF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_GRAD_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_GRAD_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·softGradPowerF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_GRAD_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_GRAD_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2))

TEXT ·softHessSquareF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_HESS_SQUARE(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_HESS_SQUARE(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·softHessPowerF64NEON(SB), 0, $1744-8
	MOVD b+0(FP), BLOCK
	MOVD $frame-1744(SP), FRAME
	ENTER64
#undef WIDTH
#define WIDTH FOUR
	LOOP(SOFT_HESS_POWER(kept1, sums1, loss1, dout1, keptgrad1, grad1, kepthess1, hess1))
#undef WIDTH
#define WIDTH ONE
	REST(SOFT_HESS_POWER(kept2, sums2, loss2, dout2, keptgrad2, grad2, kepthess2, hess2))

TEXT ·sigmoidF64NEON(SB), 0, $720-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), X
	MOVD n+16(FP), LEFT
	MOVD $frame-720(SP), FRAME
	ENTER_SIGMOID(·neonF64)
#undef WIDTH
#define WIDTH FOUR
	LOOP(SIGMOID)
#undef WIDTH
#define WIDTH ONE
	REST(SIGMOID)

