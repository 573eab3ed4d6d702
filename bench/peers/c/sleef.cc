// SLEEF's functions with an error of at most one ULP, on the widest vectors of the machine that this is compiled on.

#include "lanes.h"
#include <immintrin.h>
#include <sleef.h>

namespace {

struct Float {
	using Real = float;
#ifdef __AVX512F__
	using Vec = __m512;
	static Vec exp(Vec v) { return Sleef_expf16_u10avx512f(v); }
	static Vec log1p(Vec v) { return Sleef_log1pf16_u10avx512f(v); }
	static Vec pow(Vec v, Vec y) { return Sleef_powf16_u10avx512f(v, y); }
	static Vec abs(Vec v) { return _mm512_abs_ps(v); }
	static Vec max(Vec v, Vec y) { return _mm512_max_ps(v, y); }
	static Vec load(const Real *p) { return _mm512_loadu_ps(p); }
	static Vec set(Real v) { return _mm512_set1_ps(v); }
	static void store(Real *p, Vec v) { _mm512_storeu_ps(p, v); }
#else
	using Vec = __m256;
	static Vec exp(Vec v) { return Sleef_expf8_u10avx2(v); }
	static Vec log1p(Vec v) { return Sleef_log1pf8_u10avx2(v); }
	static Vec pow(Vec v, Vec y) { return Sleef_powf8_u10avx2(v, y); }
	static Vec abs(Vec v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
	static Vec max(Vec v, Vec y) { return _mm256_max_ps(v, y); }
	static Vec load(const Real *p) { return _mm256_loadu_ps(p); }
	static Vec set(Real v) { return _mm256_set1_ps(v); }
	static void store(Real *p, Vec v) { _mm256_storeu_ps(p, v); }
#endif
};

struct Double {
	using Real = double;
#ifdef __AVX512F__
	using Vec = __m512d;
	static Vec exp(Vec v) { return Sleef_expd8_u10avx512f(v); }
	static Vec log1p(Vec v) { return Sleef_log1pd8_u10avx512f(v); }
	static Vec pow(Vec v, Vec y) { return Sleef_powd8_u10avx512f(v, y); }
	static Vec abs(Vec v) { return _mm512_abs_pd(v); }
	static Vec max(Vec v, Vec y) { return _mm512_max_pd(v, y); }
	static Vec load(const Real *p) { return _mm512_loadu_pd(p); }
	static Vec set(Real v) { return _mm512_set1_pd(v); }
	static void store(Real *p, Vec v) { _mm512_storeu_pd(p, v); }
#else
	using Vec = __m256d;
	static Vec exp(Vec v) { return Sleef_expd4_u10avx2(v); }
	static Vec log1p(Vec v) { return Sleef_log1pd4_u10avx2(v); }
	static Vec pow(Vec v, Vec y) { return Sleef_powd4_u10avx2(v, y); }
	static Vec abs(Vec v) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), v); }
	static Vec max(Vec v, Vec y) { return _mm256_max_pd(v, y); }
	static Vec load(const Real *p) { return _mm256_loadu_pd(p); }
	static Vec set(Real v) { return _mm256_set1_pd(v); }
	static void store(Real *p, Vec v) { _mm256_storeu_pd(p, v); }
#endif
};

template <class V>
struct Math {
	using Real = typename V::Real;
	using Vec = typename V::Vec;
	static constexpr long Lanes = sizeof(Vec) / sizeof(Real);

	static Vec vec(Real v) { return V::set(v); }
	static Vec vec(const Real *p) { return V::load(p); }

	template <bool Square, bool Grad, class Sign, class Weight>
	static LANES_INLINE void eval(const Real *x, Sign sign, Weight weight, Real gamma, Real *loss, Real *grad) {
		const Vec one = V::set(1), zero = V::set(0);
		const Vec u = V::load(x) * vec(sign);
		const Vec e = V::exp(-V::abs(u));
		const Vec r = one / (one + e), er = e * r;
		const Vec s = u >= zero ? r : er;
		const Vec softplus = V::max(u, zero) + V::log1p(e);
		const Vec power = vec(weight) * (Square ? s * s : V::pow(s, V::set(gamma)));
		V::store(loss, power * softplus);
		if (Grad) {
			const Vec q = u >= zero ? er : r;
			V::store(grad, vec(sign) * power * (s + V::set(gamma) * q * softplus));
		}
	}
};

} // namespace

void focal_f32(const batch *b) { lanes<Math<Float>>(*b); }
void focal_f64(const batch *b) { lanes<Math<Double>>(*b); }
