// Targets writes the values that the tests of soft targets and of scores compare with: losses, gradients and Hessians at some 2,000
// logits and targets, evaluated by MPFR straight from the definition of each loss. No formula of a derivative is used: they are
// differences of the loss at x - h, x and x + h for h = 2^-300, in so many bits that the values are exact to 2^-400.
//
// Build and run (make.sh does, and compresses):
//
//	apt-get install libmpfr-dev
//	gcc -O2 -ffp-contract=off targets.c -o targets -lmpfr -lgmp
//	./targets | gzip -9n > ../../testdata/targets64.bin.gz
//
// With p = 1/(1+exp(-x)), q = 1/(1+exp(x)), E = (1-t)·log(1+exp(x)) + t·log(1+exp(-x)), the losses are, by kind:
//
//	0  soft targets         (α·t + (1-α)·(1-t)) · (p·(1-t) + q·t)^γ · E, without the first factor if α = -1
//	1  varifocal, t > 0     t · E
//	2  aligned, t > 0       E
//	3  quality focal loss   |p - t|^γ · E
//
// The format, every number little-endian:
//
//	8 bytes       "focalt64"
//	uint32        n, the number of records
//	n × record    uint32 kind, float64 x, t, γ, α, and three pairs: loss, its first derivative, its second
//
// A pair is as in oracle.c, and so is what the bytes do not depend on.

#include "values.h"

enum { PREC = 2600, STEP = -300, KINDS = 4 };

static const int counts[KINDS] = {900, 150, 150, 800};
static const double gammas[] = {0, 0.5, 1, 1.5, 2, 2.3, 4.2, 5};
static const double alphas[] = {0.25, 0.6, 0x1p-12, -1};

static int below(int n) { return (int)(next() >> 33) % n; }

static mpfr_t p, q, E, a, b;

// sigmoid sets to to 1/(1+exp(-x)).
static void sigmoid(mpfr_t to, mpfr_t x) {
	mpfr_neg(to, x, MPFR_RNDN);
	mpfr_exp(to, to, MPFR_RNDN);
	mpfr_add_ui(to, to, 1, MPFR_RNDN);
	mpfr_ui_div(to, 1, to, MPFR_RNDN);
}

// softplus sets to to log(1+exp(x)).
static void softplus(mpfr_t to, mpfr_t x) {
	mpfr_exp(to, x, MPFR_RNDN);
	mpfr_log1p(to, to, MPFR_RNDN);
}

static void loss(mpfr_t to, mpfr_t x, int kind, double t, double gamma, double alpha) {
	mpfr_t negative, rest;
	mpfr_inits(negative, rest, (mpfr_ptr)0);
	mpfr_neg(negative, x, MPFR_RNDN);
	mpfr_set_ui(rest, 1, MPFR_RNDN);
	mpfr_sub_d(rest, rest, t, MPFR_RNDN);
	sigmoid(p, x);
	sigmoid(q, negative);
	softplus(E, x);
	mpfr_mul(E, E, rest, MPFR_RNDN);
	softplus(a, negative);
	mpfr_mul_d(a, a, t, MPFR_RNDN);
	mpfr_add(E, E, a, MPFR_RNDN);
	mpfr_set(to, E, MPFR_RNDN);
	switch (kind) {
	case 0:
		mpfr_mul(a, p, rest, MPFR_RNDN);
		mpfr_mul_d(b, q, t, MPFR_RNDN);
		mpfr_add(a, a, b, MPFR_RNDN);
		mpfr_set_d(b, gamma, MPFR_RNDN);
		mpfr_pow(a, a, b, MPFR_RNDN);
		mpfr_mul(to, to, a, MPFR_RNDN);
		if (alpha >= 0) {
			mpfr_set_ui(a, 1, MPFR_RNDN);
			mpfr_sub_d(a, a, alpha, MPFR_RNDN);
			mpfr_mul(a, a, rest, MPFR_RNDN);
			mpfr_set_d(b, alpha, MPFR_RNDN);
			mpfr_mul_d(b, b, t, MPFR_RNDN);
			mpfr_add(a, a, b, MPFR_RNDN);
			mpfr_mul(to, to, a, MPFR_RNDN);
		}
		break;
	case 1:
		mpfr_mul_d(to, to, t, MPFR_RNDN);
		break;
	case 3:
		mpfr_sub_d(a, p, t, MPFR_RNDN);
		mpfr_abs(a, a, MPFR_RNDN);
		mpfr_set_d(b, gamma, MPFR_RNDN);
		mpfr_pow(a, a, b, MPFR_RNDN);
		mpfr_mul(to, to, a, MPFR_RNDN);
	}
	mpfr_clears(negative, rest, (mpfr_ptr)0);
}

// logit draws one, mostly where the arithmetic happens.
static double logit(void) {
	double x = 24 * (unit() - 0.5);
	switch (below(8)) {
	case 0:
		x = ldexp(1 + unit(), -30 + below(34)) * (below(2) ? 1 : -1);
		break;
	case 1:
		x = 200 * (unit() - 0.5);
		break;
	case 2:
		x = 1400 * (unit() - 0.5);
	}
	return x;
}

// target draws one between 0 and 1, and now and then near p.
static double target(mpfr_t x) {
	double far = ldexp(1 + unit(), -2 - below(50));
	switch (below(8)) {
	case 0:
		return far;
	case 1:
		return 1 - far;
	case 2:
		return 0.5 + far * (below(2) ? 1 : -1);
	case 3:
	case 4:
		sigmoid(p, x);
		return mpfr_get_d(p, MPFR_RNDN) * (1 + far * (below(2) ? 1 : -1));
	}
	return unit();
}

int main(void) {
	mpfr_set_emin(mpfr_get_emin_min());
	mpfr_set_emax(mpfr_get_emax_max());
	mpfr_set_default_prec(PREC);
	mpfr_t x, at, low, mid, high, v;
	mpfr_inits(p, q, E, a, b, x, at, low, mid, high, v, (mpfr_ptr)0);

	int n = 0;
	for (int kind = 0; kind < KINDS; kind++)
		n += counts[kind];
	fputs("focalt64", stdout);
	put(n, 4);
	for (int kind = 0; kind < KINDS; kind++) {
		for (int i = 0; i < counts[kind]; i++) {
			// Every other is one of float32 too.
			double u, t;
			do {
				u = logit();
				u = i % 2 ? (float)u : u;
				mpfr_set_d(x, u, MPFR_RNDN);
				t = target(x);
				t = i % 2 ? (float)t : t;
			} while (!(t > 0 && t < 1));
			int g = below(sizeof gammas / sizeof gammas[0]);
			double gamma = kind == 0 || kind == 3 ? gammas[g] : 0;
			double alpha = kind == 0 ? alphas[below(sizeof alphas / sizeof alphas[0])] : -1;

			mpfr_set_ui_2exp(v, 1, STEP, MPFR_RNDN);
			mpfr_sub(at, x, v, MPFR_RNDN);
			loss(low, at, kind, t, gamma, alpha);
			loss(mid, x, kind, t, gamma, alpha);
			mpfr_add(at, x, v, MPFR_RNDN);
			loss(high, at, kind, t, gamma, alpha);

			put(kind, 4);
			put_double(u);
			put_double(t);
			put_double(gamma);
			put_double(alpha);
			mpfr_set(v, mid, MPFR_RNDN);
			put_pair(v);
			mpfr_sub(v, high, low, MPFR_RNDN);
			mpfr_mul_2si(v, v, -STEP - 1, MPFR_RNDN);
			put_pair(v);
			mpfr_add(v, high, low, MPFR_RNDN);
			mpfr_sub(v, v, mid, MPFR_RNDN);
			mpfr_sub(v, v, mid, MPFR_RNDN);
			mpfr_mul_2si(v, v, -2 * STEP, MPFR_RNDN);
			put_pair(v);
		}
	}
	return fflush(stdout) != 0 || ferror(stdout);
}
