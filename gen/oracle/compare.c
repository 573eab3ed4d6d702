// Compare holds values of package oracle, as gen/search -dump writes them, against MPFR, and prints their largest relative
// errors (the Hessian's relative to the sum of its terms' magnitudes). It fails if one is above 2^-90. Values below 2^-1100
// need only be as small there.
//
//	gcc -O2 gen/oracle/compare.c -o compare -lmpfr -lgmp -lm
//	go run ./gen/search -dump -points 1000000 | ./compare
//
// A record is 17 float64, little-endian as this machine: u, γ, and five values as hi, lo, exponent: (hi + lo)·2^exponent.

#include <math.h>
#include <mpfr.h>
#include <stdio.h>

enum { PREC = 384, VALUES = 5 };

static const char *names[VALUES] = {"loss", "gradient", "Hessian", "its magnitudes", "sigmoid"};

int main(void) {
	mpfr_set_emin(mpfr_get_emin_min());
	mpfr_set_emax(mpfr_get_emax_max());
	mpfr_set_default_prec(PREC);
	mpfr_t u, e, r, s, q, L, pw, a, b, got, err, v[VALUES];
	mpfr_inits(u, e, r, s, q, L, pw, a, b, got, err, (mpfr_ptr)0);
	for (int i = 0; i < VALUES; i++)
		mpfr_init(v[i]);

	double rec[2 + 3 * VALUES], worst[VALUES] = {0}, at[VALUES] = {0};
	long n = 0, wrong = 0;
	for (; fread(rec, sizeof rec, 1, stdin) == 1; n++) {
		double x = rec[0], gamma = rec[1];
		mpfr_set_d(u, x, MPFR_RNDN);
		mpfr_set_d(e, -fabs(x), MPFR_RNDN);
		mpfr_exp(e, e, MPFR_RNDN);
		mpfr_add_ui(r, e, 1, MPFR_RNDN);
		mpfr_ui_div(x >= 0 ? s : q, 1, r, MPFR_RNDN);
		mpfr_div(x >= 0 ? q : s, e, r, MPFR_RNDN);
		mpfr_log1p(L, e, MPFR_RNDN);
		if (x > 0)
			mpfr_add(L, L, u, MPFR_RNDN);
		mpfr_set_d(a, gamma, MPFR_RNDN);
		mpfr_pow(pw, s, a, MPFR_RNDN);

		mpfr_mul(v[0], pw, L, MPFR_RNDN);
		mpfr_mul(v[1], q, L, MPFR_RNDN);
		mpfr_mul_d(v[1], v[1], gamma, MPFR_RNDN);
		mpfr_add(v[1], v[1], s, MPFR_RNDN);
		mpfr_mul(v[1], v[1], pw, MPFR_RNDN);
		for (int k = 0; k < 2; k++) { // with -s, and with +s
			mpfr_mul_d(a, q, gamma, MPFR_RNDN);
			mpfr_mul_si(b, s, k ? 1 : -1, MPFR_RNDN);
			mpfr_add(a, a, b, MPFR_RNDN);
			mpfr_mul(a, a, L, MPFR_RNDN);
			mpfr_mul_d(a, a, gamma, MPFR_RNDN);
			mpfr_set_d(b, 2 * gamma, MPFR_RNDN);
			mpfr_add_ui(b, b, 1, MPFR_RNDN);
			mpfr_mul(b, b, s, MPFR_RNDN);
			mpfr_add(a, a, b, MPFR_RNDN);
			mpfr_mul(a, a, q, MPFR_RNDN);
			mpfr_mul(v[2 + k], a, pw, MPFR_RNDN);
		}
		mpfr_set(v[4], s, MPFR_RNDN);

		for (int i = 0; i < VALUES; i++) {
			double *p = &rec[2 + 3 * i];
			mpfr_ptr mag = v[i == 2 ? 3 : i];
			mpfr_set_d(got, p[0], MPFR_RNDN);
			mpfr_add_d(got, got, p[1], MPFR_RNDN);
			mpfr_mul_2si(got, got, (long)p[2], MPFR_RNDN);
			if (mpfr_zero_p(mag) || mpfr_get_exp(mag) < -1100) { // as good as 0 for a float64
				wrong += !mpfr_zero_p(got) && mpfr_get_exp(got) > -1095;
				continue;
			}
			mpfr_sub(err, got, v[i], MPFR_RNDN);
			mpfr_div(err, err, mag, MPFR_RNDN);
			double rel = fabs(mpfr_get_d(err, MPFR_RNDN));
			if (!(rel <= worst[i])) {
				worst[i] = rel;
				at[i] = x;
			}
		}
	}
	for (int i = 0; i < VALUES; i++) {
		printf("%-15s largest relative error 2^%.1f, at u = %.17g\n", names[i], log2(worst[i]), at[i]);
		wrong += !(worst[i] <= 0x1p-90);
	}
	printf("%ld logits compared\n", n);
	return n == 0 || wrong != 0;
}
