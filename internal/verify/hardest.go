package verify

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gofocal/focal"
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

// hardSoft is a logit and a soft target at which parameters showed the largest error.
type hardSoft[T focal.Float] struct {
	gamma, alpha, norm float64
	x, t               T
}

// hardRadius is how many floats to either side of a hard logit are evaluated too.
const hardRadius = 1000

// Hardest evaluates the logits that have shown the largest errors so far, and their neighbours: a report for each type
// and all parameters.
func Hardest(ctx context.Context, o Options) ([]*Report, error) {
	r32, err := hardest(ctx, hard32, hardSoft32, o)
	if err != nil {
		return nil, err
	}
	r64, err := hardest(ctx, hard64, hardSoft64, o)
	return append(r32, r64...), err
}

func hardest[T focal.Float](ctx context.Context, labels []hard[T], targets []hardSoft[T], o Options) (reports []*Report, err error) {
	around := func(u []T, center T) []T {
		for d := -hardRadius; d <= hardRadius; d++ {
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
	for _, h := range targets {
		u := around(nil, h.x)
		if err := evaluate(u, slices.Repeat([]T{h.t}, len(u)), focal.Params{Gamma: h.gamma, Alpha: h.alpha, Norm: h.norm}); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// neighbour returns the float that is so many away from u.
func neighbour[T focal.Float](u T, away int) T {
	if v, ok := any(u).(float32); ok {
		return T(math.Float32frombits(math.Float32bits(v) + uint32(away)))
	}
	return T(math.Float64frombits(math.Float64bits(float64(u)) + uint64(away)))
}

// hard32 are the worst that sweeps over float32 logits have found (gen/exhaustive), and climbs over all variables (gen/search). The worst of all that there are, of loss,
// gradient and Hessian, come first. Those of the sigmoid are the same for all exponents.
var hard32 = []hard[float32]{
	{0, []float32{-0x1.5f20ap+01, -0x1.929088p+06, 0x1.514832p+01, -2.760847, -100.6408, 2.686233, -0x1.606492p+01, -0x1.cea944p+00}, 0},
	{0.5, []float32{-0x1.0991c6p+02, 0x1.f87a8cp-05, -0x1.85f158p+02, -2.730613, -9.545454, -1.690689, -0x1.df1c5p+01, 0x1.f91a7ep-08, -0x1.c0a692p+02}, 0},
	{1, []float32{-0x1.0987eep+02, -0x1.360666p+02, -0x1.a59048p+02, -2.410074, -4.844141, -7.30948, -0x1.5e042p+01, 0x1.117eecp-03, -0x1.7e5a38p+00}, 0},
	{2, []float32{-0x1.3ddf96p+01, -0x1.4cd72cp+01, -0x1.f102cp+00, -0x1.929088p+06, -0x1.5c3d42p+01, -0x1.903d5cp+06, 0x1.7611c4p-03, -2.4964225, -2.6035299}, 0},
	{2.3, []float32{-0x1.35110cp+02, -0x1.4d7902p+01, -0x1.b54eep+01, -13.03454, -2.595533, -11.64843, 0x1.ab1bb4p-03, -0x1.6795f4p+00, -0x1.b4b45ep+01}, 0},
	{5, []float32{0x1.ca7b28p-04, 0x1.ba282ap-03, -0x1.4ca28ap+01, 0.1053777, -0.2808562, -5.460921, -0x1.a2b0ecp+03, -0x1.1025b6p-04, -0x1.f3703ap-02}, 0},
	{4.9096971507850391, []float32{-0x1.acadaep+2}, 1 / 0.25781793824699867},
	{2.4421838179613942, []float32{-0x1.93aa7ap+3}, 1 / 1.5334669938802568},
	{0.734542081800306, []float32{-0x1.88716ap+2}, 1 / 1.4702019098876424},
	{4.2624362281081956, []float32{0x1.5cbf8p-18}, 1 / 1.1997131752821284},
	{0.0059923181608986919, []float32{-0x1.096728p+2}, 1 / 1.0301024302681965},
	{2, []float32{-0x1.f8787ap+1}, 1 / 1.0874186222713447}, // loss 5.17
	{2, []float32{-0x1.590514p+3}, 1 / 1.0420251486975756}, // gradient 5.59
	{4.7105138175753485, []float32{-0x1.0da558p-03}, 0.9136107465204248},
	{2.3, []float32{0x1.f0a67cp+03}, 6.746282144531778e38}, // the weight and the loss are subnormal
	{90, []float32{0x1.bb2874p-03}, 0},
	{4.286105560633606, []float32{-0x1.afd44ep+03}, 1.9717577298734152 / (1 - 0.31120711979385857)}, // gradient 5.67
	{0.503067342382565, []float32{-0x1.78323ep+03}, 1.6329904798279802},                             // Hessian 7.87
	{150, []float32{0x1.bb2874p-03}, 0},
}

// hard64 are the worst that gen/search has found: of loss, gradient, Hessian, and the sigmoid.
var hard64 = []hard[float64]{
	{0, []float64{-0x1.5f277a39c4b1dp+01, -0x1.711f7375952a3p+09, 0x1.56cf1fc51c39bp+01}, 0},
	{0.5, []float64{0x1.425f7cp-32, 0x1.42572bfffffffp-32, -0x1.a6b9cac2ea87dp+04}, 0},
	{1, []float64{-0x1.c166360e283e3p+04, -0x1.c166360df9bap+04, -0x1.473895a1bb9a9p+04}, 0},
	{2, []float64{-0x1.1ce510432906cp+04, -0x1.33ddb9a706d08p+03, -0x1.9b58b491c11fap+04, -0x1.711f7375952a3p+09}, 0},
	{2.3, []float64{-0x1.9a04239b9bd88p+04, -0x1.fd4cff0ae9035p+03, -0x1.03a329f884878p+05}, 0},
	{5, []float64{-0x1.ce2d1e23ff9ebp+03, -0x1.e6b273c3e125ap+03, -0x1.c5c4287874671p+04}, 0},
	{4.0740675903148649, []float64{-0x1.d566bc6cd650fp+3}, 1 / 0x1.36bfa04b10f61p+0},
	{4.9999415513398047, []float64{-0x1.25697e5dca8a7p+5}, 1 / 0x1.bd5c177a9eb4dp+0},
	{2, []float64{-0x1.8ba582c1d83c2p+4}, 1 / 0x1.4dcd6fab8274p+0},
	{3.7963898827675577, []float64{-0x1.16e3de80e6658p+03}, 1.777996392916128 / (1 - 0.460800790383539)},  // loss 5.04
	{4.306080609138844, []float64{-0x1.909185d70e536p+03}, 1.1580558252031936 / (1 - 0.4175900733199703)}, // Hessian 8.02
	{109.98414171218069, []float64{-0x1.5d52c3d34518dp+01}, 0},
}

// hardSoft32 and hardSoft64 are those of soft targets.
var hardSoft32 = []hardSoft[float32]{
	{0.5, 0.2, 0.8, 4.266164779663086, 0.4743941128253937},
	{2, 0.2008, 0.8, 2.6053073, 0.999895}, // gradient 7.58
	{2, 0.6182750123655003, 1.0000000200000003, 0.68605781, 0.99999899},
	{2, 0.647, 0.665, 3.854158639907837, 0.45012620091438293},
	{2, 0.2, 0.8, -13.810720443725586, 0.3558315932750702},
	{2, focal.NoAlpha, 1, -2.7305500507354736, 1e-6},
	{2, focal.NoAlpha, 1, -11.738959312438965, 1 - 1e-6},
	{2, focal.NoAlpha, 1, -17.853530883789062, 1 - 1e-6},
	{2, focal.NoAlpha, 1, 0.24080657958984375, 0.1},
	{2, focal.NoAlpha, 1, -12.458093643188477, 0.9},
	{2, focal.NoAlpha, 1, 1.2580326795578003, 0.5},
	{2.3, 0.647, 0.665, 6.105792045593262, 0.4128405749797821},
	{4.38142, 0.44897881450872723, 0.5919047764430706, -13.9492846, 0.084128015},
	{4.99, 0.9999989999999843, 1.0804334219188616, -2.59106970, 0.000177855706},
	{5, 0.2, 0.8, 5.514483451843262, 0.9999275803565979},
	{4.7194230081540773, 0.4977145869234186, 0.48887437089110675, -0x1.68fe6cp+3, 0x1.0b6374p-15}, // gradient 8.59
	{4.1543777017207875, 0.9999981711560693, 1.6630745778354408, 0x1.52fffap+1, 0x1.4425e6p-10},
	{4.6799144668355668, 0.9999994139687162, 0.45339484623876586, 0x1.db10b2p+5, 0x1.84734ap-2}, // Hessian 8.76
	{2, 0.9999734511261454, 0.9456819076362085, 0x1.47c47ap-1, 0x1.000076p-1},
	{2, 0.9999970856064281, 0.9857941818898125, 0x1.e882f4p+1, 0x1.fffd2ep-2},
	{4.361187684640776, 0.20951831287602882, 1.522115850631718, -0x1.03dd1p+04, 0x1.1b9b52p-22},   // gradient 10.34
	{2, 0.00031581823676123046, 1.9241314017995508, -0x1.bae548p+01, 0x1.000236p-01},              // Hessian 9.78
	{2, 0.00011336656842724089, 1.924093497906599, -0x1.bae548p+01, 0x1.0003bp-01},                // curvature 9.24
	{4.356402403645916, 0.13401300633626165, 1.2611186838996589, -0x1.348f28p+03, 0x1.4d8d6ep-23}, // frozen gradient 7.68
	{14.855227821097911, focal.NoAlpha, 1 / 1.2132, -0x1.1d8666p+2, 0x1.47fa44p-20},
	{39.4, focal.NoAlpha, 1 / 0.84482, 0x1.995a2ap+0, 0x1.fd982ap-1},
	{119.04901125416461, focal.NoAlpha, 1 / 43249.259735609245, 0x1.295e12p-2, 0x1.ff278p-1},
}

var hardSoft64 = []hardSoft[float64]{
	{2, 0.5973018668859322, 0.5121309240998696, -0x1.787c9852035bbp+4, 0x1.ffffffffeef63p-1},
	{3.1145537206992508, 1.0, 1.329712163121921e-34, -0x1.7b248c2c70f92p+2, 0x1.84p-46},
	{2, 0.2, 0.8, 0.6648761004722575, 0.8367430434109726},
	{2, 0.4211503023927638, 0.6647748062048484, 10.154256184513782, 0.49999999999999983},
	{2, 0.41650254581129437, 0.6084089725113222, -30.931685751366633, 7.444476042378605e-05},
	{4.99, 0.2499999971624649, 1.1350140401804278, -8.104014979579498, 4.8974764815922265e-08},
	{4.99, 0.5320005684454369, 0.7876696553794024, -29.458761539118463, 9.30838643960157e-09},
}
