// Highway's Exp and Log1p, on the widest vectors of the machine that this is compiled on. Highway has no power function:
// s^γ is exp(γ·log s), and log s = min(u, 0) - log1p(e).

#include "lanes.h"
#define HWY_COMPILE_ONLY_STATIC
#include <hwy/highway.h>
// The order matters: math-inl.h wants highway.h before it.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class R>
struct Math {
	using Real = R;
	using D = hn::ScalableTag<R>;
	using Vec = hn::Vec<D>;
	static constexpr long Lanes = HWY_LANES(R);

	static Vec vec(Real v) { return hn::Set(D(), v); }
	static Vec vec(const Real *p) { return hn::LoadU(D(), p); }

	template <bool Square, bool Grad, class Sign, class Weight>
	static LANES_INLINE void eval(const Real *x, Sign sign, Weight weight, Real gamma, Real *loss, Real *grad) {
		const D d;
		const Vec one = hn::Set(d, 1), zero = hn::Zero(d);
		const Vec u = hn::Mul(vec(x), vec(sign));
		const Vec e = hn::Exp(d, hn::Neg(hn::Abs(u)));
		const Vec r = hn::Div(one, hn::Add(one, e)), er = hn::Mul(e, r);
		const auto nonnegative = hn::Ge(u, zero);
		const Vec s = hn::IfThenElse(nonnegative, r, er);
		const Vec l = hn::Log1p(d, e);
		const Vec softplus = hn::Add(hn::Max(u, zero), l);
		const Vec power = hn::Mul(vec(weight), Square ? hn::Mul(s, s) :
			hn::Exp(d, hn::Mul(hn::Set(d, gamma), hn::Sub(hn::Min(u, zero), l))));
		hn::StoreU(hn::Mul(power, softplus), d, loss);
		if (Grad) {
			const Vec q = hn::IfThenElse(nonnegative, er, r);
			const Vec g = hn::MulAdd(hn::Mul(hn::Set(d, gamma), q), softplus, s);
			hn::StoreU(hn::Mul(hn::Mul(vec(sign), power), g), d, grad);
		}
	}
};

} // namespace
HWY_AFTER_NAMESPACE();

void focal_f32(const batch *b) { lanes<Math<float>>(*b); }
void focal_f64(const batch *b) { lanes<Math<double>>(*b); }
