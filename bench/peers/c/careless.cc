// The careless prototype: AVX2, the fewest operations that give a loss, and what the kernels' speed is held against. It
// is a sum of products that rounds where it likes: some 8 ULP at gamma = 2, other bits on other vectors, no Hessian. As
// in lanes.h, everything is streamed as if it were negative and the positives are put in afterwards; four vectors are in
// flight.

#include "peer.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH _Pragma("GCC unroll 8") for (int i = 0; i < U; i++)

namespace {

constexpr int Flight = 4;

struct F32 {
	typedef float T;
	typedef __m256 V;
	static constexpr int W = 8;
	static constexpr float Limit = 87;
	INLINE V all(float c) { return _mm256_set1_ps(c); }
	INLINE V load(const float *p) { return _mm256_loadu_ps(p); }
	INLINE void store(float *p, V v) { _mm256_storeu_ps(p, v); }
	INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
	INLINE V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
	INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
	INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
	INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
	INLINE V larger(V a, V b) { return _mm256_max_ps(a, b); }
	INLINE V bor(V a, V b) { return _mm256_or_ps(a, b); }
	INLINE V bxor(V a, V b) { return _mm256_xor_ps(a, b); }
	INLINE V band(V a, V b) { return _mm256_and_ps(a, b); }
	INLINE V atLeast(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
	INLINE V choose(V negative, V a, V b) { return _mm256_blendv_ps(b, a, negative); }

	// exp(y + low) by a table of 2^(j/8) and a short polynomial.
	template <int U, bool Low> INLINE void exp(V *e, const V *y, const V *low) {
		alignas(32) static const unsigned entries[8] = {0x3f800000u, 0x3f7b95c2u, 0x3f7837f0u, 0x3f75fed7u, 0x3f7504f3u, 0x3f75672au, 0x3f7744fdu, 0x3f7ac0c7u};
		alignas(32) static const float rest[8] = {0, -1.199215709e-08f, 3.193418086e-08f, -3.099072076e-08f, 1.711427133e-08f, 5.233334250e-09f, -1.471960544e-08f, -6.128259824e-09f};
		const V magic = all(12582912.f);
		V t[U], k[U], f[U], q[U], ff[U], s[U];
		EACH t[i] = fma(y[i], all(11.541560327111707f), magic);
		EACH k[i] = sub(t[i], magic);
		EACH f[i] = fnma(k[i], all(8.663940429688e-02f), y[i]);
		EACH f[i] = fnma(k[i], all(3.993273118164e-06f), f[i]);
		if (Low)
			EACH f[i] = add(f[i], low[i]);
		EACH s[i] = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(t[i]), 20),
			_mm256_permutevar8x32_epi32(*(const __m256i *)entries, _mm256_castps_si256(t[i]))));
		EACH q[i] = fma(f[i], all(0.041670638949f), all(0.166680261070f));
		EACH q[i] = fma(f[i], q[i], all(0.49999999743760f));
		EACH ff[i] = mul(f[i], f[i]);
		EACH f[i] = add(f[i], _mm256_permutevar8x32_ps(load(rest), _mm256_castps_si256(t[i])));
		EACH q[i] = fma(ff[i], q[i], f[i]);
		EACH e[i] = fma(s[i], q[i], s[i]);
	}

	// r = 1/(1+e) and l = log1p(e)
	template <int U> INLINE void divide(V *r, V *l, const V *e) {
		static const float c[10] = {0.99999999528881392876f, -0.49999902430300046649f, 0.33329962568874281199f, -0.24954134796601407519f, 0.19675943467854796083f,
			-0.15305601127582205197f, 0.10603664657233785913f, -0.056959593520634699423f, 0.01985147778150121288f, -0.0032440256500725134826f};
		V q[U];
		EACH r[i] = _mm256_div_ps(all(1), add(e[i], all(1)));
		EACH q[i] = all(c[9]);
		_Pragma("GCC unroll 16") for (int j = 8; j >= 0; j--)
			EACH q[i] = fma(e[i], q[i], all(c[j]));
		EACH l[i] = mul(e[i], q[i]);
	}
};

struct F64 {
	typedef double T;
	typedef __m256d V;
	static constexpr int W = 4;
	static constexpr double Limit = 708;
	INLINE V all(double c) { return _mm256_set1_pd(c); }
	INLINE V load(const double *p) { return _mm256_loadu_pd(p); }
	INLINE void store(double *p, V v) { _mm256_storeu_pd(p, v); }
	INLINE V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
	INLINE V fnma(V a, V b, V c) { return _mm256_fnmadd_pd(a, b, c); }
	INLINE V mul(V a, V b) { return _mm256_mul_pd(a, b); }
	INLINE V add(V a, V b) { return _mm256_add_pd(a, b); }
	INLINE V sub(V a, V b) { return _mm256_sub_pd(a, b); }
	INLINE V larger(V a, V b) { return _mm256_max_pd(a, b); }
	INLINE V bor(V a, V b) { return _mm256_or_pd(a, b); }
	INLINE V bxor(V a, V b) { return _mm256_xor_pd(a, b); }
	INLINE V band(V a, V b) { return _mm256_and_pd(a, b); }
	INLINE V atLeast(V a, V b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
	INLINE V choose(V negative, V a, V b) { return _mm256_blendv_pd(b, a, negative); }

	// exp(y + low) by a polynomial.
	template <int U, bool Low> INLINE void exp(V *e, const V *y, const V *low) {
		static const double c[10] = {0.50000000000000126228, 0.16666666666666699061, 0.04166666666651621744, 0.0083333333333071863999, 0.0013888888946837359945,
			0.00019841269917438216638, 0.000024801490105012058668, 2.7557216251449311975e-6, 2.76312280928999509e-7, 2.5117875223433403273e-8};
		const V magic = all(6755399441055744.0);
		V t[U], k[U], f[U], q[U], ff[U];
		EACH t[i] = fma(y[i], all(1.442695040888963387), magic);
		EACH k[i] = sub(t[i], magic);
		EACH f[i] = fnma(k[i], all(0.69314718055829871), y[i]);
		EACH f[i] = fnma(k[i], all(1.6465949582897082e-12), f[i]);
		if (Low)
			EACH f[i] = add(f[i], low[i]);
		EACH ff[i] = mul(f[i], f[i]);
		EACH q[i] = fma(f[i], all(c[9]), all(c[8]));
		_Pragma("GCC unroll 16") for (int j = 7; j >= 0; j--)
			EACH q[i] = fma(f[i], q[i], all(c[j]));
		EACH q[i] = add(fma(ff[i], q[i], f[i]), all(1));
		EACH e[i] = _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(q[i]), _mm256_slli_epi64(_mm256_castpd_si256(t[i]), 52)));
	}

	// r = 1/(1+e), and l = log1p(e) as 2·artanh(e/(2+e)); one division for both quotients
	template <int U> INLINE void divide(V *r, V *l, const V *e) {
		static const double c[11] = {2.0000000000000000025, 0.66666666666666134205, 0.40000000000190333131, 0.28571428544924433335, 0.22222224111805320622,
			0.18181739786877226042, 0.15386635467815046886, 0.13300102376503748559, 0.1211224979091004724, 0.083156815844875161662, 0.17060066360437155635};
		V d[U], dd[U], q[U], s[U], t[U];
		EACH d[i] = add(e[i], all(1));
		EACH dd[i] = add(e[i], all(2));
		EACH q[i] = _mm256_div_pd(all(1), mul(d[i], dd[i]));
		EACH r[i] = mul(dd[i], q[i]);
		EACH s[i] = mul(mul(e[i], d[i]), q[i]);
		EACH t[i] = mul(s[i], s[i]);
		EACH q[i] = all(c[10]);
		_Pragma("GCC unroll 16") for (int j = 9; j >= 0; j--)
			EACH q[i] = fma(t[i], q[i], all(c[j]));
		EACH l[i] = mul(s[i], q[i]);
	}
};

// eval evaluates U vectors of logits as those of negatives.
template <class S, int U, bool Square, bool Grad>
INLINE void eval(const typename S::V *x, typename S::V w, typename S::V gamma, typename S::V *loss, typename S::V *grad) {
	typedef typename S::V V;
	typedef typename S::T T;
	const V sign = S::all(T(-0.0)), zero = S::all(0);
	V a[U], e[U], r[U], l[U], softplus[U], s[U], er[U], p[U];
	EACH a[i] = S::larger(S::bor(x[i], sign), S::all(-S::Limit)); // -|x|
	S::template exp<U, false>(e, a, a);
	S::template divide<U>(r, l, e);
	EACH softplus[i] = S::add(S::larger(zero, x[i]), l[i]);
	EACH er[i] = S::mul(e[i], r[i]);
	EACH s[i] = S::choose(x[i], er[i], r[i]);
	if (Square) {
		EACH p[i] = S::mul(S::mul(w, s[i]), s[i]);
	} else { // exp(γ·log s), with the low part of the product
		V b[U], v[U], low[U], y[U], rest[U], kept[U];
		EACH b[i] = S::choose(x[i], a[i], zero);
		EACH v[i] = S::sub(b[i], l[i]);
		EACH low[i] = S::sub(S::sub(b[i], v[i]), l[i]);
		EACH y[i] = S::mul(v[i], gamma);
		EACH rest[i] = S::fma(low[i], gamma, S::fma(v[i], gamma, S::bxor(y[i], sign)));
		EACH kept[i] = S::atLeast(y[i], S::all(-S::Limit));
		EACH y[i] = S::larger(y[i], S::all(-S::Limit));
		S::template exp<U, true>(p, y, rest);
		EACH p[i] = S::mul(S::band(p[i], kept[i]), w);
	}
	EACH loss[i] = S::mul(p[i], softplus[i]);
	if (Grad) {
		V q[U];
		EACH q[i] = S::choose(x[i], r[i], er[i]);
		if (Square)
			EACH q[i] = S::add(q[i], q[i]);
		else
			EACH q[i] = S::mul(q[i], gamma);
		EACH grad[i] = S::mul(p[i], S::fma(q[i], softplus[i], s[i]));
	}
}

template <class S, int U, bool Square, bool Grad>
INLINE void stream(const typename S::T *x, typename S::V w, typename S::V gamma, typename S::T *loss, typename S::T *grad) {
	typename S::V in[U], l[U], g[U];
	EACH in[i] = S::load(x + i * S::W);
	eval<S, U, Square, Grad>(in, w, gamma, l, g);
	EACH S::store(loss + i * S::W, l[i]);
	if (Grad)
		EACH S::store(grad + i * S::W, g[i]);
}

template <class S, bool Square, bool Grad> void rows(const batch &b) {
	typedef typename S::T T;
	typedef typename S::V V;
	constexpr int W = S::W;
	const V neg = S::all(T(1 - b.alpha)), pos = S::all(T(b.alpha)), gamma = S::all(T(b.gamma)), sign = S::all(T(-0.0));
	const long some = 16384 / long(sizeof(T)) / b.cols, step = some < 16 ? 16 : some; // rows that stay in the first-level cache
	alignas(32) T in[W], lossOut[W], gradOut[W];
	long at[W];
	for (long first = 0; first < b.rows; first += step) {
		const long last = first + step < b.rows ? first + step : b.rows, n = (last - first) * b.cols;
		const T *x = static_cast<const T *>(b.x) + first * b.cols;
		T *loss = static_cast<T *>(b.loss) + first * b.cols;
		T *grad = Grad ? static_cast<T *>(b.grad) + first * b.cols : nullptr;
		long j = 0;
		for (; j + W * Flight <= n; j += W * Flight)
			stream<S, Flight, Square, Grad>(x + j, neg, gamma, loss + j, grad + j);
		for (; j + W <= n; j += W)
			stream<S, 1, Square, Grad>(x + j, neg, gamma, loss + j, grad + j);
		if (j < n) {
			for (long k = 0; k < W; k++)
				in[k] = k < n - j ? x[j + k] : T(0);
			stream<S, 1, Square, Grad>(in, neg, gamma, lossOut, gradOut);
			for (long k = 0; k < n - j; k++) {
				loss[j + k] = lossOut[k];
				if (Grad)
					grad[j + k] = gradOut[k];
			}
		}
		long found = 0;
		for (long row = first; row <= last; row++) {
			if (row < last && b.label[row] > 0)
				at[found++] = (row - first) * b.cols + b.label[row] - 1;
			if (found < W && (row < last || found == 0))
				continue;
			for (long k = 0; k < W; k++)
				in[k] = k < found ? x[at[k]] : T(0);
			V u = S::bxor(S::load(in), sign), l, g;
			eval<S, 1, Square, Grad>(&u, pos, gamma, &l, &g);
			S::store(lossOut, l);
			if (Grad)
				S::store(gradOut, S::bxor(g, sign));
			for (long k = 0; k < found; k++) {
				loss[at[k]] = lossOut[k];
				if (Grad)
					grad[at[k]] = gradOut[k];
			}
			found = 0;
		}
	}
}

template <class S> void run(const batch *b) {
	if (b->gamma == 2)
		b->grad ? rows<S, true, true>(*b) : rows<S, true, false>(*b);
	else
		b->grad ? rows<S, false, true>(*b) : rows<S, false, false>(*b);
}

} // namespace

void focal_f32(const batch *b) { run<F32>(b); }
void focal_f64(const batch *b) { run<F64>(b); }
