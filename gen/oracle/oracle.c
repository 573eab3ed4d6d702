// Oracle writes the values that the float64 tests compare with: focal loss, gradient and Hessian, and the sigmoid, at
// some 1,900 arguments, evaluated by MPFR straight from their definitions. It shares nothing with the package.
//
// Build and run (make.sh does, and compresses):
//
//	apt-get install libmpfr-dev
//	gcc -O2 -ffp-contract=off oracle.c -o oracle -lmpfr -lgmp
//	./oracle | gzip -9n > ../../testdata/oracle64.bin.gz
//
// With s = 1/(1+exp(-u)), q = 1/(1+exp(u)), L = log(1+exp(u)):
//
//	loss = s^γ · L
//	grad = s^γ · (s + γqL)
//	hess = s^γ · q · (s(1+2γ) + γL(γq - s))
//	hmag = s^γ · q · (s(1+2γ) + γL(γq + s))    the sum of the magnitudes of hess's terms
//
// The format, every number little-endian:
//
//	8 bytes            "focal64\n"
//	uint32             nu, the number of records
//	uint32             ng, the number of exponents γ
//	ng × float64       γ
//	nu × record        float64 u; pair s; ng × (pair loss, pair grad, pair hess, pair hmag)
//
// A pair is float64 hi, the exact value rounded to nearest, subnormals included, and float64 lo, the rest rounded
// likewise. Of values below 2^-969 lo is cut at 2^-1074, and of those below 2^-1022 it is always 0.
//
// The bytes depend on neither the C library nor the compiler: MPFR rounds correctly, and the arguments are made of
// integer operations and single IEEE operations on doubles.

#include "values.h"

enum { PREC = 384, MAX_U = 8192 };

static const double gammas[] = {0, 0.5, 1, 1.5, 2, 2.3, 3, 5};
enum { NG = sizeof gammas / sizeof gammas[0] };

static double from_bits(uint64_t b) {
	double d;
	memcpy(&d, &b, 8);
	return d;
}

// The arguments.

static double us[MAX_U];
static int nu;

static void add(double u) {
	if (nu == MAX_U)
		abort();
	us[nu++] = u;
}

static void add_both(double u) {
	add(u);
	add(-u);
}

static double uniform(double lo, double hi) { return lo + (hi - lo) * unit(); }

// binades adds n arguments of either sign, their exponents spread over [from, to).
static void binades(int n, int from, int to) {
	for (int i = 0; i < n; i++)
		add_both(ldexp(1 + unit(), from + (int)((int64_t)(to - from) * i / n)));
}

// beside adds an argument within two units in the last place of u.
static void beside(double u) { add(from_bits(bits(u) + next() % 5 - 2)); }

static void arguments(void) {
	const double ln2 = 0x1.62e42fefa39efp-1;

	add_both(0);
	add_both(0x1p-1074);
	add_both(0x1p-1022);
	add_both(0x1.fffffffffffffp+1023);
	for (int e = -60; e <= 10; e += 2)
		add_both(ldexp(1, e));

	binades(40, -997, -70); // both tails, by magnitude: 1e-300 …
	binades(100, -70, 0);
	binades(120, 0, 6);
	binades(50, 6, 10);
	binades(20, 10, 14);
	binades(20, 14, 996); // … 1e300

	for (int i = 0; i < 400; i++)
		add(-45 + 90.0 * (i + unit()) / 400);
	for (int i = 0; i < 150; i++)
		add(-760 + 730.0 * (i + unit()) / 150);
	for (int i = 0; i < 40; i++)
		add(uniform(30, 760)); // where q, and with it the Hessian, dies away

	// Where a range reduction changes its interval: multiples of ln2/8 and the midpoints between them, and of ln2.
	for (int k = 1; k <= 80; k++) {
		beside(k * (ln2 / 16));
		beside(-k * (ln2 / 16));
	}
	for (int k = 1; k <= 1100; k += k < 40 ? 1 : 19) {
		beside(k * ln2);
		beside(-k * ln2);
	}

	// Where results become subnormal and then 0: s^γ·L goes as exp((1+γ)u).
	for (int g = 0; g < NG; g++)
		for (int i = 0; i < 12; i++)
			add(-uniform(705, 746) / (1 + gammas[g]));

	for (int i = 0; i < 60;) { // any bits at all
		double u = from_bits(next());
		if (isfinite(u)) {
			add(u);
			i++;
		}
	}
}

int main(void) {
	// As wide as possible. What even this range cannot hold is exp of something beyond 2^61, and becomes 0: right, as
	// no result differs from that by anything that a double could show.
	mpfr_set_emin(mpfr_get_emin_min());
	mpfr_set_emax(mpfr_get_emax_max());
	mpfr_set_default_prec(PREC);

	mpfr_t u, e, r, s, q, L, pw, a, b, v;
	mpfr_inits(u, e, r, s, q, L, pw, a, b, v, (mpfr_ptr)0);

	arguments();
	fputs("focal64\n", stdout);
	put(nu, 4);
	put(NG, 4);
	for (int g = 0; g < NG; g++)
		put_double(gammas[g]);

	for (int i = 0; i < nu; i++) {
		// exp(-|u|), as exp(|u|) could overflow.
		mpfr_set_d(u, us[i], MPFR_RNDN);
		mpfr_abs(e, u, MPFR_RNDN);
		mpfr_neg(e, e, MPFR_RNDN);
		mpfr_exp(e, e, MPFR_RNDN);
		mpfr_add_ui(r, e, 1, MPFR_RNDN);
		mpfr_ui_div(us[i] >= 0 ? s : q, 1, r, MPFR_RNDN);
		mpfr_div(us[i] >= 0 ? q : s, e, r, MPFR_RNDN);
		mpfr_log1p(L, e, MPFR_RNDN);
		if (us[i] > 0)
			mpfr_add(L, L, u, MPFR_RNDN);

		put_double(us[i]);
		mpfr_set(v, s, MPFR_RNDN);
		put_pair(v);
		for (int g = 0; g < NG; g++) {
			double gamma = gammas[g];
			mpfr_set_d(v, gamma, MPFR_RNDN);
			mpfr_pow(pw, s, v, MPFR_RNDN); // 0^0 = 1

			mpfr_mul(v, pw, L, MPFR_RNDN);
			put_pair(v); // loss

			mpfr_mul(v, q, L, MPFR_RNDN);
			mpfr_mul_d(v, v, gamma, MPFR_RNDN);
			mpfr_add(v, v, s, MPFR_RNDN);
			mpfr_mul(v, v, pw, MPFR_RNDN);
			put_pair(v); // grad

			for (int sign = -1; sign <= 1; sign += 2) { // hess, hmag
				mpfr_mul_d(a, q, gamma, MPFR_RNDN);
				mpfr_mul_si(b, s, sign, MPFR_RNDN);
				mpfr_add(a, a, b, MPFR_RNDN);
				mpfr_mul(a, a, L, MPFR_RNDN);
				mpfr_mul_d(a, a, gamma, MPFR_RNDN);
				mpfr_set_d(b, 2 * gamma, MPFR_RNDN);
				mpfr_add_ui(b, b, 1, MPFR_RNDN); // as a double 1+2γ would be rounded
				mpfr_mul(b, b, s, MPFR_RNDN);
				mpfr_add(v, a, b, MPFR_RNDN);
				mpfr_mul(v, v, q, MPFR_RNDN);
				mpfr_mul(v, v, pw, MPFR_RNDN);
				put_pair(v);
			}
		}
	}
	return fflush(stdout) != 0 || ferror(stdout);
}
