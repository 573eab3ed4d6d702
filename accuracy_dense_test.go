package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/stretchr/testify/require"
)

// The results of soft targets against the exact values.

// accuracyTargets are targets that are the same for every logit; below 0, a mixture.
var accuracyTargets = []float64{-1, 0.5, 0.1, 1e-6, 1 - 1e-6, 9e-8, 0x1p-14, 0.5 - 0x1p-25, 0.4999, 0.75}

// softSample evaluates every output for soft targets.
type softSample[T Float] struct {
	target []T
	out    Out[T]
}

func (s *softSample[T]) eval(t *testing.T, rng *rand.Rand, x []T, target float64, p Params) {
	s.target = mixedTargets[T](rng, len(x))
	if target >= 0 {
		for i := range s.target {
			s.target[i] = T(target)
		}
	}
	s.out = Out[T]{Loss: make([]T, len(x)), Grad: make([]T, len(x)), Hess: make([]T, len(x))}
	_, err := Fused(s.out, x, Dense(s.target), p)
	require.NoError(t, err)
}

func forSoft(t *testing.T, f func(t *testing.T, target float64, p Params, rng *rand.Rand)) {
	for _, gamma := range append([]float64{0.1, 10, 100}, accuracyGammas...) {
		for _, p := range append(accuracyParams(gamma)[:2], Params{Gamma: gamma, Alpha: 0.25, Norm: 1}) {
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(17, 18))
				for _, target := range accuracyTargets {
					t.Run(fmt.Sprintf("t=%v", target), func(t *testing.T) { f(t, target, p, rng) })
				}
			})
		}
	}
}

// addSoft adds the errors of element i, for weights divided by norm.
func addSoft[T Float](e *errors3, out Out[T], i int, x, target T, gamma, wPos, wNeg, norm float64) {
	at := float64(x)
	errs, want := oracle.SoftErrors(out.Loss[i], out.Grad[i], out.Hess[i], at, float64(target), gamma, wPos, wNeg, norm)
	e.loss.Add(errs[0], at, float64(out.Loss[i]), want[0])
	e.grad.Add(errs[1], at, float64(out.Grad[i]), want[1])
	e.hess.Add(errs[2], at, float64(out.Hess[i]), want[2])
}

// evalSoft returns the errors of the reference for weights as they are.
func evalSoft[T Float](x, target []T, gamma float64, wPos, wNeg T) (e errors3) {
	pl := newPlan[T](gamma)
	family := abi.SoftPower
	if gamma == 2 {
		family = abi.SoftSquare
	}
	n := len(x)
	out := Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n)}
	genericKernel(abi.KernelOf(abi.Hess, family), &abi.Args[T]{
		N: n, U: &x[0], Target: &target[0], Weight: wNeg, WeightPos: wPos, Plan: &pl,
		Loss: &out.Loss[0], Grad: &out.Grad[0], Hess: &out.Hess[0], Curv: &make([]T, n)[0],
	})
	for i := range x {
		addSoft(&e, out, i, x[i], target[i], gamma, float64(wPos), float64(wNeg), 1)
	}
	return e
}

func TestAccuracySoftFloat32(t *testing.T) {
	forSoft(t, func(t *testing.T, target float64, p Params, rng *rand.Rand) {
		var e errors3
		var got softSample[float32]
		w := weights(p)
		sweep32(65537, func(x []float32) {
			got.eval(t, rng, x, target, p)
			for i, v := range x {
				if v-v == 0 {
					addSoft(&e, got.out, i, v, got.target[i], p.Gamma, w[1], w[0], p.Norm)
				}
			}
		})
		e.checkBounds(t, oracle.PromisedSoft(p.Gamma))
	})
}

func TestAccuracySoftFloat64(t *testing.T) {
	n := 4000
	if testing.Short() {
		n /= 8
	}
	forSoft(t, func(t *testing.T, target float64, p Params, rng *rand.Rand) {
		x := make([]float64, n)
		for i := range x {
			switch rng.IntN(4) {
			case 0:
				x[i] = math.Copysign(math.Exp2(-60+70*rng.Float64()), rng.Float64()-0.5)
			case 1:
				x[i] = 700 * rng.NormFloat64()
			default:
				x[i] = 8 * rng.NormFloat64()
			}
		}
		var e errors3
		var got softSample[float64]
		got.eval(t, rng, x, target, p)
		w := weights(p)
		for i, v := range x {
			addSoft(&e, got.out, i, v, got.target[i], p.Gamma, w[1], w[0], p.Norm)
		}
		e.checkBounds(t, oracle.PromisedSoft(p.Gamma))
	})
}

// hardSoft are the logits and targets with the largest errors that searches and sweeps have found, for weights as they are.
var hardSoft = []struct{ gamma, wPos, wNeg, x, target float64 }{
	{0.5, 0.25, 1, 4.266164779663086, 0.4743941128253937},
	{2, 0.251, 0.999, 2.6053073, 0.999895}, // gradient 7.58
	{2, 0.6182750, 0.38172498, 0.68605781, 0.99999899},
	{2, 0.647 / 0.665, 0.353 / 0.665, 3.854158639907837, 0.45012620091438293},
	{2, 0.25, 1, -13.810720443725586, 0.3558315932750702},
	{2, 1, 1, -2.7305500507354736, 1e-6}, {2, 1, 1, -11.738959312438965, 1 - 1e-6}, {2, 1, 1, -17.853530883789062, 1 - 1e-6},
	{2, 1, 1, 0.24080657958984375, 0.1}, {2, 1, 1, -12.458093643188477, 0.9}, {2, 1, 1, 1.2580326795578003, 0.5},
	{2.3, 0.647 / 0.665, 0.353 / 0.665, 6.105792045593262, 0.4128405749797821},
	{4.38142, 0.75853217, 0.93092877, -13.9492846, 0.084128015},
	{4.99, 0.92555356, 9.255545e-7, -2.59106970, 0.000177855706},
	{5, 0.25, 1, 5.514483451843262, 0.9999275803565979},
	{4.7194230081540773, 1.0180827970511077, 1.0274324918302211, -0x1.68fe6cp+3, 0x1.0b6374p-15}, // gradient 8.59
	{4.1543777017207875, 0.60129484539268685, 1.0996764396926288e-06, 0x1.52fffap+1, 0x1.4425e6p-10},
	{4.6799144668355668, 2.2055817843198389, 1.2925406821836508e-06, 0x1.db10b2p+5, 0x1.84734ap-2}, // Hessian 8.76
	{2, 1.0574099420233618, 2.8073788490836239e-05, 0x1.47c47ap-1, 0x1.000076p-1}, {2, 1.0144075751080088, 2.9563915322855454e-06, 0x1.e882f4p+1, 0x1.fffd2ep-2},
	// float64
	{2, 0x1.2a9317f9e8464p+0, 0x1.92985e0c08347p-1, -0x1.787c9852035bbp+4, 0x1.ffffffffeef63p-1},
	{3.1145537206992508, 0x1.72c91a4c6e661p+112, 0x1.da707140736cep-6, -0x1.7b248c2c70f92p+2, 0x1.84p-46},
	{2, 0.25, 1, 0.6648761004722575, 0.8367430434109726},
	{2, 0.63352326, 0.87074554, 10.154256184513782, 0.49999999999999983},
	{2, 0.68457660, 0.95905465, -30.931685751366633, 7.444476042378605e-05},
	{4.99, 0.22026159, 0.66078478, -8.104014979579498, 4.8974764815922265e-08},
	{4.99, 0.67541077, 0.59415699, -29.458761539118463, 9.30838643960157e-09},
}

// The hardest and their neighbours.
func TestAccuracySoftHardest(t *testing.T) {
	forFloats(t, testAccuracySoftHardest[float32], testAccuracySoftHardest[float64])
}

func testAccuracySoftHardest[T Float](t *testing.T) {
	const radius = 500
	for _, h := range hardSoft {
		x, target := make([]T, 2*radius+1), make([]T, 2*radius+1)
		for i := range x {
			x[i], target[i] = fromBits[T](toBits(T(h.x))+uint64(i)-radius), T(h.target)
		}
		e := evalSoft(x, target, h.gamma, T(h.wPos), T(h.wNeg))
		e.checkBounds(t, oracle.PromisedSoft(h.gamma))
	}
}

// Where γ is large, it is the error of log m alone that counts. These are the worst that a search has found.
func TestLargeGammaSoft(t *testing.T) {
	for _, c := range []struct {
		gamma     float64
		x, target float32
		weight    float32
	}{
		{14.855227821097911, -0x1.1d8666p+2, 0x1.47fa44p-20, 1.2132}, {39.4, 0x1.995a2ap+0, 0x1.fd982ap-1, 0.84482},
		{119.04901125416461, 0x1.295e12p-2, 0x1.ff278p-1, 43249.259735609245},
	} {
		e := evalSoft([]float32{c.x}, []float32{c.target}, c.gamma, c.weight, c.weight)
		e.checkBounds(t, oracle.PromisedSoft(c.gamma))
		require.Greater(t, max(e.loss.Worst, e.grad.Worst, e.hess.Worst), 0.15*c.gamma) // so much it is
	}
}
