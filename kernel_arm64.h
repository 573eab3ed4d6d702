// What kernel_arm64.s is made of: instructions, groups of vectors, and the steps of kernel_generic.go.

// Registers

#define BLOCK     R0
#define X         R1
#define LOSS      R2
#define GRAD      R3
#define HESS      R4
#define DOUT      R5
#define POS       R6
#define KEEP      R7
#define SUMS      R8
#define INDEX     R9  // of the present group's first element
#define LEFT      R10 // elements from there on
#define CONSTS    R11 // a neonConstants
#define TABLES    R12 // its tables
#define FRAME     R13 // slots on the stack
#define POSITIVES R14 // bits of the present group
#define KEPTBITS  R15 // the same, with the sign extended
#define ADDRESS   R16
#define COUNT     R17
#define VALUE     R19
#define ALLLOSS   R20 // outputs, while those above are replaced
#define ALLGRAD   R21
#define ALLHESS   R22
#define TARGET    R23
#define SOFTFRAME R24 // slots of soft targets

// Their numbers, where an instruction is encoded here
#define nCONSTS    11
#define nTABLES    12
#define nFRAME     13
#define nPOSITIVES 14
#define nKEPTBITS  15
#define nADDRESS   16
#define nVALUE     19
#define nSOFTFRAME 24

// V0 to V27 are seven groups of up to four vectors; the rest is for what all vectors share.
#define g0 0
#define g1 4
#define g2 8
#define g3 12
#define g4 16
#define g5 20
#define g6 24
#define K0 28
#define K1 29
#define K2 30
#define K3 31

// Slots on the stack: of groups, and of parameters
#define slotU       0
#define slotK       64
#define slotF       128
#define slotZ       192
#define slotAt      256
#define slotS       320 // σ(u)
#define slotQ       384 // σ(-u)
#define slotBigQ    448 // σ(-u)·2^TinyShift
#define slotWNeg    512
#define slotWPos    528
#define slotGamma   544
#define slotHessOne 560
#define slotPowHi   576
#define slotPowLo   592
// of the elements that do not fill a vector
#define partX       608
#define partDout    624
#define partTarget  640
#define partLoss    656
#define partGrad    672
#define partHess    688
// and, behind those, of groups that only soft targets have
#define slotWeight  0
#define slotY       64
#define slotSwap    128
#define slotFlip    192
#define slotBeta    256
#define slotTheta   320
#define slotDelta   384
#define slotRest    448
#define slotR       512
#define slotBigR    576
#define slotHiR     640
#define slotLoR     704
#define slotBigK    768
#define slotKappa   832
#define slotLost    896
#define slotBigA    960

// Instructions
//
// Go's assembler knows hardly any vector arithmetic on floating-point numbers, so that it is encoded here. Operands are
// the numbers of registers, the destination first, as in Arm's manual; each definition ends with the instruction as
// the manual writes it. T is the arrangement of a kernel's elements, 4S for float32 and 2D for float64. asm/arm64 decodes
// every one of these, for both element types and all registers, and compares it with that comment.

// EL chooses what differs between the element types: EL(float32, float64). The kernels define it.
#define SZ EL(0, 1)<<22

#define FADD(d, n, m)   WORD $(0x4e20d400 | SZ | (m)<<16 | (n)<<5 | (d)) // FADD Vd.T, Vn.T, Vm.T
#define FSUB(d, n, m)   WORD $(0x4ea0d400 | SZ | (m)<<16 | (n)<<5 | (d)) // FSUB Vd.T, Vn.T, Vm.T
#define FMUL(d, n, m)   WORD $(0x6e20dc00 | SZ | (m)<<16 | (n)<<5 | (d)) // FMUL Vd.T, Vn.T, Vm.T
#define FDIV(d, n, m)   WORD $(0x6e20fc00 | SZ | (m)<<16 | (n)<<5 | (d)) // FDIV Vd.T, Vn.T, Vm.T
#define FMLA(d, n, m)   WORD $(0x4e20cc00 | SZ | (m)<<16 | (n)<<5 | (d)) // FMLA Vd.T, Vn.T, Vm.T
#define FMLS(d, n, m)   WORD $(0x4ea0cc00 | SZ | (m)<<16 | (n)<<5 | (d)) // FMLS Vd.T, Vn.T, Vm.T
#define FMAX(d, n, m)   WORD $(0x4e20f400 | SZ | (m)<<16 | (n)<<5 | (d)) // FMAX Vd.T, Vn.T, Vm.T
#define FMIN(d, n, m)   WORD $(0x4ea0f400 | SZ | (m)<<16 | (n)<<5 | (d)) // FMIN Vd.T, Vn.T, Vm.T
#define FCMEQ(d, n, m)  WORD $(0x4e20e400 | SZ | (m)<<16 | (n)<<5 | (d)) // FCMEQ Vd.T, Vn.T, Vm.T
#define FCMGT(d, n, m)  WORD $(0x6ea0e400 | SZ | (m)<<16 | (n)<<5 | (d)) // FCMGT Vd.T, Vn.T, Vm.T
#define FABS(d, n)      WORD $(0x4ea0f800 | SZ | (n)<<5 | (d)) // FABS Vd.T, Vn.T
#define FNEG(d, n)      WORD $(0x6ea0f800 | SZ | (n)<<5 | (d)) // FNEG Vd.T, Vn.T

#define FADD2D(d, n, m) WORD $(0x4e60d400 | (m)<<16 | (n)<<5 | (d)) // FADD Vd.2D, Vn.2D, Vm.2D
#define FCVTL(d, n)     WORD $(0x0e617800 | (n)<<5 | (d)) // FCVTL Vd.2D, Vn.2S
#define FCVTL2(d, n)    WORD $(0x4e617800 | (n)<<5 | (d)) // FCVTL2 Vd.2D, Vn.4S

#define VADD(d, n, m)   WORD $(0x4ea08400 | SZ | (m)<<16 | (n)<<5 | (d)) // ADD Vd.T, Vn.T, Vm.T
#define VSUB(d, n, m)   WORD $(0x6ea08400 | SZ | (m)<<16 | (n)<<5 | (d)) // SUB Vd.T, Vn.T, Vm.T
#define CMTST(d, n, m)  WORD $(0x4ea08c00 | SZ | (m)<<16 | (n)<<5 | (d)) // CMTST Vd.T, Vn.T, Vm.T
#define CMHI(d, n, m)   WORD $(0x6ea03400 | SZ | (m)<<16 | (n)<<5 | (d)) // CMHI Vd.T, Vn.T, Vm.T
#define CMLT0(d, n)     WORD $(0x4ea0a800 | SZ | (n)<<5 | (d)) // CMLT Vd.T, Vn.T, #0
#define UMIN4S(d, n, m) WORD $(0x6ea06c00 | (m)<<16 | (n)<<5 | (d)) // UMIN Vd.4S, Vn.4S, Vm.4S
#define MLA4S(d, n, m)  WORD $(0x4ea09400 | (m)<<16 | (n)<<5 | (d)) // MLA Vd.4S, Vn.4S, Vm.4S
#define SHL4S20(d, n)   WORD $(0x4f345400 | (n)<<5 | (d)) // SHL Vd.4S, Vn.4S, #20
#define SHL2D49(d, n)   WORD $(0x4f715400 | (n)<<5 | (d)) // SHL Vd.2D, Vn.2D, #49
#define USRA4S23(d, n)  WORD $(0x6f291400 | (n)<<5 | (d)) // USRA Vd.4S, Vn.4S, #23
#define USRA2D52(d, n)  WORD $(0x6f4c1400 | (n)<<5 | (d)) // USRA Vd.2D, Vn.2D, #52

#define VAND(d, n, m)   WORD $(0x4e201c00 | (m)<<16 | (n)<<5 | (d)) // AND Vd.16B, Vn.16B, Vm.16B
#define VBIC(d, n, m)   WORD $(0x4e601c00 | (m)<<16 | (n)<<5 | (d)) // BIC Vd.16B, Vn.16B, Vm.16B
#define VEOR(d, n, m)   WORD $(0x6e201c00 | (m)<<16 | (n)<<5 | (d)) // EOR Vd.16B, Vn.16B, Vm.16B
#define BSL(d, n, m)    WORD $(0x6e601c00 | (m)<<16 | (n)<<5 | (d)) // BSL Vd.16B, Vn.16B, Vm.16B
#define BIT(d, n, m)    WORD $(0x6ea01c00 | (m)<<16 | (n)<<5 | (d)) // BIT Vd.16B, Vn.16B, Vm.16B
#define BIF(d, n, m)    WORD $(0x6ee01c00 | (m)<<16 | (n)<<5 | (d)) // BIF Vd.16B, Vn.16B, Vm.16B
#define VMOV(d, n)      WORD $(0x4ea01c00 | (n)<<16 | (n)<<5 | (d)) // MOV Vd.16B, Vn.16B
#define ZERO(d)         WORD $(0x6f00e400 | (d)) // MOVI Vd.2D, #0x0

#define TBL2(d, n, m)   WORD $(0x4e002000 | (m)<<16 | (n)<<5 | (d)) // TBL Vd.16B, {Vn.16B, Vn+1.16B}, Vm.16B
#define TBL4(d, n, m)   WORD $(0x4e006000 | (m)<<16 | (n)<<5 | (d)) // TBL Vd.16B, {Vn.16B-Vn+3.16B}, Vm.16B
#define TRN1(d, n, m)   WORD $(0x4e802800 | (m)<<16 | (n)<<5 | (d)) // TRN1 Vd.4S, Vn.4S, Vm.4S
#define DUP4S(d, r)     WORD $(0x4e040c00 | (r)<<5 | (d)) // DUP Vd.4S, Wr
#define DUP2D(d, r)     WORD $(0x4e080c00 | (r)<<5 | (d)) // DUP Vd.2D, Xr

// r is the number of a general register, offset a multiple of 16; below 1024 for pairs.
#define LDRQ(d, r, offset)     WORD $(0x3dc00000 | (offset)/16<<10 | (r)<<5 | (d))            // LDR Qd, [Xr,#offset]
#define STRQ(d, r, offset)     WORD $(0x3d800000 | (offset)/16<<10 | (r)<<5 | (d))            // STR Qd, [Xr,#offset]
#define LDPQ(d, e, r, offset)  WORD $(0xad400000 | (offset)/16<<15 | (e)<<10 | (r)<<5 | (d)) // LDP Qd, Qe, [Xr,#offset]
#define STPQ(d, e, r, offset)  WORD $(0xad000000 | (offset)/16<<15 | (e)<<10 | (r)<<5 | (d)) // STP Qd, Qe, [Xr,#offset]

// Groups
//
// A group is a value of several vectors, whose instructions are interleaved so that the latency of one hides behind the
// others. It is named by its first register; the others follow that one. The kernels define WIDTH as how many there are.

#define NONE // an empty argument must be given like this

#define ONE(one, four)  one
#define FOUR(one, four) four

#define ALONE(x)  WIDTH(x, NONE) // if there is but one vector
#define OTHERS(x) WIDTH(NONE, x) // for the second to the fourth

#define EACH2(op, d, n)     op(d, n);     OTHERS(op(d+1, n+1);      op(d+2, n+2);      op(d+3, n+3))
#define EACH3(op, d, n, m)  op(d, n, m);  OTHERS(op(d+1, n+1, m+1); op(d+2, n+2, m+2); op(d+3, n+3, m+3))
// The same with an operand that all vectors share: the last, the one before, both.
#define LAST(op, d, n, k)   op(d, n, k);  OTHERS(op(d+1, n+1, k);   op(d+2, n+2, k);   op(d+3, n+3, k))
#define FIRST(op, d, k, m)  op(d, k, m);  OTHERS(op(d+1, k, m+1);   op(d+2, k, m+2);   op(d+3, k, m+3))
#define BOTH(op, d, j, k)   op(d, j, k);  OTHERS(op(d+1, j, k);     op(d+2, j, k);     op(d+3, j, k))

#define LOAD(g, r, offset)  ALONE(LDRQ(g, r, offset)); OTHERS(LDPQ(g, g+1, r, offset); LDPQ(g+2, g+3, r, offset+32))
#define STORE(g, r, offset) ALONE(STRQ(g, r, offset)); OTHERS(STPQ(g, g+1, r, offset); STPQ(g+2, g+3, r, offset+32))
// A constant for every element: of a group, of one register.
#define EVERY(g, name)      ALONE(LDRQ(g, nCONSTS, name)); OTHERS(LDPQ(g, g+1, nCONSTS, name); LDPQ(g+2, g+3, nCONSTS, name))
#define CONST(k, name)      LDRQ(k, nCONSTS, name)

// Masks: all ones or zeros, by the bits in a general register
#define EXPAND(m, r)        EL(DUP4S(K0, r), DUP2D(K0, r)); LOAD(m, nCONSTS, neonConstants_bits); LAST(CMTST, m, m, K0)

// Tables of eight. BYTES_OF makes the bytes of the indices from the last three bits of the integers at the end of t, and
// BYTES_OF_I from i + magic. Short entries of float64 are the upper halves of numbers; the others are looked up in tables
// of 64 bytes, which take all of K0 to K3.
#define BYTES_OF(at, t, tmp) CONST(K0, neonConstants_seven); CONST(K1, neonConstants_times4); \
	EVERY(at, neonConstants_byteOfJ);                                              \
	LAST(VAND, tmp, t, K0); EL(NONE, EACH3(TRN1, tmp, tmp, tmp)); LAST(MLA4S, at, tmp, K1)
#define BYTES_OF_I(at, i)   CONST(K1, neonConstants_times4); EVERY(at, neonConstants_byteOfI); \
	EL(NONE, EACH3(TRN1, i, i, i)); LAST(MLA4S, at, i, K1)
#define SHORT(g, name, at)  LDPQ(K0, K1, nTABLES, name-neonConstants_exp); FIRST(TBL2, g, K0, at)
#define LONG(g, name, at)   LDPQ(K0, K1, nTABLES, name-neonConstants_exp);   \
	EL(FIRST(TBL2, g, K0, at), LDPQ(K2, K3, nTABLES, name-neonConstants_exp+32); FIRST(TBL4, g, K0, at))

// Polynomials: float32 by Horner's rule, float64 by even and odd powers apart.

#define TERM(acc, a, x, name)   EVERY(acc, name); EACH3(FMLA, acc, a, x)
#define TERM0(acc, x, last, name) CONST(K0, last); EVERY(acc, name); LAST(FMLA, acc, x, K0)

#define E(i) neonConstants_exp2m1+32*i
#define L(i) neonConstants_log1p+32*i

// p = 2^(g/8) - 1
#define EXP2M1(p, g, t1, t2, t3)    EL(EXP2M1_32(p, g, t1), EXP2M1_64(p, g, t1, t2, t3))
#define EXP2M1_32(p, g, t)          \
	TERM0(p, g, E(3), E(2));                                                       \
	TERM(t, p, g, E(1));                                                           \
	TERM(p, t, g, E(0));                                                           \
	EACH3(FMUL, p, p, g)
#define EXP2M1_64(p, g, t1, t2, gg) \
	EACH3(FMUL, gg, g, g);                                                         \
	TERM0(p, gg, E(6), E(4));                                                      \
	TERM0(t1, gg, E(5), E(3));                                                     \
	TERM(t2, p, gg, E(2));                                                         \
	TERM(p, t1, gg, E(1));                                                         \
	TERM(t1, t2, gg, E(0));                                                        \
	EACH3(FMLA, t1, p, g);                                                         \
	EACH3(FMUL, p, t1, g)

// z becomes log1p(z).
#define LOG1P(z, zz, t1, t2, t3)    EACH3(FMUL, zz, z, z); EL(LOG1P_32(z, zz, t1, t2), LOG1P_64(z, zz, t1, t2, t3))
#define LOG1P_32(z, zz, t1, t2)     \
	TERM0(t1, z, L(3), L(2));                                                      \
	TERM(t2, t1, z, L(1));                                                         \
	TERM(t1, t2, z, L(0));                                                         \
	EACH3(FMLA, z, zz, t1)
#define LOG1P_64(z, zz, t1, t2, t3) \
	TERM0(t1, zz, L(10), L(8));                                                    \
	TERM0(t2, zz, L(9), L(7));                                                     \
	TERM(t3, t1, zz, L(6));                                                        \
	TERM(t1, t2, zz, L(5));                                                        \
	TERM(t2, t3, zz, L(4));                                                        \
	TERM(t3, t1, zz, L(3));                                                        \
	TERM(t1, t2, zz, L(2));                                                        \
	TERM(t2, t3, zz, L(1));                                                        \
	TERM(t3, t1, zz, L(0));                                                        \
	EACH3(FMLA, t3, t2, z);                                                        \
	EACH3(FMLA, z, zz, t3)

// Steps
//
// They work in the groups g0 to g6, and say in which; a value that would be in the way waits in a slot. What differs
// between kernels is chosen by the names of macros.

#define NO(x)
#define YES(x) x

// The range of exp(-|u|): the normal numbers, or beyond them; SMALL has A scaled down before S is made of it.
#define NORMAL(normal, tiny, small) normal
#define TINY(normal, tiny, small)   tiny
#define SMALL(normal, tiny, small)  small

// Targets: a class for each row, or a number for each element. What is said of u, s = σ(u) and q = σ(-u) holds for soft
// targets as well, u = |x|, or -|x| where N and O have changed places: s is then N, and q is O.
#define LABEL(label, soft) label
#define SOFT(label, soft)  soft

// Steps 1 and 2, from |u| in g1: p is left in g1, c in g2, z in g3, the tables' entry in g6, S in g5 or, if not NORMAL, g4;
// if TINY, S·2^TinyShift in g5.
#define LOGISTIC(range, power, target) \
	/* a = min(|u|, clamp) as integers: NaN becomes clamp */                       \
	CONST(K0, range(neonConstants_clamp, neonConstants_clampTiny, neonConstants_clampTiny)); \
	EL(LAST(UMIN4S, g1, g1, K0), LAST(CMHI, g2, g1, K0); FIRST(BIT, g1, K0, g2));  \
	/* a·8/ln2 = -(k+f); e = A·(1+p) */                                            \
	CONST(K0, neonConstants_scale); CONST(K1, range(neonConstants_magic, neonConstants_magicTiny, neonConstants_magicTiny)); \
	EVERY(g2, range(neonConstants_magic, neonConstants_magicTiny, neonConstants_magicTiny)); LAST(FMLS, g2, g1, K0); \
	power(LAST(FSUB, g4, g2, K1); STORE(g4, nFRAME, slotK));                       \
	FIRST(FSUB, g3, K1, g2); LAST(FMLS, g3, g1, K0);                               \
	CONST(K2, neonConstants_scaleLo); LAST(FMLS, g3, g1, K2);                      \
	power(STORE(g3, nFRAME, slotF));                                               \
	SCALE(g2, g4, g5, g6); EACH3(FADD, g5, g5, g3);                                \
	EXP2M1(g1, g5, g2, g3, g6);                                                    \
	range(NONE, NONE, STORE(g4, nSOFTFRAME, slotBigA); CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g4, K0)); \
	target(NONE, SOFT_SUM(range));                                                 \
	/* z = c·(1+e) - 1 = S·p + (S + (c-1)) */                                      \
	CONST(K0, range(neonConstants_index, neonConstants_indexTiny, neonConstants_index)); \
	EVERY(g5, neonConstants_magic); LAST(FMLA, g5, g4, K0);                        \
	BYTES_OF_I(g6, g5); SHORT(g2, neonConstants_recip, g6);                        \
	EACH3(FMUL, range(g5, g5, g4), g4, g2);                                        \
	range(NONE, CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g5, K0), NONE);      \
	CONST(K0, neonConstants_one); LAST(FSUB, g3, g2, K0);                          \
	EACH3(FADD, g3, g3, range(g5, g4, g4)); EACH3(FMLA, g3, range(g5, g4, g4), g1)

// A = Exp[j]·2^floor(k/8) and rest = ExpRest[j], j = k mod 8, for the integers k at the end of t, which is overwritten
#define SCALE(t, A, rest, at) \
	BYTES_OF(at, t, A);                                                            \
	SHORT(A, neonConstants_exp, at); LONG(rest, neonConstants_expRest, at);        \
	EL(EACH2(SHL4S20, t, t), EACH2(SHL2D49, t, t)); EACH3(VADD, A, A, t)

// m: whether u is negative
#define SIGNS(m, target)    target(LOAD(m, nFRAME, slotU); EACH2(CMLT0, m, m), LOAD(m, nSOFTFRAME, slotSwap))

// h = z/(1+z)
#define FRACTION(z, h)      CONST(K0, neonConstants_one); LAST(FADD, h, z, K0); EACH3(FDIV, h, z, h)

// B = w·B, for the weights w
#define WEIGHTED(B, w, target) \
	target(EXPAND(w, nPOSITIVES), LOAD(w, nSOFTFRAME, slotWeight));                \
	target(LDRQ(K0, nFRAME, slotWPos); LDRQ(K1, nFRAME, slotWNeg); BOTH(BSL, w, K0, K1), NONE); \
	EACH3(FMUL, B, B, w)

// B = B·(1+v)²: step 3
#define SQUARED(v, B, y)    EACH3(FADD, y, v, v); EACH3(FMLA, y, v, v); EACH3(FMLA, B, B, y)

// From LOGISTIC: slots of s, q and, if the Hessian is wanted, q·2^TinyShift; at γ = 2, w·s² in g3. So that this group is
// free, z and the entry go to slots.
#define SIGMOIDS(range, square, hess, target) \
	STORE(g3, nFRAME, slotZ); STORE(g6, nFRAME, slotAt);                           \
	FRACTION(g3, g6);                                                              \
	/* e/(1+e) = S·(1+g1), 1/(1+e) = c·(1+g6) */                                   \
	EACH3(FMLS, g1, g1, g6); EACH3(FSUB, g1, g1, g6); ZERO(K0); FIRST(FSUB, g6, K0, g6); \
	SIGNS(g0, target);                                                             \
	hess(CONST(K0, neonConstants_huge); EACH3(SCALED_UP, g5, g2, g0));             \
	hess(EACH2(VMOV, g3, g0); EACH3(BSL, g3, g6, g1); EACH3(FMLA, g5, g5, g3));    \
	hess(STORE(g5, nFRAME, slotBigQ));                                             \
	square(EACH2(VMOV, g3, g0); EACH3(BSL, g3, range(g5, g4, g4), g2); EACH3(FMUL, g3, g3, g3)); \
	EACH3(FMLA, range(g5, g4, g4), range(g5, g4, g4), g1); EACH3(FMLA, g2, g2, g6); \
	EACH3(BIT, g6, g1, g0);                                                        \
	EACH2(VMOV, g1, g0); EACH3(BSL, g1, range(g5, g4, g4), g2); STORE(g1, nFRAME, slotS); \
	EACH3(BIT, range(g5, g4, g4), g2, g0); STORE(range(g5, g4, g4), nFRAME, slotQ); \
	square(WEIGHTED(g3, g0, target); SQUARED(g6, g3, g1))

// t = c·2^TinyShift where negative
#define SCALED_UP(t, c, negative) FMUL(K1, c, K0); BIT(t, K1, negative)

// g6 = L = log1p(e) + max(u, 0), from l = log1p(z) and the entry in g6. Infinity and NaN of u enter here.
#define SOFTPLUS(l, target) \
	LONG(g6, neonConstants_log, g6); EACH3(FADD, g6, g6, l); LINEAR(target)
#define LINEAR(target) \
	target(LOAD(g0, nFRAME, slotU); ZERO(K0); LAST(FMAX, g0, g0, K0), LOAD(g0, nSOFTFRAME, slotY)); \
	EACH3(FADD, g6, g6, g0)

// Step 4: the same L, and g1 = B = w·s^γ·2^TinyShift, times R^γ for soft targets
#define POWER(l, target) \
	/* 8·log2 s = hi + lo */                                                       \
	LONG(g1, neonConstants_log8Hi, g6); LONG(g2, neonConstants_log8Lo, g6);        \
	LONG(g6, neonConstants_log, g6); EACH3(FADD, g6, g6, l);                       \
	SIGNS(g4, target);                                                             \
	LOAD(g5, nFRAME, slotK); EACH3(VAND, g5, g5, g4); EACH3(FSUB, g1, g5, g1);     \
	CONST(K0, neonConstants_scale); LAST(FMLA, g2, l, K0);                         \
	LOAD(g5, nFRAME, slotF); EACH3(VAND, g5, g5, g4); EACH3(FSUB, g2, g5, g2);     \
	target(NONE, LOAD(g4, nSOFTFRAME, slotHiR); EACH3(FADD, g1, g1, g4));          \
	target(NONE, LOAD(g5, nSOFTFRAME, slotLoR); EACH3(FADD, g2, g2, g5));          \
	/* γ·(hi+lo) = k + f */                                                        \
	EACH3(FADD, g4, g1, g2);                                                       \
	LDRQ(K0, nFRAME, slotPowHi); LDRQ(K1, nFRAME, slotPowLo);                      \
	CONST(K2, neonConstants_powMin); CONST(K3, neonConstants_magicTiny);           \
	EVERY(g5, neonConstants_magicTiny); LAST(FMLA, g5, g4, K0); LAST(FMAX, g5, g5, K2); \
	FIRST(FSUB, g3, K3, g5);                                                       \
	LAST(FMLA, g3, g1, K0); LAST(FMLA, g3, g2, K0); LAST(FMLA, g3, g4, K1);        \
	CONST(K0, neonConstants_minusOne); LAST(FMAX, g3, g3, K0);                     \
	/* s^γ·2^TinyShift = A·(1+p) */                                                \
	SCALE(g5, g1, g2, g4); EACH3(FADD, g2, g2, g3);                                \
	EXP2M1(g0, g2, g3, g4, g5);                                                    \
	WEIGHTED(g1, g2, target);                                                      \
	EACH3(FMLA, g1, g1, g0);                                                       \
	LINEAR(target)

// READ and WRITE access the present group of an array.
#define READ(g, array)         ADD INDEX<<EL(2, 3), array, ADDRESS; LOAD(g, nADDRESS, 0)
#define WRITE(g, array)        ADD INDEX<<EL(2, 3), array, ADDRESS; STORE(g, nADDRESS, 0)
#define WRITE_IF(g, array, no) CBZ array, no; WRITE(g, array); no:

// Zeros where the element is ignored or past the end
#define KEPT(g, all) \
	CMN $1, KEPTBITS; BEQ all; EL(DUP4S(K0, nKEPTBITS), DUP2D(K0, nKEPTBITS));     \
	KEPT1(g, 0); OTHERS(KEPT1(g+1, 16); KEPT1(g+2, 32); KEPT1(g+3, 48));           \
all:
#define KEPT1(v, offset)       LDRQ(K1, nCONSTS, neonConstants_bits+offset); CMTST(K1, K1, K0); VAND(v, v, K1)

// Lane i mod 16 of the sums gets element i.
#define ADD_TO_SUMS(g, no) \
	CBZ SUMS, no; AND $const_laneMask, INDEX, ADDRESS; ADD ADDRESS<<3, SUMS, ADDRESS; \
	EL(ADD32(g, 0), ADD64(g, 0)); OTHERS(EL(ADD32(g+1, 32), ADD64(g+1, 16)));      \
	OTHERS(EL(ADD32(g+2, 64), ADD64(g+2, 32)); EL(ADD32(g+3, 96), ADD64(g+3, 48))); \
no:
#define ADD32(v, offset) \
	LDPQ(K2, K3, nADDRESS, offset); FCVTL(K0, v); FCVTL2(K1, v);                   \
	FADD2D(K0, K0, K2); FADD2D(K1, K1, K3); STPQ(K0, K1, nADDRESS, offset)
#define ADD64(v, offset) /* TwoSum */ \
	LDRQ(K0, nADDRESS, offset); LDRQ(K3, nADDRESS, offset+const_sumsLo);           \
	FADD(K1, K0, v); STRQ(K1, nADDRESS, offset);                                   \
	FSUB(K2, K1, K0); FSUB(K1, K1, K2); FSUB(K0, K0, K1); FSUB(K2, v, K2);         \
	FADD(K0, K0, K2); FADD(K3, K3, K0); STRQ(K3, nADDRESS, offset+const_sumsLo)

// The losses in g0
#define LOSSES(all, nosums, noloss) KEPT(g0, all); ADD_TO_SUMS(g0, nosums); WRITE_IF(g0, LOSS, noloss)

// The gradients in g4, but for the factor 2^-TinyShift that the power has, and the sign that labels bring
#define GRADIENTS(power, target, nodout, all) \
	power(CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g4, K0));                  \
	target(EXPAND(g0, nPOSITIVES); EACH2(FLIP, g4, g0), NONE);                     \
	CBZ DOUT, nodout;                                                              \
	READ(g0, DOUT); CONST(K0, neonConstants_nan);                                  \
	EACH3(FMUL, g4, g4, g0); EACH2(ONE_NAN, g4, g4);                               \
nodout:                                                                            \
	KEPT(g4, all); WRITE(g4, GRAD)
#define FLIP(d, where) FNEG(K1, d); BIT(d, K1, where)
#define ONE_NAN(d, n)  FCMEQ(K1, d, n); BIF(d, K0, K1)

// The Hessians in g4, but for the factor 2^-TinyShift that the power has
#define HESSIANS(power, all, no) \
	power(CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g4, K0));                  \
	KEPT(g4, all); WRITE_IF(g4, HESS, no)

// γ·L in g6, for the derivatives
#define GAMMA_L \
	CONST(K0, neonConstants_maxSoftplus); LAST(FMIN, g6, g6, K0);                  \
	LDRQ(K0, nFRAME, slotGamma); LAST(FMUL, g6, g6, K0)

// Kernels, for one group
//
// Labels are arguments, since a function has this text twice: for whole groups, and for what is left.

#define LOGITS \
	READ(g0, X); EXPAND(g2, nPOSITIVES); EACH2(FNEG, g1, g0); EACH3(BIT, g0, g1, g2); /* u = x, of positives -x */ \
	EACH2(FABS, g1, g0); STORE(g0, nFRAME, slotU)

#define LOSS_SQUARE(all, nosums, noloss) \
	LOGITS; LOGISTIC(NORMAL, NO, LABEL);                                           \
	SQUARE(LABEL);                                                                 \
	LOG1P(g3, g1, g2, g5, g0); SOFTPLUS(g3, LABEL); EACH3(FMUL, g0, g6, g4);       \
	LOSSES(all, nosums, noloss)

// From LOGISTIC, B = w·s² in g4; z and the entry stay.
#define SQUARE(target) \
	SIGNS(g0, target);                                                             \
	EACH2(VMOV, g4, g0); EACH3(BSL, g4, g5, g2); EACH3(FMUL, g4, g4, g4); WEIGHTED(g4, g2, target); \
	FRACTION(g3, g5); EACH3(FMLS, g1, g1, g5); EACH3(VAND, g1, g1, g0); EACH3(FSUB, g1, g1, g5); \
	SQUARED(g1, g4, g2)

#define LOSS_POWER(all, nosums, noloss) \
	LOGITS; LOGISTIC(TINY, YES, LABEL);                                            \
	LOG1P(g3, g1, g2, g4, g5); POWER(g3, LABEL);                                   \
	CONST(K0, neonConstants_tiny); LAST(FMUL, g0, g1, K0); EACH3(FMUL, g0, g6, g0); \
	LOSSES(all, nosums, noloss)

#define GRAD_SQUARE(all, nosums, noloss, nodout, allgrad, nograd) \
	LOGITS; LOGISTIC(NORMAL, NO, LABEL); SIGMOIDS(NORMAL, YES, NO, LABEL);         \
	SQUARE_LOSSES(all, nosums, noloss);                                            \
	GAMMA_L; GRADIENT(g3, NO, nodout, allgrad, nograd)

#define GRAD_POWER(all, nosums, noloss, nodout, allgrad, nograd) \
	LOGITS; LOGISTIC(TINY, YES, LABEL); SIGMOIDS(TINY, NO, NO, LABEL);             \
	POWER_LOSSES(LABEL, all, nosums, noloss);                                      \
	GAMMA_L; GRADIENT(g1, YES, nodout, allgrad, nograd)

#define HESS_SQUARE(all, nosums, noloss, nodout, allgrad, nograd, allhess, nohess) \
	LOGITS; LOGISTIC(TINY, NO, LABEL); SIGMOIDS(TINY, YES, YES, LABEL);            \
	SQUARE_LOSSES(all, nosums, noloss);                                            \
	GAMMA_L; GRADIENT(g3, NO, nodout, allgrad, nograd); HESSIAN(g3, NO, allhess, nohess)

#define HESS_POWER(all, nosums, noloss, nodout, allgrad, nograd, allhess, nohess) \
	LOGITS; LOGISTIC(TINY, YES, LABEL); SIGMOIDS(TINY, NO, YES, LABEL);            \
	POWER_LOSSES(LABEL, all, nosums, noloss);                                      \
	GAMMA_L; GRADIENT(g1, YES, nodout, allgrad, nograd); HESSIAN(g1, YES, allhess, nohess)

#define SQUARE_LOSSES(all, nosums, noloss) \
	LOAD(g0, nFRAME, slotZ); LOAD(g6, nFRAME, slotAt); LOG1P(g0, g1, g2, g4, g5);  \
	SOFTPLUS(g0, LABEL); EACH3(FMUL, g0, g6, g3);                                  \
	LOSSES(all, nosums, noloss)

#define POWER_LOSSES(target, all, nosums, noloss) \
	LOAD(g0, nFRAME, slotZ); LOAD(g6, nFRAME, slotAt); LOG1P(g0, g1, g2, g4, g5);  \
	POWER(g0, target);                                                             \
	CONST(K0, neonConstants_tiny); LAST(FMUL, g0, g1, K0); target(EACH3(FMUL, g0, g6, g0), SOFT_UNSCALED); \
	LOSSES(all, nosums, noloss)

// grad = ±B·(s + q·γ·L)
#define GRADIENT(B, power, nodout, all, no) \
	CBZ GRAD, no;                                                                  \
	LOAD(g4, nFRAME, slotS); LOAD(g5, nFRAME, slotQ);                              \
	EACH3(FMLA, g4, g5, g6); EACH3(FMUL, g4, g4, B);                               \
	GRADIENTS(power, LABEL, nodout, all);                                          \
no:

// hess = B·q·(s·(1+2γ) + γ·L·(γ·q - s))
#define HESSIAN(B, power, all, no) \
	LOAD(g4, nFRAME, slotS); LOAD(g5, nFRAME, slotQ);                              \
	LDRQ(K0, nFRAME, slotGamma); LDRQ(K1, nFRAME, slotHessOne);                    \
	EACH2(FNEG, g0, g4); LAST(FMLA, g0, g5, K0);                                   \
	LAST(FMUL, g4, g4, K1); EACH3(FMLA, g4, g6, g0);                               \
	LOAD(g5, nFRAME, slotBigQ); EACH3(FMUL, g4, g4, g5);                           \
	CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g4, K0); EACH3(FMUL, g4, g4, B); \
	HESSIANS(power, all, no)

#define SIGMOID \
	READ(g0, X); EACH2(FABS, g1, g0); LOGISTIC(TINY, NO, LABEL);                   \
	FRACTION(g3, g5); EACH3(FMLS, g1, g1, g5);                                     \
	EACH2(CMLT0, g6, g0); EACH3(VAND, g1, g1, g6); EACH3(FSUB, g1, g1, g5);        \
	EACH3(BSL, g6, g4, g2); EACH3(FMLA, g6, g6, g1);                               \
	EACH3(FCMEQ, g1, g0, g0); EACH3(VBIC, g0, g0, g1); EACH3(FADD, g6, g6, g0); /* NaN of x */ \
	WRITE(g6, LOSS)

// Kernels of soft targets, with the names of kernel_generic_soft.go

// From x and t: |x| in g1, and slots of a, y = β·|x|, β, θ, δ, of what 1-t has lost, and of two masks: where N and O change
// places, and where x, or rather N, counts as negative.
#define TARGETS(deriv) \
	READ(g0, X); READ(g1, TARGET);                                                 \
	CONST(K0, neonConstants_one); LDRQ(K1, nFRAME, slotWNeg); LDRQ(K2, nFRAME, slotWPos); \
	FIRST(FSUB, g2, K0, g1);                                                       \
	FIRST(FSUB, g4, K0, g2); EACH3(FSUB, g4, g4, g1); STORE(g4, nSOFTFRAME, slotLost); \
	LAST(FMUL, g3, g2, K1); EACH2(FNEG, g5, g3); LAST(FMLA, g5, g2, K1);           \
	LAST(FMLA, g5, g4, K1); LAST(FMLA, g5, g1, K2);                                \
	EACH3(FADD, g3, g3, g5); STORE(g3, nSOFTFRAME, slotWeight);                    \
	deriv(EACH3(FADD, g4, g1, g1); FIRST(FSUB, g4, K0, g4); STORE(g4, nSOFTFRAME, slotDelta)); /* t+t is exact */ \
	EACH2(CMLT0, g5, g0);                                                          \
	EACH2(VMOV, g6, g5); EACH3(BSL, g6, g1, g2);                                   \
	EACH2(FABS, g0, g0); EACH3(FMUL, g3, g6, g0);                                  \
	ZERO(K1); LAST(FCMEQ, g4, g6, K1); STORE(g4, nSOFTFRAME, slotSwap);            \
	EACH3(FINITE_Y, g3, g0, g4); STORE(g3, nSOFTFRAME, slotY);                     \
	EACH3(VEOR, g5, g5, g4); STORE(g5, nSOFTFRAME, slotFlip);                      \
	EACH2(VMOV, g6, g5); EACH3(BSL, g6, g1, g2); STORE(g6, nSOFTFRAME, slotBeta);  \
	EACH3(BSL, g5, g2, g1); STORE(g5, nSOFTFRAME, slotTheta);                      \
	EACH2(VMOV, g1, g0)
// y where β is 0: not 0·Inf, but NaN if |x| is
#define FINITE_Y(y, x, zero) FMIN(K2, x, K1); BIT(y, K2, zero)

// The losses from B in g1, that times 2^-TinyShift in g0, and L in g6. The scale is taken back from the larger factor: E
// may be huge where m^γ is tiny, but not that of a label.
#define SOFT_UNSCALED \
	CONST(K1, neonConstants_one); ZERO(K2);                                        \
	LAST(FCMGT, g2, g6, K1);                                                       \
	LOAD(g3, nSOFTFRAME, slotTheta); LAST(FCMEQ, g3, g3, K2); EACH3(VBIC, g2, g2, g3); \
	LAST(FMUL, g4, g6, K0);                                                        \
	EACH3(BIT, g0, g1, g2); EACH3(BSL, g2, g4, g6); EACH3(FMUL, g0, g2, g0); SOFT_INFINITE

// For a loss in g0 that is the NaN of 0·Inf: infinity, NaN if L is, in g6
#define SOFT_INFINITE CONST(K0, neonConstants_inf); EACH3(INFINITE, g0, g0, g6)
#define INFINITE(d, n, L) FADD(K1, L, K0); FCMEQ(K2, d, n); BIF(d, K1, K2)

// From A in g4 and p in g1, which stay: R + rest = β + e·θ in slots, times 2^TinyShift if A is.
#define SOFT_SUM(range) \
	LOAD(g0, nSOFTFRAME, slotTheta); EACH3(FMUL, g2, g4, g0);                      \
	EACH2(VMOV, g3, g2); EACH3(FMLA, g3, g2, g1); /* A·θ·(1+p) */                  \
	EACH2(FNEG, g5, g3); EACH3(FMLA, g5, g4, g0); EACH3(FMLA, g5, g2, g1);         \
	CONST(K0, range(neonConstants_one, neonConstants_huge, neonConstants_one));    \
	LOAD(g0, nSOFTFRAME, slotFlip); LAST(BSL, g0, g4, K0); /* e, to a few bits, or 1 */ \
	LOAD(g2, nSOFTFRAME, slotLost); EACH3(FMLA, g5, g0, g2);                       \
	LOAD(g0, nSOFTFRAME, slotBeta); range(NONE, LAST(FMUL, g0, g0, K0), NONE);     \
	EACH3(FMAX, g2, g0, g3); EACH3(FMIN, g3, g0, g3);                              \
	EACH3(FADD, g0, g2, g3); STORE(g0, nSOFTFRAME, slotR);                         \
	EACH3(FSUB, g2, g0, g2); EACH3(FSUB, g3, g3, g2);                              \
	EACH3(FADD, g5, g5, g3); STORE(g5, nSOFTFRAME, slotRest)

// B = B·(R + 2·rest), since R times that is (R + rest)²
#define SOFT_SQUARE(B, hess) \
	LOAD(g0, nSOFTFRAME, slotRest); LOAD(g1, nSOFTFRAME, slotR);                   \
	EACH3(FADD, g0, g0, g0); EACH3(FADD, g0, g0, g1); EACH3(FMUL, B, B, g0);       \
	hess(CONST(K0, neonConstants_huge); LAST(FMUL, g1, g1, K0); STORE(g1, nSOFTFRAME, slotBigR))

// From R and rest times 2^TinyShift, in slots: 8·log2(R + rest) = hi + lo, where R = 2^k·y, 1 ≤ y < 2; for the derivatives
// their sum, and that without the factor as R.
#define SOFT_POWER(deriv) \
	LOAD(g1, nSOFTFRAME, slotR); LOAD(g2, nSOFTFRAME, slotRest);                   \
	deriv(EACH3(FADD, g3, g1, g2); STORE(g3, nSOFTFRAME, slotBigR));               \
	deriv(CONST(K0, neonConstants_tiny); LAST(FMUL, g3, g3, K0); STORE(g3, nSOFTFRAME, slotR)); \
	CONST(K0, neonConstants_one); CONST(K1, neonConstants_mantissa);               \
	LAST(VBIC, g3, g1, K1); FIRST(VSUB, g4, K0, g3); LAST(VADD, g4, g4, K0); EACH3(FMUL, g2, g2, g4); /* rest·2^-k */ \
	EVERY(g0, neonConstants_magic); EL(EACH2(USRA4S23, g0, g1), EACH2(USRA2D52, g0, g1)); \
	BOTH(BIF, g1, K0, K1);                                                         \
	CONST(K0, neonConstants_magicExp); LAST(FSUB, g0, g0, K0);                     \
	CONST(K0, neonConstants_index); EVERY(g5, neonConstants_magicIndex); LAST(FMLA, g5, g1, K0); \
	BYTES_OF_I(g3, g5); SHORT(g4, neonConstants_recip, g3);                        \
	EVERY(g5, neonConstants_minusOne); EACH3(FMLA, g5, g1, g4); EACH3(FMLA, g5, g2, g4); \
	LOG1P(g5, g1, g2, g4, g6);                                                     \
	LONG(g1, neonConstants_log8Hi, g3); CONST(K0, neonConstants_eight); LAST(FMLA, g1, g0, K0); \
	STORE(g1, nSOFTFRAME, slotHiR);                                                \
	LONG(g2, neonConstants_log8Lo, g3); CONST(K0, neonConstants_scale); LAST(FMLA, g2, g5, K0); \
	STORE(g2, nSOFTFRAME, slotLoR)

#define SOFT_LOSS_SQUARE(all, nosums, noloss) \
	TARGETS(NO); LOGISTIC(SMALL, NO, SOFT); EACH2(VMOV, g5, g4); SQUARE(SOFT); SOFT_SQUARE(g4, NO);    \
	LOG1P(g3, g1, g2, g5, g0); SOFTPLUS(g3, SOFT);                                 \
	LOAD(g1, nSOFTFRAME, slotR); EACH3(FMUL, g0, g6, g1); EACH3(FMUL, g0, g0, g4); SOFT_INFINITE; \
	LOSSES(all, nosums, noloss)

#define SOFT_LOSS_POWER(all, nosums, noloss) \
	TARGETS(NO); LOGISTIC(TINY, YES, SOFT); STORE(g3, nFRAME, slotZ); STORE(g6, nFRAME, slotAt); \
	SOFT_POWER(NO); POWER_LOSSES(SOFT, all, nosums, noloss)

#define SOFT_GRAD_SQUARE(all, nosums, noloss, nodout, allgrad, nograd) \
	TARGETS(YES); LOGISTIC(SMALL, NO, SOFT); SIGMOIDS(SMALL, YES, NO, SOFT);       \
	SOFT_SQUARE(g3, NO); SOFT_SQUARE_LOSSES(all, nosums, noloss);                  \
	GAMMA_L; CBZ GRAD, nograd; SOFT_D;                                             \
	SOFT_GRADIENT_SQUARE; GRADIENTS(NO, SOFT, nodout, allgrad);                    \
nograd:

#define SOFT_GRAD_POWER(all, nosums, noloss, nodout, allgrad, nograd) \
	TARGETS(YES); LOGISTIC(TINY, YES, SOFT); SIGMOIDS(TINY, NO, YES, SOFT);        \
	SOFT_POWER(YES); POWER_LOSSES(SOFT, all, nosums, noloss);                      \
	GAMMA_L; CBZ GRAD, nograd; SOFT_D; SOFT_KAPPA;                                 \
	SOFT_GRADIENT_POWER; GRADIENTS(YES, SOFT, nodout, allgrad);                    \
nograd:

#define SOFT_HESS_SQUARE(all, nosums, noloss, nodout, allgrad, nograd, allhess, nohess) \
	TARGETS(YES); LOGISTIC(SMALL, NO, SOFT);                                       \
	LOAD(g5, nSOFTFRAME, slotBigA); EACH3(FMUL, g5, g5, g2); SIGMOIDS(SMALL, YES, YES, SOFT); \
	SOFT_SQUARE(g3, YES); SOFT_SQUARE_LOSSES(all, nosums, noloss);                 \
	GAMMA_L; SOFT_D; SOFT_KAPPA;                                                   \
	CBZ GRAD, nograd; SOFT_GRADIENT_SQUARE; GRADIENTS(NO, SOFT, nodout, allgrad);  \
nograd:                                                                            \
	SOFT_HESSIAN(g1);                                                              \
	LOAD(g0, nSOFTFRAME, slotR); EACH3(FMUL, g3, g3, g0); EACH3(FMUL, g4, g4, g3); \
	HESSIANS(NO, allhess, nohess)

#define SOFT_HESS_POWER(all, nosums, noloss, nodout, allgrad, nograd, allhess, nohess) \
	TARGETS(YES); LOGISTIC(TINY, YES, SOFT); SIGMOIDS(TINY, NO, YES, SOFT);        \
	SOFT_POWER(YES); POWER_LOSSES(SOFT, all, nosums, noloss);                      \
	GAMMA_L; SOFT_D; SOFT_KAPPA;                                                   \
	CBZ GRAD, nograd; SOFT_GRADIENT_POWER; GRADIENTS(YES, SOFT, nodout, allgrad);  \
nograd:                                                                            \
	SOFT_HESSIAN(g3); EACH3(FMUL, g4, g4, g1);                                     \
	HESSIANS(YES, allhess, nohess)

#define SOFT_SQUARE_LOSSES(all, nosums, noloss) \
	LOAD(g0, nFRAME, slotZ); LOAD(g6, nFRAME, slotAt); LOG1P(g0, g1, g2, g4, g5);  \
	SOFTPLUS(g0, SOFT);                                                            \
	LOAD(g1, nSOFTFRAME, slotR); EACH3(FMUL, g0, g6, g1); EACH3(FMUL, g0, g0, g3); SOFT_INFINITE; \
	LOSSES(all, nosums, noloss)

// g2 = D = N·(2β - R): 2β is exact
#define SOFT_D \
	LOAD(g2, nSOFTFRAME, slotBeta); EACH3(FADD, g2, g2, g2); LOAD(g4, nSOFTFRAME, slotR); EACH3(FSUB, g2, g2, g4); \
	LOAD(g4, nFRAME, slotS); EACH3(FMUL, g2, g2, g4)

// κ = δ·O/R, and that times 2^(TinyShift/2), in slots; 0 where e has stopped falling, and t may be smaller still
#define SOFT_KAPPA \
	LOAD(g5, nFRAME, slotBigQ); CONST(K0, neonConstants_large); LAST(FMUL, g0, g5, K0); \
	CONST(K1, neonConstants_fallen); FIRST(FCMGT, g5, K1, g5);                     \
	LOAD(g4, nSOFTFRAME, slotBigR); EACH3(FDIV, g0, g0, g4);                       \
	LOAD(g4, nSOFTFRAME, slotDelta); EACH3(FMUL, g0, g0, g4);                      \
	EACH3(VBIC, g0, g0, g5); STORE(g0, nSOFTFRAME, slotBigK);                      \
	CONST(K0, neonConstants_small); LAST(FMUL, g0, g0, K0); STORE(g0, nSOFTFRAME, slotKappa)

// grad = B·(R·E' + δ·O·γ·L)
#define SOFT_GRADIENT_SQUARE \
	LOAD(g4, nSOFTFRAME, slotR); EACH3(FMUL, g4, g4, g2);                          \
	LOAD(g0, nSOFTFRAME, slotFlip); EACH2(FLIP, g4, g0);                           \
	LOAD(g0, nSOFTFRAME, slotDelta); LOAD(g5, nFRAME, slotQ); EACH3(FMUL, g0, g0, g5); \
	EACH3(FMLA, g4, g0, g6); EACH3(FMUL, g4, g4, g3)

// grad = B·(E' + κ·γ·L)
#define SOFT_GRADIENT_POWER \
	EACH2(VMOV, g4, g2); LOAD(g0, nSOFTFRAME, slotFlip); EACH2(FLIP, g4, g0);      \
	LOAD(g0, nSOFTFRAME, slotKappa); EACH3(FMLA, g4, g0, g6); EACH3(FMUL, g4, g4, g1)

// g4 = pq + κ·(2γ·D + γ·L·(γ·κ - (κ - O + N))), of a label O·(N·(1+2γ) + γ·L·(γ·O - N)), for κ and D with the
// sign that makes δ = 1 of a label. D is overwritten.
#define SOFT_HESSIAN(flip) \
	LDRQ(K0, nFRAME, slotGamma); LOAD(flip, nSOFTFRAME, slotFlip);                 \
	LOAD(g4, nSOFTFRAME, slotKappa); EACH2(FLIP, g4, flip);                        \
	LOAD(g5, nFRAME, slotQ); EACH3(FSUB, g5, g4, g5);                              \
	LOAD(g0, nFRAME, slotS); EACH3(FADD, g5, g5, g0);                              \
	EACH2(FNEG, g5, g5); LAST(FMLA, g5, g4, K0);                                   \
	EACH3(FADD, g2, g2, g2); LAST(FMUL, g2, g2, K0);                               \
	ZERO(K2); LOAD(g4, nSOFTFRAME, slotTheta); LAST(FCMEQ, g4, g4, K2); /* a label */ \
	LDRQ(K1, nFRAME, slotHessOne); LAST(FMUL, g0, g0, K1); EACH3(BIT, g2, g0, g4); \
	EACH3(FMLA, g2, g6, g5);                                                       \
	LOAD(g0, nSOFTFRAME, slotBigK); EACH2(FLIP, g0, flip);                         \
	CONST(K0, neonConstants_large); LAST(FMUL, g0, g0, K0);                        \
	LOAD(g5, nFRAME, slotBigQ); EACH3(BIT, g0, g5, g4);                            \
	LOAD(g6, nFRAME, slotS); EACH3(FMUL, g5, g5, g6);                              \
	FNEG(K2, K2); FIRST(BIT, g5, K2, g4); /* -0 */                                 \
	EACH3(FMLA, g5, g0, g2); CONST(K0, neonConstants_tiny); LAST(FMUL, g4, g5, K0)
