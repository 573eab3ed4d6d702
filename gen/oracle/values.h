// What oracle.c and targets.c share: how numbers are written, and pseudo-random numbers.

#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(uint64_t v, int bytes) {
	for (; bytes > 0; bytes--, v >>= 8)
		if (putchar(v & 0xff) == EOF)
			exit(1);
}

static uint64_t bits(double d) {
	uint64_t b;
	memcpy(&b, &d, 8);
	return b;
}

static void put_double(double d) { put(bits(d), 8); }

// put_pair destroys v.
static void put_pair(mpfr_t v) {
	double hi = mpfr_get_d(v, MPFR_RNDN);
	mpfr_sub_d(v, v, hi, MPFR_RNDN);
	double lo = mpfr_get_d(v, MPFR_RNDN);
	put_double(hi + 0.0); // no -0: an exact 0 has no sign here
	put_double(lo + 0.0);
}

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t next(void) { // xorshift64*
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static double unit(void) { return (double)(next() >> 11) * 0x1p-53; }
