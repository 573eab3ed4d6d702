// What SLEEF's and Highway's peers share: how the logits are fed to an evaluation of a few at a time. Everything is
// streamed as if it were negative; the positives, at most one in a row, are then gathered, evaluated and put back. With
// one column every element may be positive, and each has its own sign and weight.
//
// A Math has the type Real, the number of its Lanes, and
//
//	template <bool Square, bool Grad>
//	static void eval(const Real *x, Sign sign, Weight weight, Real gamma, Real *loss, Real *grad)
//
// where Sign and Weight are a Real for all lanes, or a pointer to one for each.

#ifndef LANES_H
#define LANES_H

#include "peer.h"
#include <algorithm>

#define LANES_INLINE inline __attribute__((always_inline))

template <class Math, bool Square, bool Grad>
struct Lanes {
	using Real = typename Math::Real;
	static constexpr long W = Math::Lanes;

	static void all(const batch &b) {
		const Real *x = static_cast<const Real *>(b.x);
		Real *loss = static_cast<Real *>(b.loss);
		Real *grad = static_cast<Real *>(b.grad);
		const Real pos = static_cast<Real>(b.alpha), neg = 1 - pos, gamma = static_cast<Real>(b.gamma);
		if (b.cols == 1)
			column(b, x, loss, grad, pos, neg, gamma);
		else
			matrix(b, x, loss, grad, pos, neg, gamma);
	}

private:
	// some evaluates n ≤ W logits.
	template <class Sign, class Weight>
	static void some(const Real *x, Sign sign, Weight weight, Real gamma, Real *loss, Real *grad, long n) {
		alignas(64) Real in[W] = {}, l[W], g[W];
		std::copy_n(x, n, in);
		Math::template eval<Square, Grad>(in, sign, weight, gamma, l, g);
		std::copy_n(l, n, loss);
		if (Grad)
			std::copy_n(g, n, grad);
	}

	static void column(const batch &b, const Real *x, Real *loss, Real *grad, Real pos, Real neg, Real gamma) {
		alignas(64) Real sign[W], weight[W];
		const int32_t *label = b.label;
		auto signs = [&](long i, long n) {
			for (long k = 0; k < n; k++) {
				sign[k] = label[i + k] == 1 ? Real(-1) : Real(1);
				weight[k] = label[i + k] == 1 ? pos : neg;
			}
		};
		long i = 0;
		for (; i + W <= b.rows; i += W) {
			signs(i, W);
			Math::template eval<Square, Grad>(x + i, sign, weight, gamma, loss + i, grad + i);
		}
		if (i < b.rows) {
			std::fill_n(sign, W, Real(1));
			std::fill_n(weight, W, neg);
			signs(i, b.rows - i);
			some(x + i, sign, weight, gamma, loss + i, grad + i, b.rows - i);
		}
	}

	static void matrix(const batch &b, const Real *x, Real *loss, Real *grad, Real pos, Real neg, Real gamma) {
		const long count = b.rows * b.cols;
		long i = 0;
		for (; i + W <= count; i += W)
			Math::template eval<Square, Grad>(x + i, Real(1), neg, gamma, loss + i, grad + i);
		if (i < count)
			some(x + i, Real(1), neg, gamma, loss + i, grad + i, count - i);

		alignas(64) Real in[W] = {}, l[W], g[W];
		long at[W], n = 0;
		auto patch = [&]() {
			Math::template eval<Square, Grad>(in, Real(-1), pos, gamma, l, g);
			for (long k = 0; k < n; k++) {
				loss[at[k]] = l[k];
				if (Grad)
					grad[at[k]] = g[k];
			}
			n = 0;
		};
		for (long row = 0; row < b.rows; row++) {
			if (b.label[row] < 1)
				continue;
			at[n] = row * b.cols + b.label[row] - 1;
			in[n] = x[at[n]];
			if (++n == W)
				patch();
		}
		if (n > 0)
			patch();
	}
};

template <class Math>
void lanes(const batch &b) {
	if (b.gamma == 2)
		b.grad ? Lanes<Math, true, true>::all(b) : Lanes<Math, true, false>::all(b);
	else
		b.grad ? Lanes<Math, false, true>::all(b) : Lanes<Math, false, false>::all(b);
}

#endif
