// Exact writes the focal loss and its gradient, with alpha = 0.25, as MPFR evaluates their definitions with 192 bits.
//
// Standard input, every number a little-endian double: the number of logits, the number of exponents γ, the exponents;
// then for each logit x and 1 if it is a positive, 0 if not. Standard output: for each logit and γ the loss and the
// gradient, each as the nearest double and what is left.

#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>

enum { PREC = 192, MAX_GAMMAS = 16 };

static double get(void) {
	double d;
	if (fread(&d, sizeof d, 1, stdin) != 1)
		exit(1);
	return d;
}

// put destroys v.
static void put(mpfr_t v) {
	double part[2];
	for (int i = 0; i < 2; i++) {
		part[i] = mpfr_get_d(v, MPFR_RNDN);
		mpfr_sub_d(v, v, part[i], MPFR_RNDN);
	}
	if (fwrite(part, sizeof part, 1, stdout) != 1)
		exit(1);
}

int main(void) {
	mpfr_set_default_prec(PREC);
	mpfr_t u, e, r, s, q, l, softplus, log_s, power, v;
	mpfr_inits(u, e, r, s, q, l, softplus, log_s, power, v, (mpfr_ptr)0);

	long n = get(), gammas = get();
	double gamma[MAX_GAMMAS];
	if (gammas > MAX_GAMMAS)
		return 1;
	for (long g = 0; g < gammas; g++)
		gamma[g] = get();

	for (long i = 0; i < n; i++) {
		double x = get();
		int positive = get() != 0;
		mpfr_set_d(u, positive ? -x : x, MPFR_RNDN);
		int above = mpfr_sgn(u) >= 0;
		mpfr_abs(e, u, MPFR_RNDN);
		mpfr_neg(e, e, MPFR_RNDN);
		mpfr_exp(e, e, MPFR_RNDN);
		mpfr_log1p(l, e, MPFR_RNDN);
		mpfr_add_ui(r, e, 1, MPFR_RNDN);
		mpfr_ui_div(above ? s : q, 1, r, MPFR_RNDN);
		mpfr_div(above ? q : s, e, r, MPFR_RNDN);
		mpfr_neg(log_s, l, MPFR_RNDN);
		mpfr_set(softplus, l, MPFR_RNDN);
		if (above)
			mpfr_add(softplus, softplus, u, MPFR_RNDN);
		else
			mpfr_add(log_s, log_s, u, MPFR_RNDN);
		for (long g = 0; g < gammas; g++) {
			mpfr_mul_d(power, log_s, gamma[g], MPFR_RNDN);
			mpfr_exp(power, power, MPFR_RNDN);
			mpfr_mul_d(power, power, positive ? 0.25 : 0.75, MPFR_RNDN);
			mpfr_mul(v, power, softplus, MPFR_RNDN);
			put(v);
			mpfr_mul(v, q, softplus, MPFR_RNDN);
			mpfr_mul_d(v, v, gamma[g], MPFR_RNDN);
			mpfr_add(v, v, s, MPFR_RNDN);
			mpfr_mul(v, v, power, MPFR_RNDN);
			if (positive)
				mpfr_neg(v, v, MPFR_RNDN);
			put(v);
		}
	}
	return fflush(stdout) != 0;
}
