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
#define KEEPEACH R20 // -1 if KEEP is an array; 0 if it is so many bits for all groups

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
#define paramGamma       0
#define paramGammaLn2    16
#define paramHessOne     32
#define paramPowHi       48
#define paramPowLo       64
#define paramPowHiDown   80
#define paramHessPow     96
#define paramHessBracket 112
#define paramW           128
#define paramWPos        192
#define params           256 // their size

// Slots behind them, where groups wait, also for the next pass
#define slotFar          0 // at γ = 2
#define slotK            0 // -k
#define slotF            64
#define slotA            128
#define slotE            192
#define slotP            256
#define slotM            256
#define slotUp           320 // B, scaled up
#define slotB            384
#define slots            448 // their size
// and of soft targets
#define slotLambda       384
#define slotELow         448
#define slotLow          512
#define slotY            576
#define slotD            640
#define slotInverse      704
#define softSlots        768

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
#define SHL2D51(d, n)   WORD $(0x4f735400 | (n)<<5 | (d)) // SHL Vd.2D, Vn.2D, #51
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
#define negative(m, n) each2(CMLT0, m, n)  // m: whether n has the sign, which -0 and a NaN may have

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
#define bitp(d, p, m)  PARAM(K0, p); first(BIT, d, K0, m)

// Memory: slots, and the present group of an array
#define load(g, r, offset)  LDPQ(g, g+1, r, offset); LDPQ(g+2, g+3, r, offset+32)
#define store(g, r, offset) STPQ(g, g+1, r, offset); STPQ(g+2, g+3, r, offset+32)
#define get(g, slot)        load(g, nFRAME, slot)
#define put(g, slot)        store(g, nFRAME, slot)
#define read(g, array)      ADD INDEX, array, ADDRESS; load(g, nADDRESS, 0)
#define write(g, array)     ADD INDEX, array, ADDRESS; store(g, nADDRESS, 0)
#define weights(g, array, all) AND INDEX, all, ADDRESS; ADD array, ADDRESS; load(g, nADDRESS, 0)

// Polynomials c[0] + c[1]·x + …, the result in r: of 4, 6 and 9 coefficients by Horner's rule, of 10, 11 and 20 by even and
// odd powers apart, for xx = x².

#define term(r, acc, x, c, i) every(r, c+16*i); fma(r, acc, x)
#define top(r, x, c, i, next) every(r, c+16*next); fmac(r, x, c+16*i)

#define horner4(r, s, x, c) top(r, x, c, 3, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define horner6(r, s, x, c) top(r, x, c, 5, 4); term(s, r, x, c, 3); term(r, s, x, c, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
#define horner9(r, s, x, c) \
	top(s, x, c, 8, 7); term(r, s, x, c, 6); term(s, r, x, c, 5); term(r, s, x, c, 4);          \
	term(s, r, x, c, 3); term(r, s, x, c, 2); term(s, r, x, c, 1); term(r, s, x, c, 0)
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

// Tables of eight. An entry of float32 is a word, of which TBL finds the bytes; the last bits of an integer say which. Those
// of float64 are looked up for two vectors at a time: entries that are short as words that are float32, the others as the
// lower and the upper halves.

#define TABLE(k, l, c) CONST(k, c); CONST(l, c+16)

// x = Node[t's last bits]
#define node(x, t, at) EL(node32(x, t, at), node64(x, t))
#define node32(x, t, at) \
	CONST(K0, neon_nodeMask); CONST(K1, neon_times4); last(VAND, x, t, K0);                     \
	every(at, neon_byteOfNode); last(MLA4S, at, x, K1); TABLE(K0, K1, neon_node); first(TBL2, x, K0, at)
#define node64(x, t) \
	CONST(K0, neon_nodeMask); CONST(K1, neon_node); last(CMTST, x, t, K0); last(VAND, x, x, K1)

// at = the bytes of entry i, i as it stands behind magicIndex. i is overwritten.
#define entry(at, i)   CONST(K1, neon_times4); EL(entry32(at, i), entry64(at, i))
#define entry32(at, i) every(at, neon_byteOfEntry); last(MLA4S, at, i, K1)
#define entry64(at, i) \
	UZP1(i, i, i+1); UZP1(i+1, i+2, i+3);                                                       \
	CONST(at, neon_byteOfEntry); CONST(at+1, neon_byteOfEntry); MLA4S(at, i, K1); MLA4S(at+1, i+1, K1)
#define recip(d, at)   TABLE(K0, K1, neon_recip); EL(first(TBL2, d, K0, at), recip64(d, at))
#define recip64(d, at) \
	TBL2(d+1, K0, at); FCVTL(d, d+1); FCVTL2(d+1, d+1); TBL2(d+3, K0, at+1); FCVTL(d+2, d+3); FCVTL2(d+3, d+3)
// at is overwritten.
#define logRecip(d, at)   TABLE(K0, K1, neon_logRecip); EL(first(TBL2, d, K0, at), logRecip64(d, at))
#define logRecip64(d, at) \
	TABLE(K2, K3, neon_logRecip+32);                                                            \
	TBL2(d, K0, at); TBL2(d+2, K0, at+1); TBL2(at, K2, at); TBL2(at+1, K2, at+1);               \
	ZIP2(d+1, d, at); ZIP2(d+3, d+2, at+1); ZIP1(d, d, at); ZIP1(d+2, d+2, at+1)

// m: whether an element's bit is set, at ADDRESS behind the beginning
#define BITSADDRESS        LSR $EL(5, 6), INDEX, ADDRESS
#define BROADCAST          EL(DUP4S(K0, nVALUE), DUP2D(K0, nVALUE)) // VALUE in K0
#define masked(m, array)   EL(MOVHU, MOVBU) (array)(ADDRESS), VALUE; BROADCAST; MASK(m, 0); MASK(m+1, 16); MASK(m+2, 32); MASK(m+3, 48)
#define MASK(m, offset)    CONST(m, neon_bits+offset); CMTST(m, m, K0)

// Steps of the reference. Their arguments are groups, named as in kernel_generic.go; a step's comment says which of them are
// results, and where, and what it finds in registers. The others it overwrites.

#define NO(x)
#define YES(x) x
#define NEAR(near, far) near
#define FAR(near, far)  far

// A in t, and p, from u in a. With slots, -k and f wait there.
#define exp(reach, slots, t, p, f, x, s, a, q) \
	ZERO(K0); last(FABD, a, a, K0); CONST(K0, reach(neon_near, neon_far)); last(FMINNM, a, a, K0); /* NaN: the bound */ \
	every(t, reach(neon_magicExp, neon_magicFar)); fnmac(t, a, neon_log2E);                     \
	csub(f, reach(neon_magicExp, neon_magicFar), t); slots(put(f, slotK));                      \
	fnmac(f, a, neon_log2E); fnmac(f, a, neon_log2ELo); slots(put(f, slotF));                   \
	node(x, t, p); EL(each2(SHL4S20, t, t), each2(SHL2D51, t, t));                              \
	add(x, f, x);                                                                               \
	EL(horner4(p, s, x, neon_exp), exp64(p, s, q, x, a)); mul(p, x, p)
#define exp64(p, s, q, x, xx) mul(xx, x, x); apart10(p, s, q, x, xx, neon_exp)

// m in p, and e, from A, which stays, and p. With slots, e waits in one; if soft, what it has lost, too. Of float64, A has to
// be in its slot.
#define log(soft, slots, e, ee, p, A, small, r, s) \
	mul(p, A, p); add(e, A, p); slots(put(e, slotE)); /* g */                                   \
	soft(sub(r, A, e); add(r, r, p); put(r, slotELow));                                         \
	mulc(small, e, neon_down);                                                                  \
	copy(ee, e); fnma(ee, e, small);                                                            \
	EL(horner9(r, s, small, neon_log), log64(r, s, A, small, e));                               \
	fma(p, ee, r)
#define log64(r, s, q, x, xx) mul(xx, x, x); apart20(r, s, q, x, xx, neon_log); get(q, slotA)

// h, and -k where log2 s = (k - A) + h, from m and the slots
#define logS(k, h, m, below) \
	read(below, U); below0(below, below);                                                       \
	get(k, slotK); and(k, k, below); get(h, slotF); and(h, h, below);                           \
	fnmac(h, m, neon_down)

// B in t, from -k, A and h. With slots, b, scaled up, waits in one.
#define pow(weights, slots, t, k, A, h, r, tt) \
	copy(tt, k); fmac(tt, A, neon_down); sub(tt, h, tt);                                        \
	/* γ·log2 s = K + r */                                                                      \
	every(t, neon_magicPow); fmap(t, tt, paramPowHi); maxc(t, t, neon_powMin);                  \
	csub(r, neon_magicPow, t); /* -K */                                                         \
	fnmap(r, k, paramPowHi); fnmap(r, A, paramPowHiDown); fmap(r, h, paramPowHi); fmap(r, tt, paramPowLo); \
	maxc(r, r, neon_minusOne);                                                                  \
	EL(horner6(A, h, r, neon_pow), pow64(A, h, tt, r, k)); mul(A, r, A); /* p */                \
	EL(each2(SHL4S23, t, t), each2(SHL2D52, t, t)); weights(h, k, r); mul(t, h, t);             \
	fma(t, t, A); slots(put(t, slotUp)); mulc(t, t, neon_down)
#define pow64(p, s, q, r, rr) mul(rr, r, r); apart11(p, s, q, r, rr, neon_pow)

// c, z and v, from A and p in v; S too if wanted, in the place of c. With logs, L is -ln c. With derivatives, e takes A's place.
#define quotient(S, logs, derivatives, c, z, v, A, t, L, u, m) \
	every(t, neon_magicIndex); fmac(t, A, neon_recipScale); entry(z, t); recip(c, z); logs(logRecip(L, z)); \
	mul(t, A, c); subc(z, c, neon_one); add(z, t, z); fma(z, t, v);                             \
	derivatives(fma(A, A, v));                                                                  \
	read(u, U); negative(m, u); and(v, v, m); S(bit(c, t, m));                                  \
	sub(v, v, z); addc(t, z, neon_one); div(v, v, t)

// z becomes log1p(z).
#define log1p(slots, z, e, s, q) EL(log1p32(z, s, q), log1p64(slots, z, e, s, q))
#define log1p32(z, r, zz)        horner4(r, zz, z, neon_log1p); mul(zz, z, z); fma(z, zz, r)
#define log1p64(slots, z, zz, s, q) \
	slots(put(zz, slotE)); mul(zz, z, z); apart11(gK, s, q, z, zz, neon_log1p); fma(z, zz, gK); slots(get(zz, slotE))

// max(0, u), where the infinity and the NaN of u enter
#define positive(V, u) ZERO(K0); last(FMAX, V, u, K0)
// d += 0·n: the product lets a NaN in.
#define letNaN(d, n)   ZERO(K0); last(FMLA, d, n, K0)

// Kernels, for one group

#define hardWeight(w, t, other) weights(w, W, WEACH)
#define softWeight(w, t, other) \
	read(t, TARGET); csub(other, neon_one, t); weights(w, W, WEACH); mul(w, w, other);          \
	weights(other, WPOS, WPOSEACH); fma(w, other, t)

// At γ = 2: B in g0, L in g6, the loss in g3, S in g5, v in g4; with derivatives, e in g1
#define LOSS_SQUARE(reach, derivatives) \
	read(g0, U); exp(reach, NO, g1, g4, g2, g3, g5, g0, g6);                                    \
	reach(NONE, copy(g0, g1); fma(g0, g1, g4); put(g0, slotFar); mulc(g1, g1, neon_down));      \
	quotient(YES, YES, derivatives, g5, g3, g4, g1, g2, g6, g0, gK);                            \
	/* L = -ln c + log1p(z) + V */                                                              \
	positive(g0, g0); add(g6, g6, g0); log1p(derivatives, g3, g1, g0, g2); add(g6, g6, g3);     \
	/* B = w·s², s = S·(1+v), s² = S²·(1 + 2v + v²) */                                          \
	mul(g0, g5, g5); weights(g2, W, WEACH); mul(g0, g0, g2);                                    \
	add(g2, g4, g4); fma(g2, g4, g4); fma(g0, g0, g2);                                          \
	mul(g3, g0, g6)
#define lossSquare LOSS_SQUARE(NEAR, NO); write(g3, LOSS)

// s in g5, q in g1, 2L in g6, where u is negative in g4, 1-s in g2
#define GRAD_SQUARE(reach) \
	LOSS_SQUARE(reach, YES);                                                                    \
	fma(g5, g5, g4); csub(g2, neon_one, g5); mul(g1, g1, g5);                                   \
	read(g4, U); negative(g4, g4); bit(g1, g2, g4);                                             \
	minc(g6, g6, neon_maxSoftplus); add(g6, g6, g6);                                            \
	write(g3, LOSS)
#define gradSquare \
	GRAD_SQUARE(NEAR);                                                                          \
	fma(g5, g1, g6); mul(g5, g0, g5); write(g5, GRAD)

// curv = B·q·s; B·s in g2, Q in g3
#define CURV_SQUARE \
	GRAD_SQUARE(FAR);                                                                           \
	letNaN(g5, g6);                                                                             \
	get(g3, slotFar); mul(g3, g3, g5); mulc(g2, g2, neon_up); bit(g3, g2, g4);                  \
	mul(g2, g0, g5); mul(g4, g2, g3); mulc(g4, g4, neon_down); write(g4, CURV)
#define frozenSquare CURV_SQUARE; write(g2, GRAD)
#define hessSquare \
	CURV_SQUARE;                                                                                \
	copy(g2, g5); fma(g2, g1, g6); mul(g2, g0, g2); write(g2, GRAD);                            \
	/* B·q·(5s + 2L·(2q - s)) */                                                                \
	add(g1, g1, g1); sub(g1, g1, g5); mulp(g5, g5, paramHessOne); fma(g5, g6, g1);              \
	mul(g5, g0, g5); mul(g5, g5, g3); mulc(g5, g5, neon_down); write(g5, HESS)

// At any γ, in passes. What one leaves to the next is in slots.

#define passExp(slots) \
	read(g0, U); exp(FAR, slots, g1, g4, g2, g3, g5, g0, g6); put(g1, slotA); put(g4, slotP)
#define passLog(derivatives) \
	get(g1, slotA); get(g4, slotP); log(NO, derivatives, g0, g3, g4, g1, g2, g5, g6); put(g4, slotM)
// B in g4; for the Hessian in a slot, and in another one scaled up
#define powS(hess) \
	get(g4, slotM); get(g1, slotA); logS(g6, g2, g4, g5); pow(hardWeight, hess, g4, g6, g1, g2, g0, g5)
#define passPow powS(YES); put(g4, slotB)

// At γ = 0: B = w in g4, A in g3, m in g2; with derivatives, e in a slot
#define LOG_ZERO(derivatives) \
	read(g0, U); exp(FAR, NO, g3, g2, g4, g1, g5, g0, g6); EL(NONE, put(g3, slotA));            \
	log(NO, derivatives, g0, g1, g2, g3, g4, g5, g6); weights(g4, W, WEACH)

// B·L, L = ln2·(A + m) + V, in g5; Q in g2, V in g1, u in g0
#define LOSS_POWER get(g2, slotM); get(g3, slotA); LOSS_ZERO
#define LOSS_ZERO \
	mul(g2, g4, g2); fma(g2, g4, g3);                                                           \
	read(g0, U); positive(g1, g0); mul(g5, g4, g1); fmac(g5, g2, neon_ln2Down)
#define lossPower powS(NO); LOSS_POWER; write(g5, LOSS)
#define lossZero  LOG_ZERO(NO); LOSS_ZERO; write(g5, LOSS)

// The loss is written. [u<0] in g6, e in g0, α in g3
#define ALPHA below0(g6, g0); write(g5, LOSS); get(g0, slotE); every(g3, neon_up); bit(g3, g0, g6)
// B·L in g5, divided by ln2 if u < 0
#define BOUNDED CONST(K1, neon_maxSoftplus); each2(BOUND, g5, g4); bit(g5, g2, g6)
#define BOUND(loss, B) FMUL(K2, B, K1); FMIN(loss, K2, loss)
// β from e
#define BETA(beta) mulp(beta, g0, paramGamma); bitp(beta, paramGammaLn2, g6)
// n/(1+e), and 1+e in d
#define DIVIDE(n, d, e) addc(d, e, neon_up); div(n, n, d)

// (B·α + γ·ε·B·L)/(1+e)
#define gradPower \
	powS(NO); LOSS_POWER; ALPHA; BOUNDED; BETA(g1);                                             \
	mul(g3, g4, g3); fma(g3, g1, g5); DIVIDE(g3, g0, g0); write(g3, GRAD)

// 0·V, bounded, in g2, which lets a NaN in, and B·α in g3
#define LETIN minc(g1, g1, neon_maxSoftplus); ZERO(K0); last(FMUL, g2, g1, K0); add(g3, g3, g2); mul(g3, g4, g3)
// B·e/(1+e)²: (1+e)² in g5
#define CURV_POWER \
	add(g2, g0, g2); mul(g2, g4, g2); SQUARE1E(g5, g0); div(g2, g2, g5); mulc(g2, g2, neon_down); write(g2, CURV)
#define SQUARE1E(d, e) mulc(d, e, neon_down); addc(d, d, neon_one); mul(d, d, d)
#define FROZEN \
	ALPHA; LETIN; DIVIDE(g3, g5, g0); write(g3, GRAD); CURV_POWER
#define gradZero \
	LOG_ZERO(YES); LOSS_ZERO; ALPHA; LETIN; DIVIDE(g3, g5, g0); write(g3, GRAD)
#define frozenPower powS(NO); LOSS_POWER; FROZEN
#define hessZero    LOG_ZERO(YES); LOSS_ZERO; FROZEN; write(g2, HESS)
#define hessPower \
	get(g4, slotB); LOSS_POWER; ALPHA; BOUNDED; mul(g3, g4, g3);                                \
	minc(g1, g1, neon_maxSoftplus); ZERO(K0); last(FMUL, g2, g1, K0); add(g2, g0, g2); mul(g2, g4, g2); \
	BETA(g4); fma(g3, g4, g5); DIVIDE(g3, g5, g0); write(g3, GRAD);                             \
	SQUARE1E(g5, g0); div(g2, g2, g5); mulc(g2, g2, neon_down); write(g2, CURV);                \
	/* (e·(1+2γ) + γ·ε·L·(γ·ε - α))/(1+e)² */                                                   \
	get(g2, slotM); get(gK, slotA); add(g2, gK, g2); fmac(g1, g2, neon_ln2Down); bit(g1, g2, g6); \
	mulp(g3, g0, paramGamma); mulc(g3, g3, neon_down); bitp(g3, paramGamma, g6);                \
	mulc(g2, g0, neon_down); CONST(K0, neon_one); first(BIF, g2, K0, g6); sub(g3, g3, g2);      \
	mul(g4, g4, g1); mulp(g0, g0, paramHessOne); fma(g0, g4, g3); minc(g0, g0, neon_large);     \
	get(g1, slotUp); mulp(g1, g1, paramHessPow); mulp(g0, g0, paramHessBracket); mul(g0, g1, g0); \
	div(g0, g0, g5); mulc(g0, g0, neon_down); write(g0, HESS)

// Soft targets: M in g3, low in g1, and slots
#define passSoftLog \
	get(g1, slotA); get(g4, slotP); log(YES, YES, g0, g3, g4, g1, g2, g5, g6);                  \
	add(g4, g1, g4); put(g4, slotLambda)
#define soft2(derivatives) \
	/* other, lost; β, θ, Y, β scaled up */                                                     \
	get(g0, slotE);                                                                             \
	read(g3, TARGET); csub(g4, neon_one, g3); csub(g5, neon_one, g4); sub(g5, g5, g3);          \
	read(g2, U); negative(g6, g2); read(g1, TARGET); bit(g1, g4, g6); bit(g4, g3, g6);          \
	each2(FABS, g2, g2); mul(g2, g4, g2); put(g2, slotY);                                       \
	mulc(g4, g4, neon_up);                                                                      \
	/* R + rest = β + e·θ */                                                                    \
	mul(g3, g0, g1); copy(gK, g3); fnma(gK, g0, g1); get(g2, slotELow); fnma(gK, g2, g1);       \
	add(g1, g4, g3);                                                                            \
	each3(FMIN, g2, g4, g3); each3(FMAX, g3, g4, g3); sub(g3, g1, g3); sub(g2, g2, g3); sub(g2, g2, gK); \
	every(g3, neon_up); bit(g3, g0, g6); fma(g2, g3, g5);                                       \
	derivatives(add(g4, g4, g4); sub(g4, g4, g1); put(g4, slotD));                              \
	/* 1+e = d + dLow */                                                                        \
	mulc(g3, g0, neon_down); addc(g5, g3, neon_one); csub(g6, neon_one, g5); add(g6, g6, g3);   \
	get(g3, slotELow); fmac(g6, g3, neon_down);                                                 \
	/* M·(1+low) = (R + rest)/(1+e) */                                                          \
	div(g3, g1, g5); CONST(K0, neon_one); first(FDIV, g4, K0, g1); derivatives(put(g4, slotInverse)); \
	fnma(g1, g3, g5); add(g1, g1, g2); fnma(g1, g3, g6); mul(g1, g1, g4)

// B in g4
#define SOFT_SQUARE(hess) \
	softWeight(g2, g4, g5); mul(g2, g2, g3); mulc(g3, g3, neon_down); mul(g2, g2, g3);          \
	add(g1, g1, g1); fma(g2, g2, g1); hess(put(g2, slotUp)); mulc(g4, g2, neon_down)
#define passM(derivatives) soft2(derivatives); put(g3, slotM); put(g1, slotLow)
#define passLogM \
	get(g3, slotM); get(g1, slotLow); logM(g0, g4, g5, g1, g3, g2, g6);                         \
	EL(put(g0, slotK), NONE); put(g5, slotF); put(g1, slotLow)
#define SOFT_POWER(hess) \
	get(g0, slotK); get(g5, slotF); get(g1, slotLow); pow(softWeight, hess, g4, g0, g5, g1, g3, g6)

// -k, -y and h, from M in r, and low in h
#define logM(k, yy, y, h, r, small, s) \
	mulc(h, h, neon_log2E);                                                                     \
	every(k, neon_magicLog); EL(each2(USRA4S23, k, r), each2(USRA2D52, k, r)); csub(k, neon_magicLog0, k); \
	every(y, neon_up); CONST(K0, neon_mantissa); last(BIT, y, r, K0); subc(y, y, neon_up);      \
	mulc(small, y, neon_down); copy(yy, y); fnma(yy, y, small);                                 \
	EL(horner9(r, s, small, neon_log), logM64(r, s, y, small, k)); mul(r, yy, r); fmac(h, r, neon_down); \
	each2(FNEG, y, y)
#define logM64(r, s, q, x, xx) \
	put(q, slotF); put(xx, slotK); mul(xx, x, x); apart20(r, s, q, x, xx, neon_log); get(q, slotF); get(xx, slotK)

// B·E, E = ln2·λ + Y, and Y wins where it is infinite: the loss in g5, Y in g1, λ in g3
#define SOFT_LOSS \
	get(g3, slotLambda); get(g1, slotY); mul(g2, g4, g3);                                       \
	mul(g5, g4, g1); subc(g6, g1, neon_largest); each3(FMAXNM, g5, g5, g6);                     \
	fmac(g5, g2, neon_ln2Down)
#define softLossSquare soft2(NO); SOFT_SQUARE(NO); SOFT_LOSS; write(g5, LOSS)
#define softLossPower  SOFT_POWER(NO); SOFT_LOSS; write(g5, LOSS)

// The loss is written. The sign of x in g0, Y, bounded, in g1
#define SOFT_SIGN \
	read(g0, U); CONST(K0, neon_sign); last(VAND, g0, g0, K0); write(g5, LOSS);                 \
	minc(g1, g1, neon_maxSoftplus)
// and E in g2, κ in g6, γ·κ in g5, B·(D + γ·κ·E) in g3
#define SOFT_GRAD \
	SOFT_LOSS; SOFT_SIGN;                                                                       \
	mulc(g2, g1, neon_up); fmac(g2, g3, neon_ln2);                                              \
	delta(g3); get(g5, slotE); get(g6, slotInverse); mul(g6, g5, g6); mul(g6, g3, g6);          \
	mulp(g5, g6, paramGamma);                                                                   \
	get(g3, slotD); fma(g3, g5, g2); mul(g3, g4, g3)
#define delta(d) read(d, TARGET); add(d, d, d); csub(d, neon_one, d); each3(VEOR, d, d, g0)
#define softGradSquare soft2(YES); SOFT_SQUARE(NO); SOFT_GRAD; get(g1, slotE); SOFT_DIVIDE(g1, g1)
#define softGradPower  SOFT_POWER(NO); SOFT_GRAD; get(g1, slotE); SOFT_DIVIDE(g1, g1)
#define SOFT_DIVIDE(d, e) DIVIDE(g3, d, e); each3(VEOR, g3, g3, g0); write(g3, GRAD)

// B·e/(1+e)², from 0·Y in g1: e in g5, (1+e)² in g4
#define SOFT_CURV \
	get(g5, slotE); add(g1, g5, g1); mul(g1, g4, g1); SOFT_DIVIDE(g4, g5);                      \
	SQUARE1E(g4, g5); div(g1, g1, g4); mulc(g1, g1, neon_down); write(g1, CURV)
#define SOFT_FROZEN \
	SOFT_LOSS; SOFT_SIGN; ZERO(K0); last(FMUL, g1, g1, K0);                                     \
	get(g3, slotD); add(g3, g3, g1); mul(g3, g4, g3); SOFT_CURV
#define softFrozenSquare soft2(YES); SOFT_SQUARE(NO); SOFT_FROZEN
#define softFrozenPower  SOFT_POWER(NO); SOFT_FROZEN

#define SOFT_HESS \
	SOFT_GRAD; sub(g6, g5, g6); ZERO(K0); last(FMUL, g1, g1, K0); SOFT_CURV;                    \
	/* B·(e + γ·δ·κ·(2D + E·((γ-1)·δ·κ - (1-e))))/(1+e)² */                                     \
	mulc(g1, g5, neon_down); csub(g1, neon_one, g1); sub(g6, g6, g1);                           \
	get(g1, slotD); add(g1, g1, g1); fma(g1, g2, g6); mulc(g1, g1, neon_halfDown);              \
	mulc(g2, g5, neon_halfUp); get(g6, slotInverse); mul(g2, g2, g6);                           \
	delta(g6); mul(g2, g6, g2); mulp(g2, g2, paramGamma);                                       \
	fma(g5, g2, g1); minc(g5, g5, neon_large);                                                  \
	get(g1, slotUp); mulp(g1, g1, paramHessPow); mulp(g5, g5, paramHessBracket); mul(g1, g1, g5); \
	div(g1, g1, g4); mulc(g1, g1, neon_down); write(g1, HESS)
#define softHessSquare soft2(YES); SOFT_SQUARE(YES); SOFT_HESS
#define softHessPower  SOFT_POWER(YES); SOFT_HESS

#define sigmoid \
	read(g0, U); exp(FAR, NO, g1, g4, g2, g3, g5, g0, g6);                                      \
	mulc(g6, g1, neon_down); quotient(NO, NO, NO, g5, g3, g4, g6, g2, g6, g0, g6);              \
	every(g2, neon_up); bit(g2, g1, g6); mul(g2, g2, g5); fma(g2, g2, g4);                      \
	positive(g0, g0); minc(g0, g0, neon_maxSoftplus); ZERO(K0); last(FMUL, g0, g0, K0);         \
	fmac(g0, g2, neon_down); write(g0, LOSS)
#define softplus \
	read(g0, U); exp(FAR, NO, g1, g4, g2, g3, g5, g0, g6); EL(NONE, put(g1, slotA));            \
	log(NO, NO, g0, g3, g4, g1, g2, g5, g6); add(g4, g1, g4);                                   \
	read(g0, U); positive(g0, g0); fmac(g0, g4, neon_ln2Down); write(g0, LOSS)

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

// K1 is the weight of positives, K2 that of negatives.
#define expand \
	BITSADDRESS; masked(g1, POS); AND KEEPEACH, ADDRESS; masked(g2, KEEP);                      \
	read(g0, U); each2(FNEG, g3, g0); bit(g0, g3, g1); and(g0, g0, g2); write(g0, LOSS);        \
	BSL(g1, K1, K2); BSL(g1+1, K1, K2); BSL(g1+2, K1, K2); BSL(g1+3, K1, K2); and(g1, g1, g2); write(g1, W)
