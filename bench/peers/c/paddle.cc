// The scalar formula of Paddle's CPU kernels, written from its description: the logarithm is clamped at FLT_MIN in both
// types, 1-p is a subtraction, log(1+exp(..)) has no log1p, alpha and gamma are float even for double.

#include "peer.h"
#include <cfloat>
#include <cmath>

namespace {

template <typename T>
void focal(const batch &b) {
	const T *x = static_cast<const T *>(b.x);
	T *loss = static_cast<T *>(b.loss);
	T *grad = static_cast<T *>(b.grad);
	const T alpha = static_cast<float>(b.alpha), gamma = static_cast<float>(b.gamma);
	const long count = b.rows * b.cols;
	for (long k = 0; k < count; k++) {
		const T v = x[k];
		const bool positive = b.label[k / b.cols] == k % b.cols + 1;
		const T p = 1 / (1 + std::exp(-v));
		if (positive) {
			const T log_p = std::log(p > FLT_MIN ? p : T(FLT_MIN));
			const T power = alpha * std::pow(1 - p, gamma);
			loss[k] = -power * log_p;
			if (grad)
				grad[k] = -power * (1 - p - gamma * p * log_p);
		} else {
			const T log_1p = (v >= 0 ? -v : T(0)) - std::log(1 + std::exp(v >= 0 ? -v : v));
			const T power = (1 - alpha) * std::pow(p, gamma);
			loss[k] = -power * log_1p;
			if (grad)
				grad[k] = power * (p - gamma * (1 - p) * log_1p);
		}
	}
}

} // namespace

void focal_f32(const batch *b) { focal<float>(*b); }
void focal_f64(const batch *b) { focal<double>(*b); }
