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
	PARAMETER(const_planGamma, paramGamma); PARAMETER(const_planGammaMinus1, paramGammaMinus1); \
	PARAMETER(const_planGammaLn2, paramGammaLn2); PARAMETER(const_planGammaLn2Lo, paramGammaLn2Lo); \
	PARAMETER(const_planGammaSquareLn2, paramGammaSquareLn2);                                   \
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
#define SOFT_ENTER32 ENTER32; SOFT_ENTER(const_argsWeightPos32)
#define SOFT_ENTER64 ENTER64; SOFT_ENTER(const_argsWeightPos64)

// The kernels, for one group or one pass over it, family by family. Values have the names of kernel_generic.go, and each
// family begins with the groups that they are in: values that share one follow each other. What is given by the number of its
// group is used up within a few operations.

// γ = 2: genericSquare
#define u        g0
#define far      g0
#define B        g0
#define A        g1
#define e        g1
#define q        g1
#define r        g2
#define Bs       g2
#define z        g3
#define loss     g3
#define Q        g3
#define p        g4
#define v        g4
#define negative g4
#define curv     g4
#define S        g5
#define s        g5
#define grad     g5
#define hess     g5
#define L        g6

#define LOSS_SQUARE(reach, putE) \
	read(u, U); exp(reach, NO, A, p, g2, u, g3, g5, g6);                                        \
	reach(NONE, copy(far, A); fma(far, far, p); put(far, slotFar); mulc(A, A, neon_down));      \
	quotient(YES, putE, YES, S, z, v, A, u, L, g2, gK);                                         \
	/* L = -ln c + log1p(z) + V */                                                              \
	positive(u, u); add(L, L, u); log1p(putE, z, e, g0, g2); add(L, L, z);                      \
	/* B = w·s², s = S·(1+v), s² = S²·(1 + 2v + v²) */                                          \
	mul(B, S, S); weights(g2, W, WEACH); mul(B, B, g2);                                         \
	add(g2, v, v); fma(g2, v, v); fma(B, B, g2);                                                \
	mul(loss, B, L)

#define GRAD_SQUARE(reach) \
	LOSS_SQUARE(reach, YES);                                                                    \
	fma(s, S, v); csub(r, neon_one, s);                                                         \
	mul(q, e, s); read(negative, U); signed(negative, negative); bit(q, r, negative); write(loss, LOSS); \
	minc(L, L, neon_maxSoftplus); add(L, L, L) /* twice L from here on */

#define CURV_SQUARE \
	GRAD_SQUARE(FAR); letNaN(s, L);                                                             \
	get(Q, slotFar); mul(Q, Q, s); mulc(r, r, neon_up); bit(Q, r, negative);                    \
	/* curv = B·q·s */                                                                          \
	mul(Bs, B, s); mul(curv, Bs, Q); mulc(curv, curv, neon_down); write(curv, CURV)

#define lossSquare   LOSS_SQUARE(NEAR, NO); write(loss, LOSS)
// grad = B·(s + q·2L)
#define gradSquare   GRAD_SQUARE(NEAR); fma(grad, q, L); mul(grad, B, grad); write(grad, GRAD)
#define frozenSquare CURV_SQUARE; write(Bs, GRAD)
#define hessSquare \
	CURV_SQUARE;                                                                                \
	copy(g2, s); fma(g2, q, L); mul(g2, B, g2); write(g2, GRAD);                                \
	/* hess = B·q·(5s + 2L·(2q - s)) */                                                         \
	add(q, q, q); sub(q, q, s); mulp(hess, s, paramHessOne); fma(hess, L, q);                   \
	mul(hess, B, hess); mul(hess, hess, Q); mulc(hess, hess, neon_down); write(hess, HESS)

#define EL(f32, f64) f32

TEXT ·lossSquareF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradSquare)
	RET

TEXT ·hessSquareF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(hessSquare)
	RET

TEXT ·frozenSquareF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(frozenSquare)
	RET

#undef EL
#define EL(f32, f64) f64

TEXT ·lossSquareF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossSquare)
	RET

TEXT ·gradSquareF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradSquare)
	RET

TEXT ·hessSquareF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(hessSquare)
	RET

TEXT ·frozenSquareF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(frozenSquare)
	RET

#undef u
#undef far
#undef B
#undef A
#undef e
#undef q
#undef r
#undef Bs
#undef z
#undef loss
#undef Q
#undef p
#undef v
#undef negative
#undef curv
#undef S
#undef s
#undef grad
#undef hess
#undef L


// Any γ: genericPower, in passes. What one leaves to the next is in slots.
#define u        g0
#define e        g0
#define y        g0
#define V        g1
#define near     g1
#define L        g1
#define b        g1
#define h        g2
#define Q        g2
#define ye       g2
#define beta     g2
#define low      g2
#define square   g2
#define A        g3
#define alpha    g3
#define grad     g3
#define d        g3
#define curv     g3
#define lambda   g3
#define p        g4
#define m        g4
#define B        g4
#define bracket  g4
#define loss     g5
#define BL       g5
#define small    g5
#define dd       g5
#define k        g6
#define negative g6

#define passExp(slots) \
	read(g0, U); exp(FAR, slots, A, p, g2, g0, g1, g5, g6); put(A, slotA); put(p, slotP)
#define passLog(putE) \
	get(A, slotA); get(p, slotP); log(putE, NO, m, A, e, g1, g2, g5, g6); put(m, slotM)
#define POW(hess) \
	get(m, slotM); logS(k, h, m, g5); get(A, slotA); copy(g5, k); pow(hardWeight, HORNER, B, k, A, h, g0, g5); hess(put(B, slotBig)); mulc(B, B, neon_down)
#define passPow POW(YES)

// loss = B·L, L = ln2·(A + m) + V
#define LOSS_POWER \
	get(Q, slotM); get(A, slotA); mul(Q, B, Q); fma(Q, B, A);                                   \
	read(u, U); positive(V, u); mul(loss, B, V); fmac(loss, Q, neon_ln2Down); write(loss, LOSS)

// grad = (B·α + γ·ε·B·L)/(1+e), where α/(1+e) = s and ε/(1+e) = q. If u < 0, Q is B·L/ln2.
#define GRAD_POWER \
	below0(negative, u);                                                                        \
	CONST(K1, neon_maxSoftplus); each2(BOUND, BL, B); bit(BL, Q, negative);                     \
	everyp(y, paramGamma); bit(y, B, negative); get(ye, slotP); mul(ye, A, ye); mul(ye, y, ye); fma(ye, y, A); \
	mulc(alpha, B, neon_up); bit(alpha, ye, negative);                                          \
	andp(y, paramGammaLn2Lo, negative); fma(alpha, y, BL);                                      \
	bitp(beta, paramGammaLn2, negative); fma(alpha, beta, BL);                                  \
	get(e, slotE); over1e(grad, g2, e); write(grad, GRAD)
#define BOUND(loss, B) FMUL(K2, B, K1); FMIN(loss, K2, loss)

// curv = B·e/(1+e)²
#define CURV_POWER \
	mulc(small, e, neon_down); addc(d, small, neon_one);                                        \
	csub(low, neon_one, d); add(low, low, small); squared(dd, d, low);                          \
	mul(curv, B, e); letNaN(curv, near);                                                        \
	div(curv, curv, dd); mulc(curv, curv, neon_down); write(curv, CURV)

// grad = B·α/(1+e)
#define FROZEN_POWER \
	below0(negative, u); minc(near, V, neon_maxSoftplus); get(e, slotE);                        \
	every(alpha, neon_up); bit(alpha, e, negative); letNaN(alpha, near); mul(alpha, B, alpha);  \
	over1e(grad, g2, e); write(grad, GRAD)

#define lossPower   POW(NO); LOSS_POWER
#define gradPower   POW(NO); LOSS_POWER; GRAD_POWER
#define frozenPower POW(NO); LOSS_POWER; FROZEN_POWER; CURV_POWER
#define hessPower \
	get(B, slotBig); mulc(B, B, neon_down); LOSS_POWER; minc(near, V, neon_maxSoftplus); GRAD_POWER; CURV_POWER;         \
	/* hess = B·(e·((1+2γ) - γ·L) + (γ·ε)²·L)/(1+e)² */                                         \
	get(lambda, slotA); get(g4, slotM); add(lambda, lambda, g4); fmac(L, lambda, neon_ln2Down); \
	mulp(g4, e, paramGamma); mulc(square, g4, neon_down); mul(square, square, g4);              \
	bitp(square, paramGammaSquareLn2, negative);                                                \
	everyp(bracket, paramHessOne); pfnma(bracket, paramGamma, L); mul(bracket, e, bracket);     \
	bit(L, lambda, negative); fma(bracket, square, L); minc(bracket, bracket, neon_large);      \
	get(b, slotBig); mulp(b, b, paramHessPow); mulp(bracket, bracket, paramHessBracket); mul(bracket, b, bracket); \
	div(bracket, bracket, dd); mulc(bracket, bracket, neon_down); write(bracket, HESS)

// γ = 0: the same without the factor, in one loop
#define LOG_ZERO(putE) \
	read(u, U); exp(FAR, NO, A, Q, g4, u, g1, g5, g6); put(A, slotA);                           \
	log(putE, NO, Q, A, e, g1, g4, g5, g6); put(Q, slotM); weights(B, W, WEACH); LOSS_POWER
#define lossZero LOG_ZERO(NO)
#define gradZero LOG_ZERO(YES); FROZEN_POWER
#define hessZero LOG_ZERO(YES); FROZEN_POWER; CURV_POWER; write(curv, HESS)

#define POWER_PASSES(log, last) PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, log); PASS(pass3, slots, last))
#define HESS_POWER_PASSES \
	PASSES(PASS(pass1, slots, passExp(YES)); PASS(pass2, slots, passLog(YES)); PASS(pass3, slots, passPow); PASS(pass4, slots, hessPower))

#undef EL
#define EL(f32, f64) f32

TEXT ·lossZeroF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(lossZero)
	RET

TEXT ·gradZeroF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(gradZero)
	RET

TEXT ·hessZeroF32NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER32
	LOOP(hessZero)
	RET

TEXT ·lossPowerF32NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER32
	POWER_PASSES(passLog(NO), lossPower)
	RET

TEXT ·gradPowerF32NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER32
	POWER_PASSES(passLog(YES), gradPower)
	RET

TEXT ·hessPowerF32NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER32
	HESS_POWER_PASSES
	RET

TEXT ·frozenPowerF32NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER32
	POWER_PASSES(passLog(YES), frozenPower)
	RET

#undef EL
#define EL(f32, f64) f64

TEXT ·lossZeroF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(lossZero)
	RET

TEXT ·gradZeroF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(gradZero)
	RET

TEXT ·hessZeroF64NEON(SB), 0, $768-8
	MOVD a+0(FP), ARGS
	ENTER64
	LOOP(hessZero)
	RET

TEXT ·lossPowerF64NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER64
	POWER_PASSES(passLog(NO), lossPower)
	RET

TEXT ·gradPowerF64NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER64
	POWER_PASSES(passLog(YES), gradPower)
	RET

TEXT ·hessPowerF64NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER64
	HESS_POWER_PASSES
	RET

TEXT ·frozenPowerF64NEON(SB), 0, $7488-8
	MOVD a+0(FP), ARGS
	ENTER64
	POWER_PASSES(passLog(YES), frozenPower)
	RET

#undef u
#undef e
#undef y
#undef V
#undef near
#undef L
#undef b
#undef h
#undef Q
#undef ye
#undef beta
#undef low
#undef square
#undef A
#undef alpha
#undef grad
#undef d
#undef curv
#undef lambda
#undef p
#undef m
#undef B
#undef bracket
#undef loss
#undef BL
#undef small
#undef dd
#undef k
#undef negative


// Soft targets: genericSoft, in passes
#define e         g0
#define dLow      g0
#define b         g0
#define bracket   g0
#define whole     g1
#define inverse   g1
#define Y         g1
#define gKappa    g1
#define curv      g1
#define theta     g2
#define R         g2
#define low       g2
#define h         g2
#define Q         g2
#define factor    g2
#define t         g3
#define product   g3
#define rest      g3
#define delta     g3
#define A         g3
#define near      g3
#define p         g4
#define m         g4
#define beta      g4
#define share     g4
#define eHalf     g4
#define k         g4
#define B         g4
#define lambda    g4
#define lost      g5
#define d         g5
#define kappa     g5
#define y         g5
#define loss      g5
#define D         g5
#define grad      g5
#define negative  g6
#define eLow      g6
#define dd        g6
#define small     g6
#define M         g6
#define sign      g6

#define passSoftLog \
	get(A, slotA); get(p, slotP); log(YES, YES, m, A, e, g1, g2, g5, g6); put(m, slotM)

// M and low; β, and what derivatives need of κ and D, in slots
#define RATIO(wantFirst, wantSecond) \
	read(t, TARGET); csub(beta, neon_one, t); csub(lost, neon_one, beta); sub(lost, lost, t); put(lost, slotLost); \
	read(negative, U); signed(negative, negative);                                              \
	read(theta, TARGET); bit(theta, beta, negative); bit(beta, t, negative); put(beta, slotBeta); \
	/* R + rest */                                                                              \
	get(e, slotE); every(whole, neon_up); bit(whole, e, negative);                              \
	mulc(share, beta, neon_up); mul(product, e, theta);                                         \
	copy(gK, product); fnma(gK, e, theta); get(eLow, slotELow); fnma(gK, eLow, theta);          \
	add(R, share, product);                                                                     \
	each3(FMAX, g6, share, product); each3(FMIN, rest, share, product); sub(g6, R, g6); sub(rest, rest, g6); \
	sub(rest, rest, gK); fma(rest, whole, lost);                                                \
	/* m = M·(1+low) */                                                                         \
	mulc(small, e, neon_down); addc(d, small, neon_one);                                        \
	subc(g1, d, neon_one); sub(dLow, small, g1); get(g1, slotELow); fmac(dLow, g1, neon_down);  \
	/* D = 2β - R, less what 1+e lacks */                                                       \
	wantFirst(add(share, share, share); sub(share, share, R); copy(g1, rest); fma(g1, share, dLow)); \
	wantFirst(sub(share, share, g1); put(share, slotD));                                        \
	CONST(K0, neon_one); first(FDIV, inverse, K0, R);                                           \
	/* γ·κ, κ = ±δ·e/R */                                                                       \
	wantFirst(get(g6, slotE); mul(g4, g6, inverse); copy(gK, g6); fnma(gK, g4, R); fnma(gK, g6, dLow)); \
	wantFirst(get(g6, slotELow); add(gK, gK, g6); fnma(gK, g4, rest); fma(g4, gK, inverse));    \
	wantFirst(read(g6, TARGET); add(g6, g6, g6); everyp(gK, paramGamma); fnma(gK, g6, gK); mul(g4, gK, g4)); \
	wantFirst(read(g6, U); CONST(K0, neon_sign); last(VAND, g6, g6, K0); each3(VEOR, g4, g4, g6)); \
	wantFirst(put(g4, slotKappa));                                                              \
	wantSecond(add(dd, dLow, dLow); mul(dd, d, dd); fma(dd, d, d); put(dd, slotDD));            \
	div(M, R, d);                                                                               \
	wantSecond(put(R, slotR); put(rest, slotRest); put(inverse, slotInverse));                  \
	fnma(R, M, d); add(R, R, rest); fnma(R, M, dLow); mul(low, R, inverse);                     \
	wantSecond(every(delta, neon_one); read(g4, TARGET); fnmac(delta, g4, neon_two));           \
	wantSecond(read(g4, U); CONST(K0, neon_sign); last(VAND, g4, g4, K0); each3(VEOR, delta, delta, g4); put(delta, slotDelta))

// b = w·m^γ·2^Shift
#define SOFT_SQUARE \
	softWeight(g1, g3, g4, g5); mulc(g3, M, neon_minusDown); mul(g4, M, g3); /* -square */      \
	copy(g5, g4); fnma(g5, M, g3); add(low, low, low); fnma(g5, g4, low); /* lack */            \
	mul(b, g1, g5); fnma(b, g1, g4)
#define passRatio(wantFirst, wantSecond) RATIO(wantFirst, wantSecond); put(M, slotRatio); put(low, slotLow)
#define passLogM \
	get(M, slotRatio); get(low, slotLow); logM(k, y, h, M, g0, g3, g1);                         \
	EL(put(k, slotK), NONE); put(y, slotF); put(h, slotLow)
#define SOFT_POWER \
	get(k, slotK); get(g6, slotK); get(y, slotF); get(h, slotLow); pow(softWeight, APART, b, k, y, h, g3, g6)

// loss = B·E, E = ln2·(A + m) + Y, and Y wins where it is infinite. Derivatives need Y bounded: beyond, κ is 0, but e has
// stopped falling.
#define SOFT_LOSS(wantFirst) \
	mulc(B, b, neon_down); get(Q, slotM); get(A, slotA); mul(Q, B, Q); fma(Q, B, A);            \
	read(Y, U); wantFirst(CONST(K0, neon_sign); last(VAND, sign, Y, K0)); each2(FABS, Y, Y);    \
	wantFirst(minc(near, Y, neon_maxSoftplus); get(gK, slotBeta); mul(near, gK, near));         \
	get(gK, slotBeta); mul(Y, gK, Y);                                                           \
	mul(loss, B, Y); subc(Y, Y, neon_largest); each3(FMAXNM, loss, loss, Y);                    \
	fmac(loss, Q, neon_ln2Down); write(loss, LOSS)

// ±grad = B·(D + γ·κ·E)/(1+e), D = 2β - R
#define SOFT_GRAD(wantSecond) \
	SOFT_LOSS(YES); wantSecond(put(b, slotBig); put(near, slotNear));                           \
	mul(near, b, near); fmac(near, Q, neon_ln2);                                                \
	get(D, slotD); mul(D, B, D); get(gKappa, slotKappa); fma(D, gKappa, near); SOFT_OVER
#define SOFT_OVER \
	get(e, slotE); over1e(grad, g1, e); each3(VEOR, grad, grad, sign); write(grad, GRAD)

// grad = B·D/(1+e), curv = B·e/(1+e)²
#define SOFT_FROZEN \
	SOFT_LOSS(YES); put(near, slotNear); get(D, slotD); letNaN(D, near); mul(D, B, D); SOFT_OVER; SOFT_CURV
#define SOFT_CURV \
	mul(curv, B, e); get(near, slotNear); letNaN(curv, near);                                   \
	get(gK, slotDD); div(curv, curv, gK); mulc(curv, curv, neon_down); write(curv, CURV)

// hess = B·(e + γ·κ·(2D + E·((γ-1)·κ - (1-e))))/(1+e)². κ may be tiny.
#define SOFT_HESS \
	SOFT_GRAD(YES); SOFT_CURV;                                                                  \
	mulc(eHalf, e, neon_halfUp); get(inverse, slotInverse); mul(kappa, eHalf, inverse);         \
	get(gK, slotR); fnma(eHalf, kappa, gK);                                                     \
	get(eLow, slotELow); mulc(eLow, eLow, neon_halfUp); get(gK, slotRest); fnma(eLow, kappa, gK); \
	add(eHalf, eHalf, eLow); fma(kappa, eHalf, inverse); get(gK, slotDelta); mul(kappa, gK, kappa); \
	mulp(gKappa, kappa, paramPowLo); fmap(gKappa, kappa, paramPowHi);                           \
	mulc(factor, e, neon_down); subc(factor, factor, neon_one);                                 \
	mulc(kappa, kappa, neon_halfDown); fmap(factor, kappa, paramGammaMinus1);                   \
	get(D, slotBeta); mulc(D, D, neon_up); add(D, D, D); get(gK, slotR); sub(D, D, gK);         \
	get(gK, slotRest); sub(D, D, gK); add(D, D, D);                                             \
	get(lambda, slotA); get(gK, slotM); add(lambda, lambda, gK); mulc(lambda, lambda, neon_ln2); fma(D, lambda, factor); \
	get(near, slotNear); mulc(near, near, neon_up); fma(D, near, factor);                       \
	mulc(D, D, neon_halfDown); fma(bracket, gKappa, D); minc(bracket, bracket, neon_large);     \
	get(g1, slotBig); mulp(g1, g1, paramHessPow); mulp(bracket, bracket, paramHessBracket); mul(bracket, g1, bracket); \
	get(gK, slotDD); div(bracket, bracket, gK); mulc(bracket, bracket, neon_down); write(bracket, HESS)

#define softLossSquare   RATIO(NO, NO); SOFT_SQUARE; SOFT_LOSS(NO)
#define softGradSquare   RATIO(YES, NO); SOFT_SQUARE; SOFT_GRAD(NO)
#define softFrozenSquare RATIO(YES, YES); SOFT_SQUARE; SOFT_FROZEN
#define softHessSquare   RATIO(YES, YES); SOFT_SQUARE; SOFT_HESS
#define softLossPower    SOFT_POWER; SOFT_LOSS(NO)
#define softGradPower    SOFT_POWER; SOFT_GRAD(NO)
#define softFrozenPower  SOFT_POWER; SOFT_FROZEN
#define softHessPower    SOFT_POWER; SOFT_HESS

#define SOFT_PASSES PASS(pass1, softSlots, passExp(NO)); PASS(pass2, softSlots, passSoftLog)
#define SOFT_SQUARE_PASSES(last) PASSES(SOFT_PASSES; PASS(pass3, softSlots, last))
#define SOFT_POWER_PASSES(ratio, last) \
	PASSES(SOFT_PASSES; PASS(pass3, softSlots, ratio); PASS(pass4, softSlots, passLogM); PASS(pass5, softSlots, last))

#undef EL
#define EL(f32, f64) f32

TEXT ·softLossSquareF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_SQUARE_PASSES(softLossSquare)
	RET

TEXT ·softGradSquareF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_SQUARE_PASSES(softGradSquare)
	RET

TEXT ·softHessSquareF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_SQUARE_PASSES(softHessSquare)
	RET

TEXT ·softFrozenSquareF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_SQUARE_PASSES(softFrozenSquare)
	RET

TEXT ·softLossPowerF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_POWER_PASSES(passRatio(NO, NO), softLossPower)
	RET

TEXT ·softGradPowerF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_POWER_PASSES(passRatio(YES, NO), softGradPower)
	RET

TEXT ·softHessPowerF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_POWER_PASSES(passRatio(YES, YES), softHessPower)
	RET

TEXT ·softFrozenPowerF32NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER32
	SOFT_POWER_PASSES(passRatio(YES, YES), softFrozenPower)
	RET

#undef EL
#define EL(f32, f64) f64

TEXT ·softLossSquareF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_SQUARE_PASSES(softLossSquare)
	RET

TEXT ·softGradSquareF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_SQUARE_PASSES(softGradSquare)
	RET

TEXT ·softHessSquareF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_SQUARE_PASSES(softHessSquare)
	RET

TEXT ·softFrozenSquareF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_SQUARE_PASSES(softFrozenSquare)
	RET

TEXT ·softLossPowerF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_POWER_PASSES(passRatio(NO, NO), softLossPower)
	RET

TEXT ·softGradPowerF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_POWER_PASSES(passRatio(YES, NO), softGradPower)
	RET

TEXT ·softHessPowerF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_POWER_PASSES(passRatio(YES, YES), softHessPower)
	RET

TEXT ·softFrozenPowerF64NEON(SB), 0, $16704-8
	MOVD a+0(FP), ARGS
	SOFT_ENTER64
	SOFT_POWER_PASSES(passRatio(YES, YES), softFrozenPower)
	RET

#undef e
#undef dLow
#undef b
#undef bracket
#undef whole
#undef inverse
#undef Y
#undef gKappa
#undef curv
#undef theta
#undef R
#undef low
#undef h
#undef Q
#undef factor
#undef t
#undef product
#undef rest
#undef delta
#undef A
#undef near
#undef p
#undef m
#undef beta
#undef share
#undef small
#undef eHalf
#undef k
#undef B
#undef lambda
#undef lost
#undef d
#undef kappa
#undef y
#undef loss
#undef D
#undef grad
#undef negative
#undef eLow
#undef dd
#undef M
#undef sign

// genericSigmoid, genericSoftplus
#define u g0
#define A g1
#define p g4
#define m g4
#define v g4
#define c g5
#define S g2

#define sigmoid \
	read(u, U); exp(FAR, NO, A, p, g2, u, g3, g5, g6); mulc(g6, A, neon_down);                  \
	quotient(NO, NO, NO, c, g3, v, g6, u, NONE, g2, gK);                                        \
	every(S, neon_up); read(g3, U); signed(g3, g3); bit(S, A, g3); mul(S, S, c); fma(S, S, v);  \
	positive(u, u); minc(u, u, neon_maxSoftplus); ZERO(K0); last(FMUL, u, u, K0);               \
	fmac(u, S, neon_down); write(u, LOSS)
#define softplus \
	read(u, U); exp(FAR, NO, A, p, g2, u, g3, g5, g6); EL(NONE, put(A, slotA));                 \
	log(NO, NO, m, A, g0, g3, g2, g5, g6); add(m, A, m);                                    \
	read(u, U); positive(u, u); fmac(u, m, neon_ln2Down); write(u, LOSS)

#undef EL
#define EL(f32, f64) f32

TEXT ·sigmoidF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(sigmoid)
	RET

TEXT ·softplusF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(softplus)
	RET

#undef EL
#define EL(f32, f64) f64

TEXT ·sigmoidF64NEON(SB), 0, $0-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	LOOP(sigmoid)
	RET

TEXT ·softplusF64NEON(SB), 0, $768-24
	MOVD dst+0(FP), LOSS
	MOVD x+8(FP), U
	MOVD n+16(FP), END
	ENTER_FRAME
	BEGIN(·neonF64)
	LOOP(softplus)
	RET

#undef u
#undef A
#undef p
#undef m
#undef v
#undef c
#undef S

// Others

#undef EL
#define EL(f32, f64) f32

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

TEXT ·expandF32NEON(SB), 0, $0-48
	MOVD u+0(FP), LOSS
	MOVD w+8(FP), W
	MOVD x+16(FP), U
	MOVD pos+24(FP), POS
	MOVD n+32(FP), END
	BEGIN(·neonF32)
	MOVWU wNeg+40(FP), VALUE
	BROADCAST; VMOV(K2, K0)
	MOVWU wPos+44(FP), VALUE
	BROADCAST; VMOV(K1, K0)
	LOOP(expand)
	RET

TEXT ·flipF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD pos+8(FP), POS
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(flip)
	RET

TEXT ·maskF32NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD keep+8(FP), KEEP
	MOVD n+16(FP), END
	BEGIN(·neonF32)
	LOOP(mask)
	RET

TEXT ·blendF32NEON(SB), 0, $0-32
	MOVD dst+0(FP), GRAD
	MOVD other+8(FP), U
	MOVD which+16(FP), POS
	MOVD n+24(FP), END
	BEGIN(·neonF32)
	LOOP(blend)
	RET

TEXT ·weighF32NEON(SB), 0, $0-40
	MOVD dst+0(FP), GRAD
	MOVD src+8(FP), U
	MOVD n+16(FP), END
	MOVD by+24(FP), W
	MOVD rows+32(FP), STOP
	BEGIN(·neonF32)
row:
	MOVWU (W), VALUE
	BROADCAST; VMOV(K1, K0)
	MOVD ZR, INDEX
	LOOP(weigh)
	ADD END, GRAD; ADD $4, W; SUB $1, STOP
	CBNZ STOP, row
	RET

#undef EL
#define EL(f32, f64) f64

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

TEXT ·expandF64NEON(SB), 0, $0-56
	MOVD u+0(FP), LOSS
	MOVD w+8(FP), W
	MOVD x+16(FP), U
	MOVD pos+24(FP), POS
	MOVD n+32(FP), END
	BEGIN(·neonF64)
	MOVD wNeg+40(FP), VALUE
	BROADCAST; VMOV(K2, K0)
	MOVD wPos+48(FP), VALUE
	BROADCAST; VMOV(K1, K0)
	LOOP(expand)
	RET

TEXT ·flipF64NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD pos+8(FP), POS
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	LOOP(flip)
	RET

TEXT ·maskF64NEON(SB), 0, $0-24
	MOVD dst+0(FP), GRAD
	MOVD keep+8(FP), KEEP
	MOVD n+16(FP), END
	BEGIN(·neonF64)
	LOOP(mask)
	RET

TEXT ·blendF64NEON(SB), 0, $0-32
	MOVD dst+0(FP), GRAD
	MOVD other+8(FP), U
	MOVD which+16(FP), POS
	MOVD n+24(FP), END
	BEGIN(·neonF64)
	LOOP(blend)
	RET

TEXT ·weighF64NEON(SB), 0, $0-40
	MOVD dst+0(FP), GRAD
	MOVD src+8(FP), U
	MOVD n+16(FP), END
	MOVD by+24(FP), W
	MOVD rows+32(FP), STOP
	BEGIN(·neonF64)
row:
	MOVD (W), VALUE
	BROADCAST; VMOV(K1, K0)
	MOVD ZR, INDEX
	LOOP(weigh)
	ADD END, GRAD; ADD $8, W; SUB $1, STOP
	CBNZ STOP, row
	RET
