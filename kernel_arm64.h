// What kernel_arm64.s is made of: instructions, operations on groups of vectors, and the steps of kernel_generic.go with
// the same names in the same order.

// Registers

#define ARGS     R0
#define U        R1  // logits; of sigmoid and softplus, what is read
#define TARGET   R2
#define W        R3  // weights, or one vector of them
#define WEACH    R4  // -1 if W is an array; 0 if it is one weight for all
#define WPOS     R5
#define WPOSEACH R6
#define LOSS     R7
#define GRAD     R8
#define HESS     R9
#define CURV     R10
#define INDEX    R11 // bytes from the arrays' beginning to the present group
#define END      R12 // the same for the end
#define CONSTS   R13 // a neon
#define PARAMS   R22 // parameters on the stack
#define SLOTS    R23 // slots behind them
#define FRAME    R14 // those of the present group
#define START    R24 // INDEX at the beginning of a pass
#define STOP     R25 // and at its end
#define ADDRESS  R15
#define VALUE    R16
#define POS      R17 // bits
#define KEEP     R19
#define SUMS     R21

// Their numbers, where an instruction is encoded here
#define nCONSTS  13
#define nFRAME   14
#define nADDRESS 15
#define nVALUE   16
#define nSUMS    21
#define nPARAMS  22

// V0 to V27 are seven groups of four vectors, which the steps name by what is in them. K0 to K3 are for what all vectors
// share, mostly constants, and where none is in use, an eighth group.
#define g0 0
#define g1 4
#define g2 8
#define g3 12
#define g4 16
#define g5 20
#define g6 24
#define gK 28
#define K0 28
#define K1 29
#define K2 30
#define K3 31

// Parameters on the stack, for every element of a vector, and weights that are the same for all, for a group
#define paramGamma         0
#define paramGammaMinus1   16
#define paramGammaLn2      32
#define paramGammaLn2Lo    48
#define paramGammaSquareLn2 64
#define paramHessOne       80
#define paramPowHi         96
#define paramPowLo         112
#define paramPowHiDown     128
#define paramHessPow       144
#define paramHessBracket   160
#define paramW             176
#define paramWPos          240
#define params             304 // their size

// Slots behind them, where groups wait, also for the next pass. Their names are those of the values.
#define slotFar     0 // at γ = 2
#define slotK       0 // -k
#define slotF       64
#define slotA       128
#define slotE       192
#define slotP       256
#define slotM       320
#define slotBig     384 // b
#define slots       448 // their size
// and of soft targets
#define slotRatio   0 // M
#define slotBeta    256
#define slotLow     448
#define slotELow    512
#define slotD       576
#define slotKappa   640
#define slotR       704
#define slotRest    768
#define slotInverse 832
#define slotDD      896
#define slotDelta   960
#define slotNear    448 // Y, bounded
#define slotLost    384
#define softSlots   1024

// Instructions
//
// Go's assembler knows hardly any vector arithmetic on floating-point numbers, so it is encoded here. Operands are the
// numbers of registers, the destination first, as in Arm's manual; each definition ends with the instruction as the manual
// writes it. T is the arrangement of a kernel's elements, 4S for float32 and 2D for float64. A test decodes every one of
// these, for both element types and all registers, and compares it with that comment.

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
#define FMAXNM(d, n, m) WORD $(0x4e20c400 | SZ | (m)<<16 | (n)<<5 | (d)) // FMAXNM Vd.T, Vn.T, Vm.T
#define FMINNM(d, n, m) WORD $(0x4ea0c400 | SZ | (m)<<16 | (n)<<5 | (d)) // FMINNM Vd.T, Vn.T, Vm.T
#define FABD(d, n, m)   WORD $(0x6ea0d400 | SZ | (m)<<16 | (n)<<5 | (d)) // FABD Vd.T, Vn.T, Vm.T
#define FCMGT(d, n, m)  WORD $(0x6ea0e400 | SZ | (m)<<16 | (n)<<5 | (d)) // FCMGT Vd.T, Vn.T, Vm.T
#define FCMEQ(d, n, m)  WORD $(0x4e20e400 | SZ | (m)<<16 | (n)<<5 | (d)) // FCMEQ Vd.T, Vn.T, Vm.T
#define FABS(d, n)      WORD $(0x4ea0f800 | SZ | (n)<<5 | (d)) // FABS Vd.T, Vn.T
#define FNEG(d, n)      WORD $(0x6ea0f800 | SZ | (n)<<5 | (d)) // FNEG Vd.T, Vn.T

#define FADD2D(d, n, m) WORD $(0x4e60d400 | (m)<<16 | (n)<<5 | (d)) // FADD Vd.2D, Vn.2D, Vm.2D
#define FCVTL(d, n)     WORD $(0x0e617800 | (n)<<5 | (d)) // FCVTL Vd.2D, Vn.2S
#define FCVTL2(d, n)    WORD $(0x4e617800 | (n)<<5 | (d)) // FCVTL2 Vd.2D, Vn.4S

#define CMTST(d, n, m)  WORD $(0x4ea08c00 | SZ | (m)<<16 | (n)<<5 | (d)) // CMTST Vd.T, Vn.T, Vm.T
#define FCMLT0(d, n)    WORD $(0x4ea0e800 | SZ | (n)<<5 | (d)) // FCMLT Vd.T, Vn.T, #0
#define CMLT0(d, n)     WORD $(0x4ea0a800 | SZ | (n)<<5 | (d)) // CMLT Vd.T, Vn.T, #0
#define MLA4S(d, n, m)  WORD $(0x4ea09400 | (m)<<16 | (n)<<5 | (d)) // MLA Vd.4S, Vn.4S, Vm.4S
#define SHL4S20(d, n)   WORD $(0x4f345400 | (n)<<5 | (d)) // SHL Vd.4S, Vn.4S, #20
#define SHL4S23(d, n)   WORD $(0x4f375400 | (n)<<5 | (d)) // SHL Vd.4S, Vn.4S, #23
#define SHL2D49(d, n)   WORD $(0x4f715400 | (n)<<5 | (d)) // SHL Vd.2D, Vn.2D, #49
#define SHL2D52(d, n)   WORD $(0x4f745400 | (n)<<5 | (d)) // SHL Vd.2D, Vn.2D, #52

#define USRA4S23(d, n)  WORD $(0x6f291400 | (n)<<5 | (d)) // USRA Vd.4S, Vn.4S, #23
#define USRA2D52(d, n)  WORD $(0x6f4c1400 | (n)<<5 | (d)) // USRA Vd.2D, Vn.2D, #52

#define VAND(d, n, m)   WORD $(0x4e201c00 | (m)<<16 | (n)<<5 | (d)) // AND Vd.16B, Vn.16B, Vm.16B
#define VEOR(d, n, m)   WORD $(0x6e201c00 | (m)<<16 | (n)<<5 | (d)) // EOR Vd.16B, Vn.16B, Vm.16B
#define BSL(d, n, m)    WORD $(0x6e601c00 | (m)<<16 | (n)<<5 | (d)) // BSL Vd.16B, Vn.16B, Vm.16B
#define BIT(d, n, m)    WORD $(0x6ea01c00 | (m)<<16 | (n)<<5 | (d)) // BIT Vd.16B, Vn.16B, Vm.16B
#define BIF(d, n, m)    WORD $(0x6ee01c00 | (m)<<16 | (n)<<5 | (d)) // BIF Vd.16B, Vn.16B, Vm.16B
#define VMOV(d, n)      WORD $(0x4ea01c00 | (n)<<16 | (n)<<5 | (d)) // MOV Vd.16B, Vn.16B
#define ZERO(d)         WORD $(0x6f00e400 | (d)) // MOVI Vd.2D, #0x0

#define TBL2(d, n, m)   WORD $(0x4e002000 | (m)<<16 | (n)<<5 | (d)) // TBL Vd.16B, {Vn.16B, Vn+1.16B}, Vm.16B
#define UZP1(d, n, m)   WORD $(0x4e801800 | (m)<<16 | (n)<<5 | (d)) // UZP1 Vd.4S, Vn.4S, Vm.4S
#define ZIP1(d, n, m)   WORD $(0x4e803800 | (m)<<16 | (n)<<5 | (d)) // ZIP1 Vd.4S, Vn.4S, Vm.4S
#define ZIP2(d, n, m)   WORD $(0x4e807800 | (m)<<16 | (n)<<5 | (d)) // ZIP2 Vd.4S, Vn.4S, Vm.4S
#define DUP4S(d, r)     WORD $(0x4e040c00 | (r)<<5 | (d)) // DUP Vd.4S, Wr
#define DUP2D(d, r)     WORD $(0x4e080c00 | (r)<<5 | (d)) // DUP Vd.2D, Xr

// r is the number of a general register, offset a multiple of 16; below 1024 for pairs.
#define LDRQ(d, r, offset)     WORD $(0x3dc00000 | (offset)/16<<10 | (r)<<5 | (d))            // LDR Qd, [Xr,#offset]
#define STRQ(d, r, offset)     WORD $(0x3d800000 | (offset)/16<<10 | (r)<<5 | (d))            // STR Qd, [Xr,#offset]
#define LDPQ(d, e, r, offset)  WORD $(0xad400000 | (offset)/16<<15 | (e)<<10 | (r)<<5 | (d)) // LDP Qd, Qe, [Xr,#offset]
#define STPQ(d, e, r, offset)  WORD $(0xad000000 | (offset)/16<<15 | (e)<<10 | (r)<<5 | (d)) // STP Qd, Qe, [Xr,#offset]

// Groups
//
// A group is a value of four vectors, whose instructions are interleaved so that the latency of one hides behind the
// others. It is named by its first register; the others follow that one. Operations on groups have small letters.

#define NONE // an empty argument must be given like this

#define each2(op, d, n)    op(d, n);    op(d+1, n+1);      op(d+2, n+2);      op(d+3, n+3)
#define each3(op, d, n, m) op(d, n, m); op(d+1, n+1, m+1); op(d+2, n+2, m+2); op(d+3, n+3, m+3)
// The same with an operand that all vectors share: the last, the one before
#define last(op, d, n, k)  op(d, n, k); op(d+1, n+1, k);   op(d+2, n+2, k);   op(d+3, n+3, k)
#define first(op, d, k, m) op(d, k, m); op(d+1, k, m+1);   op(d+2, k, m+2);   op(d+3, k, m+3)

#define add(d, n, m)  each3(FADD, d, n, m)
#define sub(d, n, m)  each3(FSUB, d, n, m)
#define mul(d, n, m)  each3(FMUL, d, n, m)
#define div(d, n, m)  each3(FDIV, d, n, m)
#define fma(d, n, m)  each3(FMLA, d, n, m) // d += n·m
#define fnma(d, n, m) each3(FMLS, d, n, m) // d -= n·m
#define and(d, n, m)  each3(VAND, d, n, m)
#define bit(d, n, m)  each3(BIT, d, n, m)  // d = m ? n : d
#define copy(d, n)    each2(VMOV, d, n)
#define below0(m, n)   each2(FCMLT0, m, n) // m = [n<0]
#define signed(m, n)   each2(CMLT0, m, n)  // m: whether n has the sign, which -0 and a NaN may have

// The same with a constant, the name of a field of neon
#define CONST(k, c)    LDRQ(k, nCONSTS, c)
#define every(d, c)    CONST(d, c); CONST(d+1, c); CONST(d+2, c); CONST(d+3, c)
#define addc(d, n, c)  CONST(K0, c); last(FADD, d, n, K0)
#define subc(d, n, c)  CONST(K0, c); last(FSUB, d, n, K0)
#define csub(d, c, m)  CONST(K0, c); first(FSUB, d, K0, m)
#define mulc(d, n, c)  CONST(K0, c); last(FMUL, d, n, K0)
#define fmac(d, n, c)  CONST(K0, c); last(FMLA, d, n, K0)
#define fnmac(d, n, c) CONST(K0, c); last(FMLS, d, n, K0)
#define maxc(d, n, c)  CONST(K0, c); last(FMAX, d, n, K0)
#define minc(d, n, c)  CONST(K0, c); last(FMIN, d, n, K0)

// and with a parameter, the offset among them
#define PARAM(k, p)    LDRQ(k, nPARAMS, p)
#define mulp(d, n, p)  PARAM(K0, p); last(FMUL, d, n, K0)
#define fmap(d, n, p)  PARAM(K0, p); last(FMLA, d, n, K0)
#define fnmap(d, n, p) PARAM(K0, p); last(FMLS, d, n, K0)
#define pfnma(d, p, m) PARAM(K0, p); first(FMLS, d, K0, m) // the factor that is negated must not be a NaN
#define bitp(d, p, m)  PARAM(K0, p); first(BIT, d, K0, m)
#define andp(d, p, m)  PARAM(K0, p); first(VAND, d, K0, m)
#define everyp(d, p)   PARAM(d, p); PARAM(d+1, p); PARAM(d+2, p); PARAM(d+3, p)

// Memory: slots, and the present group of an array
#define load(g, r, offset)  LDPQ(g, g+1, r, offset); LDPQ(g+2, g+3, r, offset+32)
#define store(g, r, offset) STPQ(g, g+1, r, offset); STPQ(g+2, g+3, r, offset+32)
#define get(g, slot)        load(g, nFRAME, slot)
#define put(g, slot)        store(g, nFRAME, slot)
#define read(g, array)      ADD INDEX, array, ADDRESS; load(g, nADDRESS, 0)
#define write(g, array)     ADD INDEX, array, ADDRESS; store(g, nADDRESS, 0)
#define weights(g, array, all) AND INDEX, all, ADDRESS; ADD array, ADDRESS; load(g, nADDRESS, 0)

// Polynomials c[0] + c[1]·x + …, the result in r: of 4, 5, 6 and 9 coefficients by Horner's rule, of 7, 10, 11 and 20 by even
// and odd powers apart, for xx = x².

#define term(r, acc, x, c, i) every(r, c+16*(i)); fma(r, acc, x)
#define top(r, x, c, i, next) every(r, c+16*(next)); fmac(r, x, c+16*(i))

#define horner4(r, s, x, c) top(r, x, c, 3, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define horner5(r, s, x, c) top(s, x, c, 4, 3); term(r, s, x, c, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define horner6(r, s, x, c) top(r, x, c, 5, 4); term(s, r, x, c, 3); term(r, s, x, c, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define horner9(r, s, x, c) \
	top(s, x, c, 8, 7); term(r, s, x, c, 6); term(s, r, x, c, 5); term(r, s, x, c, 4);          \
	term(s, r, x, c, 3); term(r, s, x, c, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define apart7(r, s, q, x, xx, c) \
	top(s, xx, c, 6, 4); top(r, xx, c, 5, 3);                                                   \
	term(q, s, xx, c, 2); term(s, r, xx, c, 1); term(r, q, xx, c, 0); fma(r, s, x)
#define apart10(r, s, q, x, xx, c) \
	top(s, xx, c, 9, 7); top(r, xx, c, 8, 6);                                                   \
	term(q, s, xx, c, 5); term(s, r, xx, c, 4); term(r, q, xx, c, 3); term(q, s, xx, c, 2);     \
	term(s, r, xx, c, 1); term(r, q, xx, c, 0); fma(r, s, x)
#define apart11(r, s, q, x, xx, c) \
	top(s, xx, c, 10, 8); top(q, xx, c, 9, 7);                                                  \
	term(r, s, xx, c, 6); term(s, q, xx, c, 5); term(q, r, xx, c, 4); term(r, s, xx, c, 3);     \
	term(s, q, xx, c, 2); term(q, r, xx, c, 1); term(r, s, xx, c, 0); fma(r, q, x)
#define apart20(r, s, q, x, xx, c) \
	top(q, xx, c, 19, 17); top(s, xx, c, 18, 16);                                               \
	term(r, q, xx, c, 15); term(q, s, xx, c, 14); term(s, r, xx, c, 13); term(r, q, xx, c, 12); \
	term(q, s, xx, c, 11); term(s, r, xx, c, 10); term(r, q, xx, c, 9); term(q, s, xx, c, 8);   \
	term(s, r, xx, c, 7); term(r, q, xx, c, 6); term(q, s, xx, c, 5); term(s, r, xx, c, 4);     \
	term(r, q, xx, c, 3); term(q, s, xx, c, 2); term(s, r, xx, c, 1); term(r, q, xx, c, 0); fma(r, s, x)

// Tables of eight. The last bits of an integer say which entry. Of float32, it is a word, of which TBL finds the bytes. Of
// float64, they are looked up for two vectors at a time: the lower and the upper halves, or words that are float32.

#define TABLE(k, l, c) CONST(k, c); CONST(l, c+16)

#define lookup(d, at, c)   EL(lookup32(d, at, c), lookup64(d, at, c)) // at is overwritten
#define lookup32(d, at, c) TABLE(K0, K1, c); first(TBL2, d, K0, at)
#define lookup64(d, at, c) \
	TABLE(K0, K1, c); TABLE(K2, K3, c+32);                                                      \
	TBL2(d, K0, at); TBL2(d+2, K0, at+1); TBL2(at, K2, at); TBL2(at+1, K2, at+1);               \
	ZIP2(d+1, d, at); ZIP2(d+3, d+2, at+1); ZIP1(d, d, at); ZIP1(d+2, d+2, at+1)

// at = the bytes of the entries j, of float64 in half as many vectors, where zero is those of the entry 0
#define bytes32(at, j, zero) CONST(K0, neon_times4); every(at, zero); last(MLA4S, at, j, K0)
#define bytes64(at, j, zero) \
	CONST(K0, neon_times4); CONST(at, zero); CONST(at+1, zero); MLA4S(at, j, K0); MLA4S(at+1, j+1, K0)
#define lower64(j, i) UZP1(j, i, i+1); UZP1(j+1, i+2, i+3)

// x = Node[t's last bits]
#define node(x, t, at)   CONST(K0, neon_nodeMask); EL(node32(x, t, at), node64(x, t, at)); lookup(x, at, neon_node)
#define node32(x, t, at) last(VAND, x, t, K0); bytes32(at, x, neon_byteOfNode)
#define node64(x, t, at) lower64(x, t); VAND(x, x, K0); VAND(x+1, x+1, K0); bytes64(at, x, neon_byteOfNode)

// at = the bytes of entry i, i as it stands behind magicIndex. i is overwritten.
#define entry(at, i)   EL(bytes32(at, i, neon_byteOfEntry), lower64(i, i); bytes64(at, i, neon_byteOfEntry))
#define recip(d, at)   EL(lookup32(d, at, neon_recip), recip64(d, at)) // at stays
#define recip64(d, at) \
	TABLE(K0, K1, neon_recip);                                                                  \
	TBL2(d+1, K0, at); FCVTL(d, d+1); FCVTL2(d+1, d+1); TBL2(d+3, K0, at+1); FCVTL(d+2, d+3); FCVTL2(d+3, d+3)

// m: whether an element's bit is set, at ADDRESS behind the beginning
#define BITSADDRESS        LSR $EL(5, 6), INDEX, ADDRESS
#define BROADCAST          EL(DUP4S(K0, nVALUE), DUP2D(K0, nVALUE)) // VALUE in K0
#define masked(m, array)   EL(MOVHU, MOVBU) (array)(ADDRESS), VALUE; BROADCAST; MASK(m, 0); MASK(m+1, 16); MASK(m+2, 32); MASK(m+3, 48)
#define MASK(m, offset)    CONST(m, neon_bits+offset); CMTST(m, m, K0)

// Steps of the reference. Their arguments are groups, named as in kernel_generic.go: first the results, then what they are
// made of, then others. A step overwrites them all, but for what it says stays.

#define NO(x)
#define YES(x) x
#define NEAR(near, far) near
#define FAR(near, far)  far

// A, p, and in slots -k and f, from u
#define exp(reach, slots, A, p, f, u, x, r, s) \
	ZERO(K0); last(FABD, u, u, K0); CONST(K0, reach(neon_near, neon_far)); last(FMINNM, u, u, K0); /* a; NaN: the bound */ \
	every(A, reach(neon_magicExp, neon_magicFar)); fnmac(A, u, neon_log2E); /* t */             \
	csub(f, reach(neon_magicExp, neon_magicFar), A); slots(put(f, slotK));                      \
	fnmac(f, u, neon_log2E); fnmac(f, u, neon_log2ELo); slots(put(f, slotF));                   \
	node(x, A, p); add(x, f, x);                                                                \
	EL(each2(SHL4S20, A, A), each2(SHL2D49, A, A));                                             \
	EL(exp32(p, x, r), exp64(p, x, u, r, s))
#define exp32(p, x, r)        horner4(p, r, x, neon_exp); mul(p, x, p)
#define exp64(p, x, xx, r, s) mul(xx, x, x); apart7(p, r, s, x, xx, neon_exp+16); mul(p, xx, p); fmac(p, x, neon_exp)

// m from A, which stays, and p, in whose place it is. e, and what it has lost, wait in slots, each if it is wanted. Of float64, A
// has to be in its slot.
#define log(putE, putLow, m, A, e, small, q, r, s) \
	mul(m, A, m); /* g */                                                                       \
	add(e, A, m); putE(put(e, slotE));                                                          \
	putLow(sub(r, A, e); add(r, r, m); put(r, slotELow));                                       \
	mulc(small, e, neon_down);                                                                  \
	fnma(e, e, small); /* ee */                                                                 \
	EL(horner9(r, s, small, neon_log), log64(r, s, A, small, q));                               \
	fma(m, e, r)
#define log64(r, s, q, x, xx) mul(xx, x, x); apart20(r, s, q, x, xx, neon_log); get(q, slotA)

// h, and -k where log2 s = (k - A) + h, from m and the slots
#define logS(k, h, m, negative) \
	read(negative, U); below0(negative, negative);                                              \
	get(k, slotK); and(k, k, negative); get(h, slotF); and(h, h, negative);                     \
	fnmac(h, m, neon_down)

// b from -k, in tt too, A and h
#define pow(weight, apart, b, k, A, h, r, tt) \
	fmac(tt, A, neon_down); sub(tt, h, tt);                                                     \
	/* γ·log2 s = K + r */                                                                      \
	every(b, neon_magicPow); fmap(b, tt, paramPowHi); maxc(b, b, neon_powMin); /* t */          \
	csub(r, neon_magicPow, b); /* -K */                                                         \
	fnmap(r, k, paramPowHi); fnmap(r, A, paramPowHiDown); fmap(r, h, paramPowHi); fmap(r, tt, paramPowLo); \
	maxc(r, r, neon_minusOne);                                                                  \
	EL(apart(powApart32, powHorner32)(A, h, r, k), pow64(A, h, tt, r, k)); /* p in A */         \
	EL(each2(SHL4S23, b, b), each2(SHL2D52, b, b)); weight(h, k, r, tt); mul(b, h, b);          \
	fma(b, b, A)
#define powHorner32(p, s, r, rr) horner6(p, s, r, neon_pow); mul(p, r, p)
#define powApart32(p, s, r, rr)  mul(rr, r, r); horner5(p, s, r, neon_pow+16); mul(p, rr, p); fmac(p, r, neon_pow)
#define pow64(p, s, q, r, rr)    mul(rr, r, r); apart10(p, s, q, r, rr, neon_pow+16); mul(p, rr, p); fmac(p, r, neon_pow)
#define HORNER(apart, horner) horner
#define APART(apart, horner)  apart

// c, z, and v in the place of p; S in that of c, e in that of A, and -ln c, each if it is wanted
#define quotient(S, putE, logs, c, z, v, A, u, lnC, i, negative) \
	every(i, neon_magicIndex); fmac(i, A, neon_recipScale);                                     \
	entry(z, i); recip(c, z); logs(lookup(lnC, z, neon_logRecip));                              \
	mul(i, A, c); subc(z, c, neon_one); add(z, i, z); fma(z, i, v); /* S in i */                \
	putE(fma(A, A, v));                                                                         \
	read(u, U); signed(negative, u); and(v, v, negative); S(bit(c, i, negative));               \
	sub(v, v, z); addc(i, z, neon_one); div(v, v, i)

// z becomes log1p(z). e stays, if it is wanted.
#define log1p(slots, z, e, s, q) EL(log1p32(z, s, q), log1p64(slots, z, e, s, q))
#define log1p32(z, r, zz)        horner4(r, zz, z, neon_log1p); mul(zz, z, z); fma(z, zz, r)
#define log1p64(slots, z, zz, s, q) \
	slots(put(zz, slotE)); mul(zz, z, z); apart11(gK, s, q, z, zz, neon_log1p); fma(z, zz, gK); slots(get(zz, slotE))

// -k and -y, from M, and h in the place of low
#define logM(k, y, h, M, yy, small, s) \
	mulc(h, h, neon_log2E);                                                                     \
	every(k, neon_magicLog); EL(each2(USRA4S23, k, M), each2(USRA2D52, k, M)); csub(k, neon_magicLog0, k); \
	every(y, neon_up); CONST(K0, neon_mantissa); last(BIT, y, M, K0); csub(y, neon_up, y);      \
	mulc(small, y, neon_minusDown); copy(yy, y); fnma(yy, y, small); /* -yy */                  \
	EL(horner9(M, s, small, neon_log), logM64(M, s, y, small, k)); mul(M, yy, M); fnmac(h, M, neon_down)
#define logM64(r, s, q, x, xx) \
	put(q, slotF); put(xx, slotK); mul(xx, x, x); apart20(r, s, q, x, xx, neon_log); get(q, slotF); get(xx, slotK)

// Weights
#define hardWeight(w, r, s, t) weights(w, W, WEACH)
// wPos·t + wNeg·(1-t), the greater product not rounded
#define softWeight(w, t, other, wNeg) \
	read(t, TARGET); csub(other, neon_one, t);                                                  \
	weights(w, WPOS, WPOSEACH); mul(w, w, t); weights(wNeg, W, WEACH); mul(wNeg, wNeg, other);  \
	each3(FCMGT, gK, wNeg, w); each3(FMIN, w, w, wNeg); bit(t, other, gK); /* gK: less */       \
	weights(wNeg, W, WEACH); get(other, slotLost); fma(w, wNeg, other);                         \
	weights(other, WPOS, WPOSEACH); bit(other, wNeg, gK); fma(w, other, t)

// max(0, u), where the infinity and the NaN of u enter
#define positive(V, u) ZERO(K0); last(FMAX, V, u, K0)
// d += 0·n: the product lets a NaN in.
#define letNaN(d, n)   ZERO(K0); last(FMLA, d, n, K0)

// (1+e)² from d = 1+e and, in low, what that has lost
#define squared(dd, d, low) add(low, low, low); mul(dd, d, d); fma(dd, d, low)
// n/(1+e), 1+e in d
#define over1e(n, d, e)     addc(d, e, neon_up); div(n, n, d)

// Others

// s = hi + v, and its rounding error goes to lo (Knuth's TwoSum).
#define twoSum(hi, lo, v, s, part, err) \
	add(s, hi, v); sub(part, s, hi); sub(err, s, part); sub(err, hi, err); sub(part, v, part);  \
	add(err, err, part); add(lo, lo, err); copy(hi, s)
#define sum64 \
	read(g4, LOSS); twoSum(g0, g2, g4, g5, g6, gK); ADD $64, INDEX;                             \
	read(g4, LOSS); twoSum(g1, g3, g4, g5, g6, gK)
// the lanes in g0 and g1
#define sum32 \
	read(g2, LOSS);                                                                             \
	FCVTL(g3, g2); FCVTL2(g3+1, g2); FCVTL(g3+2, g2+1); FCVTL2(g3+3, g2+1);                     \
	FCVTL(g4, g2+2); FCVTL2(g4+1, g2+2); FCVTL(g4+2, g2+3); FCVTL2(g4+3, g2+3);                 \
	each3(FADD2D, g0, g0, g3); each3(FADD2D, g1, g1, g4)

#define multiply \
	read(g0, GRAD); read(g1, U); mul(g0, g0, g1); /* dst, dout */                               \
	each3(FCMEQ, g1, g0, g0); CONST(K0, neon_nan); first(BIF, g0, K0, g1); write(g0, GRAD)

#define flip \
	BITSADDRESS; masked(g1, POS); read(g0, GRAD); each2(FNEG, g2, g0); bit(g0, g2, g1); write(g0, GRAD)

#define mask \
	BITSADDRESS; masked(g1, KEEP); read(g0, GRAD); and(g0, g0, g1); write(g0, GRAD)

#define blend \
	BITSADDRESS; masked(g1, POS); read(g0, GRAD); read(g2, U); bit(g0, g2, g1); write(g0, GRAD)

// K1 is the row's factor.
#define weigh read(g0, U); last(FMUL, g0, g0, K1); write(g0, GRAD)

// K1 is the weight of positives, K2 that of negatives.
#define expand \
	BITSADDRESS; masked(g1, POS);                                                               \
	read(g0, U); each2(FNEG, g3, g0); bit(g0, g3, g1); write(g0, LOSS);                         \
	BSL(g1, K1, K2); BSL(g1+1, K1, K2); BSL(g1+2, K1, K2); BSL(g1+3, K1, K2); write(g1, W)
