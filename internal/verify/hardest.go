package verify

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/oracle"
)

// Refine draws logits around those where a report has its worst errors, moves on to worse ones, and adds what it finds to
// the report: a directed search. It ends when some rounds in a row have found nothing worse.
func Refine(ctx context.Context, r *Report, seed uint64, o Options) error {
	const (
		roundPoints = 4 * chunkLen
		patience    = 12
	)
	for round, fruitless := uint64(0), 0; fruitless < patience; round++ {
		var centers []float64
		for _, q := range Quantities {
			centers = append(centers, r.Errors[q].At)
		}
		found, err := run(ctx, o, r.Params, false, roundPoints/chunkLen, roundPoints, func(i uint64, u, _ []float64) ([]float64, []float64) {
			rng := rand.New(rand.NewPCG(seed+round, i))
			for range chunkLen {
				bits := math.Float64bits(centers[rng.IntN(len(centers))])
				away := uint64(math.Exp2(45 * rng.Float64()))
				if rng.IntN(2) == 0 {
					away = -away
				}
				if v := math.Float64frombits(bits + away); v-v == 0 {
					u = append(u, v)
				}
			}
			return u, nil
		})
		if err != nil {
			return err
		}
		fruitless++
		for _, q := range Quantities {
			if found.Errors[q].Worst > r.Errors[q].Worst {
				fruitless = 0
			}
		}
		r.Merge(found)
	}
	return nil
}

// hard are logits, as u, at which an exponent and weights of 1/norm (0: 1) showed the largest errors.
type hard[T focal.Float] struct {
	gamma float64
	u     []T
	norm  float64
}

// A known summit is where climbs have found the largest error of a quantity so far.
type known struct {
	of                 oracle.Quantity
	err                float64
	gamma, alpha, norm float64
	x, t               float64 // of a target of 0 or 1: that of a label
}

func (k known) soft() bool { return k.t > 0 && k.t < 1 }

func (k known) params() focal.Params {
	return focal.Params{Gamma: k.gamma, Alpha: k.alpha, Norm: k.norm}
}

func knownOf[T focal.Float]() []known {
	if unsafe.Sizeof(T(0)) == 4 {
		return known32
	}
	return known64
}

// HardRadius is how many floats to either side of a hard logit are usually evaluated too.
const HardRadius = 1000

// Hardest evaluates the logits that have shown the largest errors so far, and radius neighbours on either side: a report for each type
// and all parameters.
func Hardest(ctx context.Context, radius int, o Options) ([]*Report, error) {
	r32, err := hardest(ctx, hard32, radius, o)
	if err != nil {
		return nil, err
	}
	r64, err := hardest(ctx, hard64, radius, o)
	return append(r32, r64...), err
}

func hardest[T focal.Float](ctx context.Context, labels []hard[T], radius int, o Options) (reports []*Report, err error) {
	around := func(u []T, center T) []T {
		for d := -radius; d <= radius; d++ {
			u = append(u, neighbour(center, d))
		}
		return u
	}
	evaluate := func(u, t []T, p focal.Params) error {
		r, err := Points(ctx, u, t, p, o)
		reports = append(reports, r)
		return err
	}
	for _, h := range labels {
		var u []T
		for _, center := range h.u {
			u = around(u, center)
		}
		if err := evaluate(u, nil, focal.Params{Gamma: h.gamma, Alpha: focal.NoAlpha, Norm: h.norm}); err != nil {
			return nil, err
		}
	}
	for _, k := range knownOf[T]() {
		u, t := around(nil, T(k.x)), []T(nil)
		if k.soft() {
			t = slices.Repeat([]T{T(k.t)}, len(u))
		} else if k.t == 1 {
			u = around(nil, -T(k.x))
		}
		if err := evaluate(u, t, k.params()); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// Known returns the largest errors of the summits that climbs of this kind have come to.
func Known[T focal.Float](c Climb) (worst [oracle.Quantities]float64) {
	for _, k := range knownOf[T]() {
		if c.includes(k) {
			worst[k.of] = max(worst[k.of], k.err)
		}
	}
	return worst
}

// neighbour returns the float that is so many away from u.
func neighbour[T focal.Float](u T, away int) T {
	if v, ok := any(u).(float32); ok {
		return T(math.Float32frombits(math.Float32bits(v) + uint32(away)))
	}
	return T(math.Float64frombits(math.Float64bits(float64(u)) + uint64(away)))
}

// hard32 are the worst that sweeps over float32 logits have found (gen/exhaustive), of this arithmetic and of former ones.
var hard32 = []hard[float32]{
	{0, []float32{-0x1.5f20ap+01, -0x1.929088p+06, 0x1.514832p+01, -2.760847, -100.6408, 2.686233, -0x1.606492p+01, -0x1.cea944p+00, -0x1.b9cfc8p+01, -0x1.5b31e8p+01, 0x1.b462e2p+01}, 0},
	{0.5, []float32{-0x1.0991c6p+02, 0x1.f87a8cp-05, -0x1.85f158p+02, -2.730613, -9.545454, -1.690689, -0x1.df1c5p+01, 0x1.f91a7ep-08, -0x1.c0a692p+02, -0x1.02f0cp+04, -0x1.f991ap+01, -0x1.329186p+02, -0x1.087fcap+02, -0x1.80642cp+02}, 0},
	{1, []float32{-0x1.0987eep+02, -0x1.360666p+02, -0x1.a59048p+02, -2.410074, -4.844141, -7.30948, -0x1.5e042p+01, 0x1.117eecp-03, -0x1.7e5a38p+00, -0x1.fe68a8p+02, -0x1.833f2cp+00, -0x1.78d3fp+02, -0x1.896786p+01, -0x1.78eaep+02}, 0},
	{2, []float32{-0x1.3ddf96p+01, -0x1.4cd72cp+01, -0x1.f102cp+00, -0x1.929088p+06, -0x1.5c3d42p+01, -0x1.903d5cp+06, 0x1.7611c4p-03, -2.4964225, -2.6035299, -0x1.f8787ap+01, -0x1.ff6dbap+02, -0x1.9c7536p+01, 0x1.117b5cp+00, -0x1.af30f8p+00}, 0},
	{2.3, []float32{-0x1.35110cp+02, -0x1.4d7902p+01, -0x1.b54eep+01, -13.03454, -2.595533, -11.64843, 0x1.ab1bb4p-03, -0x1.6795f4p+00, -0x1.b4b45ep+01}, 0},
	{5, []float32{0x1.ca7b28p-04, 0x1.ba282ap-03, -0x1.4ca28ap+01, 0.1053777, -0.2808562, -5.460921, -0x1.a2b0ecp+03, -0x1.1025b6p-04, -0x1.f3703ap-02}, 0},
	{4.7105138175753485, []float32{-0x1.0da558p-03, -0x1.5e9454p+03, 0x1.8a89dap+00, -0x1.375fe2p+02, -0x1.f0226ap+01, -0x1.5ee322p+00}, 0.9136107465204248},
	{2.3, []float32{0x1.f0a67cp+03}, 6.746282144531778e38}, // the weight and the loss are subnormal
	{90, []float32{0x1.bb2874p-03}, 0},
	{150, []float32{0x1.bb2874p-03}, 0},
	{1.5, []float32{-0x1.1c24fp+02, -0x1.f9a85ap+01, -0x1.978f96p+01, 0x1.0710fcp+02, -0x1.ef1baap+01}, 0},
	{3, []float32{-0x1.7529eep+03, -0x1.88ee8ep+01, -0x1.4c63a2p+02, -0x1.b6961p+01, -0x1.dcda98p+02}, 0},
}

// hard64 are the worst that gen/search has found: of loss, gradient, Hessian, and the sigmoid.
var hard64 = []hard[float64]{
	{0, []float64{-0x1.5f277a39c4b1dp+01, -0x1.711f7375952a3p+09, 0x1.56cf1fc51c39bp+01}, 0},
	{0.5, []float64{0x1.425f7cp-32, 0x1.42572bfffffffp-32, -0x1.a6b9cac2ea87dp+04}, 0},
	{1, []float64{-0x1.c166360e283e3p+04, -0x1.c166360df9bap+04, -0x1.473895a1bb9a9p+04}, 0},
	{2, []float64{-0x1.1ce510432906cp+04, -0x1.33ddb9a706d08p+03, -0x1.9b58b491c11fap+04, -0x1.711f7375952a3p+09}, 0},
	{2.3, []float64{-0x1.9a04239b9bd88p+04, -0x1.fd4cff0ae9035p+03, -0x1.03a329f884878p+05}, 0},
	{5, []float64{-0x1.ce2d1e23ff9ebp+03, -0x1.e6b273c3e125ap+03, -0x1.c5c4287874671p+04}, 0},
	{109.98414171218069, []float64{-0x1.5d52c3d34518dp+01}, 0},
}

// known32 and known64 are the summits of climbs below γ = 5, at 2, and above 5, of labels and of soft targets.
var known32 = []known{
	{oracle.Loss, 5.267, 2, focal.NoAlpha, 0.9196090497726159, -0x1.f8787ap+01, 0},
	{oracle.Grad, 5.856, 0.7345420819400902, focal.NoAlpha, 0.6801786839682888, -0x1.88716ap+02, 0},
	{oracle.Hess, 8.695, 0.005992317927224799, focal.NoAlpha, 0.9707772442374553, -0x1.096728p+02, 0},
	{oracle.Curv, 5.965, 2.6251350298475926, 0.1479824173360418, 1.685146241991046, -0x1.62c8dcp+02, 0},
	{oracle.Frozen, 4.879, 2, 0.8952530967477591, 1.65623668163798, -0x1.aee294p+00, 0},
	{oracle.Grad, 5.596, 2, focal.NoAlpha, 0.9596697364605935, -0x1.590514p+03, 0},
	{oracle.Hess, 5.958, 2, 0.5068234344335961, 1.335067333171056, 0x1.147994p+02, 1},
	{oracle.Curv, 5.967, 2, 0.6542698471545093, 12.632203829989981, -0x1.a5681cp-03, 1},
	{oracle.Loss, 44.850, 144.96054897550445, 0.5022864388858298, 1.953199878630514, -0x1.348eacp-02, 1},
	{oracle.Grad, 59.379, 76.1038570976816, focal.NoAlpha, 1.67184822007701e+16, -0x1.9effc6p-17, 1},
	{oracle.Hess, 47.488, 144.9315726142376, 0.515093864223475, 1.9532920272997811, -0x1.348eacp-02, 1},
	{oracle.Curv, 45.222, 145.2003090897578, 0.5022864406599332, 1.953292016771877, -0x1.348eacp-02, 1},
	{oracle.Frozen, 44.483, 142.9908304754642, 0.5022864388858278, 1.9531998786305067, -0x1.348eacp-02, 1},
	{oracle.Loss, 5.369, 4.888013879593928, 0.6453805382980493, 1.5963121205239965, 0x1.040d3ep+04, 0x1.3feb66p-02},
	{oracle.Grad, 7.961, 4.617169135541233, 0.5230019352234757, 1.4442020773772066, -0x1.2f0298p+01, 0x1.67ee5cp-13},
	{oracle.Hess, 7.728, 1.8180626316680006, 0.5411046846244331, 15.186717298492256, -0x1.0ff532p+04, 0x1.ee39bep-03},
	{oracle.Curv, 6.405, 2.568097178387689, 0.5029592721839717, 1.9770768345746053, -0x1.e2271p+01, 0x1.ff878ap-02},
	{oracle.Frozen, 6.519, 3.183472909702719, 0.827036213772287, 1.4891512144965788, 0x1.765c2cp+03, 0x1.ad320ep-02},
	{oracle.Loss, 5.222, 2, 0.33280698211814014, 1.8477492462032632, 0x1.c83b02p+03, 0x1.fffaa6p-02},
	{oracle.Grad, 6.201, 2, 0.4422444549809862, 1.0076093875046823, 0x1.30decap+03, 0x1.ff113ap-02},
	{oracle.Hess, 6.992, 2, 0.1424340764411233, 1.3442728760407687, 0x1.14d0dap+04, 0x1.fc4a9ap-01},
	{oracle.Curv, 5.994, 2, 7.736982042068825e-05, 1.9240934703638986, -0x1.bae53p+01, 0x1.01faaep-01},
	{oracle.Frozen, 5.747, 2, 0.5521403199356956, 1.6904870969922583, -0x1.bae21p+01, 0x1.33ce3cp-20},
	{oracle.Loss, 8.498, 10.375183356105463, 0.7457017307507708, 1.6554566421428334, -0x1.214a46p+02, 0x1.7edb4ap-26},
	{oracle.Grad, 6.435, 5.066428020069904, 2.4238155358207517e-11, 1.8511318354875455, 0x1.810434p+00, 0x1.943ac2p-26},
	{oracle.Hess, 12.183, 14.169065650610715, 0.9997677229856139, 1.0038403123657489, -0x1.9f9ab4p+01, 0x1.ea8c8ap-22},
	{oracle.Curv, 17.546, 26.22363608819438, focal.NoAlpha, 1.5156256627163374, -0x1.88e408p+01, 0x1.2cfad6p-33},
	{oracle.Frozen, 6.010, 5.578375675875377, 0.09197163090514955, 5.033912658368428e+16, 0x1.6b764ep+02, 0x1.94b254p-03},
	{oracle.Sigmoid, 1.049, 0, focal.NoAlpha, 1, -0x1.2b139ap+00, 0},
	{oracle.Softplus, 2.011, 0, focal.NoAlpha, 1, -0x1.b9cfc8p+01, 0},
}

var known64 = []known{
	{oracle.Loss, 5.129, 2, 0.40698756136838593, 1.41661379614327, -0x1.35c3387916a12p+04, 0},
	{oracle.Grad, 5.805, 2, 0.4671383376162153, 1.8808261612728654, 0x1.298c6f4d6672bp-02, 0},
	{oracle.Hess, 8.020, 4.306080609138844, 0.4175900733199703, 1.1580558252031936, -0x1.909185d70e536p+03, 0},
	{oracle.Curv, 6.163, 2, 0.17554672193694038, 1.6950225380517907, 0x1.095d2ec67d59dp-19, 0},
	{oracle.Frozen, 5.027, 3.0523739305600768, 0.48515690414126217, 1.9729896756358403, -0x1.8ffd3e97310fdp+03, 0},
	{oracle.Hess, 6.016, 2, 0.4047665848189856, 58479.41664014403, -0x1.178b16f7a0a82p+04, 0},
	{oracle.Frozen, 4.603, 2, 0.6313058364831591, 1.3590881302874183, -0x1.9fca6f3a0dbcep+01, 0},
	{oracle.Loss, 36.692, 104.07658365796938, focal.NoAlpha, 1.773205789453078, -0x1.1a20f37342a5bp-01, 0},
	{oracle.Grad, 5.166, 5.0000000008213075, 0.3806859667208063, 1.1844927889497472, -0x1.f206f00d4e6dep+03, 0},
	{oracle.Hess, 43.696, 127.30395789452405, focal.NoAlpha, 1.5996502694783383, -0x1.1a946f386c236p-01, 0},
	{oracle.Curv, 37.703, 104.07659431031323, focal.NoAlpha, 1.773205789557667, -0x1.1a20f37342a5bp-01, 0},
	{oracle.Frozen, 53.707, 149.99537199473335, focal.NoAlpha, 1.7732785214776443, -0x1.1a20f37342a5bp-01, 0},
	{oracle.Loss, 6.488, 4.595554438696678, 0.34118428428187647, 1.9259864157818276, -0x1.c8175dc9ca15cp+02, 0x1.f32eedd19221cp-48},
	{oracle.Grad, 7.365, 4.751226582338472, 7.485606579038411e-11, 1.6293454616044947, 0x1.7eab74188eb6dp+03, 0x1.e7b13d17dc75fp-02},
	{oracle.Hess, 7.501, 2.1642340346736155, 1.4360704479662956e-08, 1.8408872868831212, 0x1.4009c7c831d6bp+04, 0x1.e07b3ab9501bfp-01},
	{oracle.Curv, 6.430, 4.809561982335624, 0.48128524141995027, 4.032544882920787e-58, -0x1.d1dcd662b97fep+01, 0x1.6d66e400e1acfp-64},
	{oracle.Frozen, 6.945, 2.0103853465483192, 1.0224099344924282e-11, 1.990137634598213, 0x1.f5f110d7b9b8ep+03, 0x1.ffffdb40511ebp-02},
	{oracle.Loss, 5.110, 2, 6.310073857932235e-09, 1.9035917570494383, 0x1.e4aff7cdb0a03p+03, 0x1.5b67ced9db5f1p-45},
	{oracle.Grad, 6.647, 2, 0.3457708043996253, 1.015299430399257, 0x1.12361db0d70eap+04, 0x1.ffff4e20b8b43p-02},
	{oracle.Hess, 6.752, 2, 2.2637168824000706e-11, 1.8603587450009889, 0x1.62b1391bfcaa8p+01, 0x1.00b124099482bp-01},
	{oracle.Curv, 5.983, 2, 2.263716882325995e-11, 1.8603587450009889, 0x1.62b1391bfcaa8p+01, 0x1.f7bdf509fbe5fp-02},
	{oracle.Frozen, 6.183, 2, 0.3457708043996253, 1.015299430399257, 0x1.12362e6dd66fbp+04, 0x1.ffff4e20b8b43p-02},
	{oracle.Loss, 30.867, 50.43278744170292, 0.36288776314222765, 1.9399232600058727, -0x1.6f2d2b473e87ep+03, 0x1.4ddb281649a22p-76},
	{oracle.Grad, 63.672, 119.27462404108948, 0.9996401526495708, 0.9930694459453371, -0x1.22e110ab2ddaap+02, 0x1.fcd1580c650abp-66},
	{oracle.Hess, 62.483, 115.05701885423697, focal.NoAlpha, 1.5006937666536664, -0x1.ecc6f3f8b6a7bp+01, 0x1.7c84d5f571b05p-38},
	{oracle.Curv, 29.735, 50.4327874588111, 0.36288776314222765, 1.9399232600058727, -0x1.6f2d2b473e87ep+03, 0x1.4ddb281649a23p-76},
	{oracle.Frozen, 30.196, 50.432787458811056, 0.36288776314222765, 1.9399232600058727, -0x1.6f2d2b473e87ep+03, 0x1.4ddb281649a23p-76},
	{oracle.Sigmoid, 1.030, 0, focal.NoAlpha, 1, -0x1.5d3e53148392p+01, 0},
	{oracle.Softplus, 2.377, 0, focal.NoAlpha, 1, -0x1.cb876edaa3191p+01, 0},
}
