// The loop that one writes in C and leaves to the compiler: stable in both tails, labels as they are. It is compiled once
// for each type, with DOUBLE for double; with LOG it takes the logarithm of 1+e, which loses the small losses but has a
// vector form in more libraries than log1p has.

#include "peer.h"
#include <math.h>

#ifdef DOUBLE
typedef double real;
typedef int64_t integer; // as wide as real, so that comparisons fill the same vectors
#define F(name) name
#define FOCAL focal_f64
#else
typedef float real;
typedef int32_t integer;
#define F(name) name##f
#define FOCAL focal_f32
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE void element(real x, int positive, real alpha, real gamma, int square, real *loss, real *grad) {
	real u = positive ? -x : x;
	real w = positive ? alpha : 1 - alpha;
	real e = F(exp)(-F(fabs)(u));
	real r = 1 / (1 + e);
	real s = u >= 0 ? r : e * r;
#ifdef LOG
	real l = F(log)(1 + e);
#else
	real l = F(log1p)(e);
#endif
	real softplus = F(fmax)(u, 0) + l;
	real power = w * (square ? s * s : F(pow)(s, gamma));
	*loss = power * softplus;
	if (grad) {
		real q = u >= 0 ? e * r : r;
		real g = power * (s + gamma * q * softplus);
		*grad = positive ? -g : g;
	}
}

INLINE void all(const struct batch *b, int square, int with_grad) {
	const real *restrict x = b->x;
	real *restrict loss = b->loss;
	real *restrict grad = b->grad;
	const int32_t *restrict label = b->label;
	const real alpha = b->alpha, gamma = b->gamma;
	if (b->cols == 1) { // else the inner loop would be of one element
		for (long i = 0; i < b->rows; i++)
			element(x[i], label[i] == 1, alpha, gamma, square, &loss[i], with_grad ? &grad[i] : 0);
		return;
	}
	for (long i = 0; i < b->rows; i++) {
		const integer positive = label[i] - 1, cols = b->cols;
		const long row = i * b->cols;
		for (integer j = 0; j < cols; j++)
			element(x[row + j], j == positive, alpha, gamma, square, &loss[row + j], with_grad ? &grad[row + j] : 0);
	}
}

void FOCAL(const struct batch *b) {
	if (b->gamma == 2)
		b->grad ? all(b, 1, 1) : all(b, 1, 0);
	else
		b->grad ? all(b, 0, 1) : all(b, 0, 0);
}
