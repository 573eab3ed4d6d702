package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sbinet/npyio/npy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/measure"
	"github.com/gofocal/focal/internal/shards/npyfile/npytest"
)

var npyFile = npytest.File

// inDirectory puts files into a new directory, and goes there.
func inDirectory(t *testing.T, files map[string][]byte) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range files {
		require.NoError(t, os.WriteFile(name, data, 0o666))
	}
}

// names returns the files in the current directory.
func names(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wide(label []int32) []int64 {
	all := make([]int64, len(label))
	for i, v := range label {
		all[i] = int64(v)
	}
	return all
}

// readBack reads an array with npyio.
func readBack[T focal.Float](t *testing.T, name string, shape ...int) []T {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	r, err := npy.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, shape, r.Header.Descr.Shape)
	require.False(t, r.Header.Descr.Fortran)
	require.Zero(t, (len(data)-shape[0]*shape[1]*binary.Size(T(0)))%64, "the elements are aligned")
	var v []T
	require.NoError(t, r.Read(&v))
	require.Len(t, v, shape[0]*shape[1])
	return v
}

// printed returns the value of a row of the output.
func printed(t *testing.T, output, row string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + row + ` +(.*)$`).FindStringSubmatch(output)
	require.NotNil(t, m, output)
	return m[1]
}

func TestEvalGolden(t *testing.T) {
	x := measure.Logits[float32](12)
	files := map[string][]byte{
		"x.npy":     npyFile(t, "<f4", "(4, 3)", false, binary.LittleEndian, x),
		"label.npy": npyFile(t, "<i4", "(4,)", false, binary.LittleEndian, []int32{2, 0, -1, 3}),
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	inDirectory(t, files)
	output := succeed(t, "eval", "-x", "x.npy", "-label", "label.npy", "-loss", "loss.npy", "-hess", "hess.npy")
	output = regexp.MustCompile(`(?m)^(path|time) .*`).ReplaceAllString(output, "$1        …")
	assert.Equal(t, []string{"hess.npy", "label.npy", "loss.npy", "x.npy"}, names(t))
	t.Chdir(dir)
	golden(t, "eval.golden", output)
}

// What eval writes and prints are the bits of the package's functions, whatever the files look like.
func TestEvalBits(t *testing.T) {
	t.Run("f32", testEvalBits[float32])
	t.Run("f64", testEvalBits[float64])
}

func testEvalBits[T focal.Float](t *testing.T) {
	const n, c = 301, 7
	dtype := map[int]string{4: "f4", 8: "f8"}[binary.Size(T(0))]
	x := measure.Logits[T](n * c)
	x[5], x[6], x[7] = T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1))
	label := measure.Labels(n, c, 0.5, 0.2)
	label[0] = -1 // the NaN's row: the sum stays finite
	targets := make([]T, n*c)
	for i := range targets {
		targets[i] = T(float32(i%11) / 10)
	}
	zeroBased := slices.Clone(label)
	for i, v := range label {
		switch {
		case v == 0:
			zeroBased[i] = c
		case v > 0:
			zeroBased[i] = v - 1
		default:
			zeroBased[i] = 255
		}
	}
	little, big := binary.LittleEndian, binary.BigEndian
	inDirectory(t, map[string][]byte{
		"x.npy":        npyFile(t, "<"+dtype, "(301, 7)", false, little, x),
		"x-big.npy":    npyFile(t, ">"+dtype, "(301, 7)", false, big, x),
		"l4.npy":       npyFile(t, "<i4", "(301,)", false, little, label),
		"l4-big.npy":   npyFile(t, ">i4", "(301, 1)", false, big, label),
		"l8.npy":       npyFile(t, "<i8", "(301, 1)", false, little, wide(label)),
		"l8-big.npy":   npyFile(t, ">i8", "(301,)", true, big, wide(label)), // one dimension is in both orders
		"l-zero.npy":   npyFile(t, "<i4", "(301,)", false, little, zeroBased),
		"t.npy":        npyFile(t, "<"+dtype, "(301, 7)", false, little, targets),
		"t-big.npy":    npyFile(t, ">"+dtype, "(301, 7)", false, big, targets),
		"old-loss.npy": []byte("of before"),
	})
	auto := float64(focal.FgNum(label))
	above := 0.0
	for _, v := range targets {
		if v > 0 {
			above++
		}
	}
	for _, test := range []struct {
		args string
		y    focal.Target
		p    focal.Params
	}{
		{"-x x.npy -label l4.npy", focal.Labels(label), focal.Params{Gamma: 2, Alpha: 0.25, Norm: auto}},
		{"-x x-big.npy -label l4-big.npy -workers 2", focal.Labels(label), focal.Params{Gamma: 2, Alpha: 0.25, Norm: auto}},
		{"-x x.npy -label l4.npy -norm 0", focal.Labels(label), focal.Params{Gamma: 2, Alpha: 0.25, Norm: 1}},
		{"-x x.npy -label l8.npy -norm 1 -alpha -1", focal.Labels(label), focal.Params{Gamma: 2, Alpha: focal.NoAlpha, Norm: 1}},
		{"-x x.npy -label l8.npy -norm 1 -alpha none", focal.Labels(label), focal.Params{Gamma: 2, Alpha: focal.NoAlpha, Norm: 1}},
		{"-x x.npy -label l8-big.npy -norm 3.5 -alpha 0.75 -gamma 1.5", focal.Labels(label), focal.Params{Gamma: 1.5, Alpha: 0.75, Norm: 3.5}},
		{"-x x.npy -label l-zero.npy -zero-based -ignore 255", focal.Labels(label), focal.Params{Gamma: 2, Alpha: 0.25, Norm: auto}},
		{"-x x.npy -targets t.npy -norm 2", focal.Dense(targets), focal.Params{Gamma: 2, Alpha: 0.25, Norm: 2}},
		{"-x x-big.npy -targets t-big.npy", focal.Dense(targets), focal.Params{Gamma: 2, Alpha: 0.25, Norm: above}},
	} {
		loss, grad, hess := make([]T, n*c), make([]T, n*c), make([]T, n*c)
		_, err := focal.Fused(focal.Out[T]{Loss: loss, Grad: grad, Hess: hess}, x, test.y, test.p)
		require.NoError(t, err)
		exact, err := focal.Score(x, test.y, test.p)
		require.NoError(t, err)
		args := append([]string{"eval"}, strings.Fields(test.args)...)
		output := succeed(t, append(args, "-loss", "old-loss.npy", "-grad", "g.npy", "-hess", "h.npy")...)
		assert.Equal(t, fmt.Sprint(exact.Loss(1)), printed(t, output, "sum"), test.args)
		assert.Equal(t, fmt.Sprint(exact.Loss(n*c)), printed(t, output, "mean"))
		assert.Equal(t, fmt.Sprint(exact.Loss(test.p.Norm)), printed(t, output, "loss"))
		assert.Equal(t, fmt.Sprint(test.p.Norm), printed(t, output, "norm"))
		assert.Equal(t, fmt.Sprint(exact.Foreground()), printed(t, output, "foreground"))
		assert.Equal(t, fmt.Sprint(exact.Ignored()), printed(t, output, "ignored"))
		sameBits(t, loss, readBack[T](t, "old-loss.npy", n, c))
		sameBits(t, grad, readBack[T](t, "g.npy", n, c))
		sameBits(t, hess, readBack[T](t, "h.npy", n, c))
	}
}

// What can be said of a loss beside labels and targets: the bits of the package's functions.
func TestEvalOptions(t *testing.T) {
	const n, c = 301, 7
	x, label := measure.Logits[float32](n*c), measure.Labels(n, c, 0.5, 0.2)
	little := binary.LittleEndian
	weights, rowWeights, scores := make([]float32, n*c), make([]float32, n), make([]float32, n)
	targets, hard := make([]float32, n*c), make([]uint8, n*c)
	for i := range weights {
		weights[i] = float32(i%5) / 3
		targets[i] = []float32{0, 1, 0.25, -100, float32(math.NaN())}[i%5]
		hard[i] = uint8(i % 3 / 2)
	}
	for i := range rowWeights {
		rowWeights[i], scores[i] = float32(i%7)/2, float32(i%9)/8
		if label[i] <= 0 {
			scores[i] = float32(math.NaN()) // not looked at
		}
	}
	neg, pos := []float32{1, 2, 3, 4, 5, 6, 7}, []float32{7, 6, 5, 4, 3, 2, 0}
	wide := make([]float64, n)
	for i, v := range rowWeights {
		wide[i] = float64(v) * (1 + 1e-12) // is rounded away
	}
	hardTargets := make([]float32, n*c)
	for i, v := range hard {
		hardTargets[i] = float32(v)
	}
	inDirectory(t, map[string][]byte{
		"x.npy":      npyFile(t, "<f4", "(301, 7)", false, little, x),
		"l.npy":      npyFile(t, "<i4", "(301,)", false, little, label),
		"t.npy":      npyFile(t, "<f4", "(301, 7)", false, little, targets),
		"hard.npy":   npyFile(t, "|u1", "(301, 7)", false, little, hard),
		"w.npy":      npyFile(t, ">f4", "(301, 7)", false, binary.BigEndian, weights),
		"rows.npy":   npyFile(t, "<f8", "(301, 1)", false, little, wide),
		"scores.npy": npyFile(t, "<f4", "(301,)", false, little, scores),
		"neg.npy":    npyFile(t, "<f4", "(7,)", false, little, neg),
		"both.npy":   npyFile(t, "<f4", "(2, 7)", false, little, append(slices.Clone(neg), pos...)),
	})
	p := focal.Params{Gamma: 2, Alpha: 0.25, Norm: 3}
	with := func(change func(p *focal.Params)) focal.Params { q := p; change(&q); return q }
	four := 4.0
	y := focal.Labels(label)
	for args, test := range map[string]struct {
		y focal.Target
		p focal.Params
	}{
		"-label l.npy -weights w.npy":          {focal.WeighElements(y, weights), p},
		"-label l.npy -row-weights rows.npy":   {focal.WeighRows(y, rowWeights), p},
		"-label l.npy -class-weights neg.npy":  {focal.WeighClasses(y, neg, neg), p},
		"-label l.npy -class-weights both.npy": {focal.WeighClasses(y, neg, pos), p},
		"-label l.npy -scores scores.npy":      {focal.Scored(y, scores, focal.Varifocal), p},
		"-label l.npy -scores scores.npy -quality aligned -weights w.npy -row-weights rows.npy -class-weights both.npy": {
			focal.WeighElements(focal.WeighRows(focal.WeighClasses(focal.Scored(y, scores, focal.Aligned), neg, pos), rowWeights), weights), p},
		"-label l.npy -scores scores.npy -quality quality-focal -gamma 1.5": {focal.Scored(y, scores, focal.QualityFocal), with(func(p *focal.Params) { p.Gamma = 1.5 })},
		"-label l.npy -gamma 1 -gamma-neg 4":                                {y, with(func(p *focal.Params) { p.Gamma, p.NegGamma = 1, &four })},
		"-label l.npy -frozen":                                              {y, with(func(p *focal.Params) { p.Frozen = true })},
		"-targets t.npy -ignore -100 -ignore nan":                           {focal.Dense(targets).Ignoring(-100).IgnoringNaN(), p},
		"-targets hard.npy -gamma-neg 4 -weights w.npy":                     {focal.WeighElements(focal.Dense(hardTargets), weights), with(func(p *focal.Params) { p.NegGamma = &four })},
		"-targets hard.npy -row-weights rows.npy":                           {focal.WeighRows(focal.Dense(hardTargets), rowWeights), p},
	} {
		var want [4][]float32
		for i := range want {
			want[i] = make([]float32, n*c)
		}
		_, err := focal.Fused(focal.Out[float32]{Loss: want[0], Grad: want[1], Hess: want[2], Curv: want[3]}, x, test.y, test.p)
		require.NoError(t, err, args)
		exact, err := focal.Score(x, test.y, test.p)
		require.NoError(t, err)
		output := succeed(t, append(strings.Fields("eval -x x.npy -norm 3 -loss 0.npy -grad 1.npy -hess 2.npy -curv 3.npy"), strings.Fields(args)...)...)
		assert.Equal(t, fmt.Sprint(exact.Loss(1)), printed(t, output, "sum"), args)
		assert.Equal(t, fmt.Sprint(exact.Foreground()), printed(t, output, "foreground"))
		assert.Equal(t, fmt.Sprint(exact.Ignored()), printed(t, output, "ignored"))
		for i := range want {
			sameBits(t, want[i], readBack[float32](t, fmt.Sprint(i, ".npy"), n, c))
		}
		if strings.Contains(args, "rows.npy") {
			assert.Equal(t, "rows.npy, float64 (301, 1), rounded to float32", printed(t, output, "row_weights"))
		}
		auto := succeed(t, append(strings.Fields("eval -x x.npy"), strings.Fields(args)...)...)
		assert.Equal(t, fmt.Sprint(max(1, exact.Foreground())), printed(t, auto, "norm"), args)
		assert.Equal(t, fmt.Sprint(exact.Loss(max(1, float64(exact.Foreground())))), printed(t, auto, "loss"), args)

		if !test.p.Frozen { // the losses are the same
			score := succeed(t, append([]string{"score", "shard.npy"}, asShard(t, "shard", "x.npy", strings.Fields(args))...)...)
			assert.Equal(t, fmt.Sprint(exact.Loss(1)), printed(t, score, "sum"), args)
			assert.Equal(t, fmt.Sprint(exact.Foreground()), printed(t, score, "foreground"))
			assert.Equal(t, fmt.Sprint(exact.Ignored()), printed(t, score, "ignored"))
		}
	}
	output := succeed(t, strings.Fields("eval -x x.npy -label l.npy -gamma-neg 4 -weights w.npy -class-weights neg.npy")...)
	assert.Equal(t, "4", printed(t, output, "gamma_neg"))
	assert.Equal(t, "elements, classes", printed(t, output, "weighed"))

	weights[10], rowWeights[3], neg[2] = -1, float32(math.Inf(1)), float32(math.NaN())
	scored := slices.IndexFunc(label, func(v int32) bool { return v > 0 })
	scores[scored] = 2
	for name, data := range map[string][]byte{
		"w.npy":      npyFile(t, "<f4", "(301, 7)", false, little, weights),
		"rows.npy":   npyFile(t, "<f4", "(301,)", false, little, rowWeights),
		"scores.npy": npyFile(t, "<f4", "(301,)", false, little, scores),
		"neg.npy":    npyFile(t, "<f4", "(7,)", false, little, neg),
		"six.npy":    npyFile(t, "<f4", "(6,)", false, little, pos[:6]),
		"three.npy":  npyFile(t, "<f4", "(3, 2)", false, little, pos[:6]),
		"huge.npy":   npyFile(t, "<f4", "(7,)", false, little, []float32{1e30, 1, 1, 1, 1, 1, 1}),
	} {
		require.NoError(t, os.WriteFile(name, data, 0o666))
	}
	for args, want := range map[string]string{
		"-label l.npy -weights w.npy":                          "w.npy: weight [1, 3] is -1, want it finite and ≥ 0: invalid target",
		"-label l.npy -row-weights rows.npy":                   "rows.npy: weight [3] is +Inf, want it finite and ≥ 0: invalid target",
		"-label l.npy -class-weights neg.npy":                  "neg.npy: weight [2] is NaN, want it finite and ≥ 0: invalid target",
		"-label l.npy -scores scores.npy":                      fmt.Sprintf("scores.npy: score [%d] is 2, want it in [0, 1], as the row has a class: invalid target", scored),
		"-label l.npy -class-weights six.npy":                  "six.npy: has weights of 6 classes, want 7, one for each column of x.npy",
		"-label l.npy -class-weights three.npy":                "three.npy: has the shape (3, 2), want (C,), a weight for each class, or (2, C), those of negatives and of positives",
		"-label l.npy -class-weights huge.npy":                 "x.npy: in the rows from 0 on: focal: Score: WeighClasses: neg[0] = 1e+30, want it and its product with the other weights, up to 0.75, to be 2^30 or less: invalid target",
		"-label l.npy -row-weights w.npy":                      "w.npy: has the shape (301, 7), want (301,) or (301, 1), one for each row of x.npy",
		"-label l.npy -weights scores.npy":                     "scores.npy: has the shape (301,), want (301, 7), that of x.npy",
		"-targets t.npy -gamma-neg 4 -ignore -100 -ignore nan": "x.npy: in the rows from 0 on: focal: Score: t[2] = 0.25 is soft and NegGamma differs from Gamma, want a target of 0 or 1, or NegGamma nil: invalid target",
		"-targets t.npy -ignore nan":                           "t.npy: target [0, 3] is -100, want it in [0, 1]: invalid target",
	} {
		status, _, stderr := focalCommand(append(strings.Fields("eval -x x.npy -grad g.npy"), strings.Fields(args)...)...)
		assert.Equal(t, 1, status, args)
		assert.Equal(t, "focal eval: "+want+"\n", stderr, args)
		assert.NoFileExists(t, "g.npy")
	}
}

// asShard makes a shard of the files that the flags of "focal eval" name, and returns the flags of "focal score" for it.
func asShard(t *testing.T, name, x string, flags []string) (rest []string) {
	t.Helper()
	old, err := filepath.Glob(name + ".*")
	require.NoError(t, err)
	for _, file := range old {
		require.NoError(t, os.Remove(file))
	}
	require.NoError(t, os.Link(x, name+".npy"))
	for i := 0; i < len(flags); i += 2 {
		flag, value := flags[i], flags[i+1]
		switch flag {
		case "-label", "-targets":
		case "-weights", "-row-weights", "-scores":
			rest = append(rest, flag)
		default:
			rest = append(rest, flag, value)
			continue
		}
		require.NoError(t, os.Link(value, name+"."+flag[1:]+".npy"))
	}
	return rest
}

// Rows that are ignored are not foreground, whatever their label is.
func TestEvalIgnoresAClass(t *testing.T) {
	x := measure.Logits[float32](12)
	label := []int32{2, 0, 2, 3}
	inDirectory(t, map[string][]byte{
		"x.npy": npyFile(t, "<f4", "(4, 3)", false, binary.LittleEndian, x),
		"l.npy": npyFile(t, "<i4", "(4,)", false, binary.LittleEndian, label),
	})
	output := succeed(t, "eval", "-x", "x.npy", "-label", "l.npy", "-ignore", "2")
	sum, err := focal.Score(x, focal.Labels(label).Ignoring(2), focal.Default())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(sum.Loss(1)), printed(t, output, "sum"))
	assert.Equal(t, "1", printed(t, output, "foreground"))
	assert.Equal(t, "2", printed(t, output, "ignored"))
	assert.Equal(t, "1", printed(t, output, "norm"))
}

func evalSum(t *testing.T, output string) float64 {
	t.Helper()
	var sum float64
	_, err := fmt.Sscan(printed(t, output, "sum"), &sum)
	require.NoError(t, err)
	return sum
}

func sameBits[T focal.Float](t *testing.T, want, got []T) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if w, g := float64(want[i]), float64(got[i]); math.Float64bits(w) != math.Float64bits(g) && !(w != w && g != g) {
			t.Fatalf("element %d: %v, want %v", i, g, w)
		}
	}
}

// Rows that do not fit together are computed in parts; nobody sees where they meet.
func TestEvalParts(t *testing.T) {
	const n, c = 20_001, 130 // two parts, and a bit
	x := measure.Logits[float32](n * c)
	label := measure.Labels(n, c, 0.3, 0.1)
	inDirectory(t, map[string][]byte{
		"x.npy":       npyFile(t, "<f4", "(20001, 130)", false, binary.LittleEndian, x),
		"x.label.npy": npyFile(t, "<i8", "(20001,)", false, binary.LittleEndian, wide(label)),
	})
	p := focal.Params{Gamma: 2, Alpha: 0.25, Norm: float64(focal.FgNum(label)), Workers: -1}
	loss := make([]float32, n*c)
	_, err := focal.Fused(focal.Out[float32]{Loss: loss}, x, focal.Labels(label), p)
	require.NoError(t, err)
	exact, err := focal.Score(x, focal.Labels(label), p)
	require.NoError(t, err)
	output := succeed(t, "eval", "-x", "x.npy", "-label", "x.label.npy", "-loss", "loss.npy")
	sameBits(t, loss, readBack[float32](t, "loss.npy", n, c))
	assert.Equal(t, fmt.Sprint(exact.Loss(1)), printed(t, output, "sum"))
	assert.Equal(t, fmt.Sprint(exact.Foreground()), printed(t, output, "foreground"))
}

// The words of eval, score and merge mean the same: for the same array and flags the figures are the same text.
func TestOneMeaning(t *testing.T) {
	const n, c = 50, 4
	x := measure.Logits[float32](n * c)
	label := measure.Labels(n, c, 0.5, 0.2)
	soft := make([]float32, n*c)
	for i := range soft {
		soft[i] = float32(i%5) / 4
	}
	little := binary.LittleEndian
	inDirectory(t, map[string][]byte{
		"l.npy":         npyFile(t, "<f4", "(50, 4)", false, little, x),
		"l.label.npy":   npyFile(t, "<i4", "(50,)", false, little, label),
		"t.npy":         npyFile(t, "<f4", "(50, 4)", false, little, x),
		"t.targets.npy": npyFile(t, "<f4", "(50, 4)", false, little, soft),
	})
	for _, kind := range []string{"label", "targets"} {
		for _, flags := range []string{"", "-norm 7", "-gamma 1.5 -alpha -1 -norm 0", "-zero-based -ignore -1"} {
			if kind == "targets" && strings.Contains(flags, "zero") {
				continue
			}
			name := kind[:1]
			eval := succeed(t, strings.Fields(fmt.Sprintf("eval -x %s.npy -%s %[1]s.%[2]s.npy %s", name, kind, flags))...)
			score := succeed(t, strings.Fields(fmt.Sprintf("score %s.npy -o part %s", name, flags))...)
			merge := []string{"merge", "part"}
			if norm := regexp.MustCompile(`-norm \d`).FindString(flags); norm != "" {
				merge = append(merge, strings.Fields(norm)...)
			}
			assert.Equal(t, score, succeed(t, merge...))
			for _, word := range []string{"loss", "sum", "mean", "norm", "foreground", "ignored", "rows", "elements", "infinite", "nan", "gamma", "alpha"} {
				assert.Equal(t, printed(t, score, word), printed(t, eval, word), "%s: %s", word, flags)
			}
			value := func(word string) float64 {
				v, err := strconv.ParseFloat(printed(t, eval, word), 64)
				require.NoError(t, err)
				return v
			}
			assert.InEpsilon(t, value("sum"), value("loss")*value("norm"), 1e-15)
			assert.InEpsilon(t, value("sum"), value("mean")*n*c, 1e-15)
		}
	}
}

// Losses that are not finite are counted, and the first of them is found. Of ignored rows there are none.
func TestEvalNotFinite(t *testing.T) {
	const n, c = 4000, 600 // three parts
	x, label := make([]float32, n*c), make([]int32, n)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x[300*c+7], x[3999*c+599], x[2*c], x[3*c+5], label[2] = nan, nan, nan, -inf, -1
	x[3500*c+1], x[3600*c], label[3600] = inf, -inf, 1
	inDirectory(t, map[string][]byte{
		"x.npy": npyFile(t, "<f4", "(4000, 600)", false, binary.LittleEndian, x),
		"l.npy": npyFile(t, "<i4", "(4000,)", false, binary.LittleEndian, label),
		"f.npy": npyFile(t, "<f8", "(1, 1)", false, binary.LittleEndian, []float64{1}),
		"1.npy": npyFile(t, "<i4", "(1,)", false, binary.LittleEndian, []int32{1}),
	})
	for _, more := range []string{"", "-loss", "-grad"} {
		args := []string{"eval", "-x", "x.npy", "-label", "l.npy"}
		if more != "" {
			args = append(args, more, "out.npy")
		}
		output := succeed(t, args...)
		assert.Equal(t, "NaN", printed(t, output, "sum"))
		assert.Equal(t, "2", printed(t, output, "nan"))
		assert.Equal(t, "2", printed(t, output, "infinite"))
		assert.Equal(t, "[300, 7]", printed(t, output, "first_nan"))
		assert.Equal(t, "[3500, 1]", printed(t, output, "first_inf"))
	}
	assert.NotContains(t, succeed(t, "eval", "-x", "f.npy", "-label", "1.npy"), "first_")
}

// What is not of the type of the logits is said to be converted.
func TestEvalTypes(t *testing.T) {
	little := binary.LittleEndian
	inDirectory(t, map[string][]byte{
		"x16.npy": npyFile(t, "<f2", "(3,)", false, little, []uint16{0x3c00, 0xc000, 0x3800}), // 1, -2, 0.5
		"x32.npy": npyFile(t, "<f4", "(3,)", false, little, []float32{1, -2, 0.5}),
		"x.npy":   npyFile(t, "<V2", "(3, 1)", false, little, []uint16{0x3f80, 0xc000, 0x3f00}),
		"l.npy":   npyFile(t, "|b1", "(3,)", false, little, []byte{1, 0, 1}),
		"t64.npy": npyFile(t, "<f8", "(3, 1)", false, little, []float64{0.1, 0.2, 0}),
	})
	want := succeed(t, "eval", "-x", "x32.npy", "-label", "l.npy", "-loss", "32.npy")
	for x, line := range map[string]string{"x16.npy": "x16.npy, float16 (3,), computed in float32", "x.npy": "x.npy, bfloat16 (3, 1), computed in float32"} {
		got := succeed(t, "eval", "-x", x, "-label", "l.npy", "-loss", "16.npy")
		assert.Equal(t, line, printed(t, got, "logits"))
		assert.Equal(t, "l.npy, bool (3,)", printed(t, got, "labels"))
		assert.Equal(t, printed(t, want, "sum"), printed(t, got, "sum"))
		if x == "x16.npy" { // the shape is that of the logits
			assert.Equal(t, readFile(t, "32.npy"), readFile(t, "16.npy"))
		}
	}
	got := succeed(t, "eval", "-x", "x32.npy", "-targets", "t64.npy")
	assert.Equal(t, "t64.npy, float64 (3, 1), rounded to float32", printed(t, got, "targets"))
}

func TestEvalEmpty(t *testing.T) {
	inDirectory(t, map[string][]byte{
		"x.npy": npyFile(t, "<f4", "(0, 5)", false, binary.LittleEndian, []float32{}),
		"l.npy": npyFile(t, "<i4", "(0,)", false, binary.LittleEndian, []int32{}),
	})
	output := succeed(t, "eval", "-x", "x.npy", "-label", "l.npy", "-loss", "loss.npy")
	assert.Equal(t, "0", printed(t, output, "sum"))
	assert.Empty(t, readBack[float32](t, "loss.npy", 0, 5))
}

// Wrong files give one line, status 1, and no output file; what an output replaces stays.
func TestEvalErrors(t *testing.T) {
	little := binary.LittleEndian
	x := make([]float32, 6)
	files := map[string][]byte{
		"x.npy":         npyFile(t, "<f4", "(3, 2)", false, little, x),
		"x64.npy":       npyFile(t, "<f8", "(3, 2)", false, little, make([]float64, 6)),
		"l.npy":         npyFile(t, "<i4", "(3,)", false, little, []int32{0, 1, 2}),
		"complex.npy":   npyFile(t, "<c8", "(3, 2)", false, little, make([]uint64, 6)),
		"x.npz":         []byte("PK\x03\x04 and so on, for some time"),
		"fortran.npy":   npyFile(t, "<f4", "(3, 2)", true, little, x),
		"vector.npy":    npyFile(t, "<f4", "(6,)", false, little, x),
		"scalar.npy":    npyFile(t, "<f4", "()", false, little, x[:1]),
		"cube.npy":      npyFile(t, "<f4", "(3, 2, 1)", false, little, x),
		"short.npy":     npyFile(t, "<f4", "(3, 2)", false, little, x[:5]),
		"long.npy":      npyFile(t, "<f4", "(3, 1)", false, little, x),
		"huge.npy":      npyFile(t, "<f4", "(4000000000000, 1000)", false, little, x),
		"overflow.npy":  npyFile(t, "<f4", "(4611686018427387904, 4611686018427387904)", false, little, x),
		"negative.npy":  npyFile(t, "<f4", "(-3, -2)", false, little, x),
		"columns.npy":   npyFile(t, "<f4", "(3, 0)", false, little, []float32{}),
		"labels4.npy":   npyFile(t, "<i4", "(4,)", false, little, []int32{0, 0, 0, 0}),
		"labels32.npy":  npyFile(t, "<i4", "(3, 2)", false, little, make([]int32, 6)),
		"labelsf.npy":   npyFile(t, "<f4", "(3,)", false, little, make([]float32, 3)),
		"label-big.npy": npyFile(t, "<i4", "(3,)", false, little, []int32{0, 3, 0}),
		"label-min.npy": npyFile(t, "<i8", "(3,)", false, little, []int64{0, 0, -2}),
		"label-64.npy":  npyFile(t, "<i8", "(3,)", false, little, []int64{0, 1 << 32, 0}),
		"t.npy":         npyFile(t, "<f4", "(3, 2)", false, little, []float32{0, 1, 0.5, 0, 1.5, 0}),
		"t-nan.npy":     npyFile(t, "<f4", "(3, 2)", false, little, []float32{0, float32(math.NaN()), 0, 0, 0, 0}),
		"t-shape.npy":   npyFile(t, "<f4", "(2, 3)", false, little, x),
		"text.npy":      []byte("not an array, but long enough to be taken for one by the careless"),
		"empty.npy":     {},
		"magic.npy":     []byte("\x93NUMPY"),
		"length.npy":    append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), make([]byte, 100)...),
		"version.npy":   append([]byte("\x93NUMPY\x09\x00\x40\x00"), make([]byte, 100)...),
		"cut.npy":       npyFile(t, "<f4", "(3, 2)", false, little, x)[:40],
		"zeros.npy":     append([]byte("\x93NUMPY\x01\x00\x40\x00"), make([]byte, 100)...),
		"old.npy":       []byte("of before"),
	}
	inDirectory(t, files)
	require.NoError(t, os.Mkdir("directory", 0o777))
	before := names(t)
	malformed := "is no NumPy array (.npy), or has a malformed header"
	for _, test := range []struct{ args, want string }{
		{"-x none.npy -label l.npy", "open none.npy: no such file or directory"},
		{"-x directory -label l.npy", "directory: is a directory"},
		{"-x x.npy -label directory", "directory: is a directory"},
		{"-x complex.npy -label l.npy", `complex.npy: has elements of type "<c8", want float16, bfloat16, float32 or float64; a.astype(numpy.float32) makes them so`},
		{"-x l.npy -label l.npy", `l.npy: has elements of type "<i4", want float16, bfloat16, float32 or float64`},
		{"-x x.npy -label labelsf.npy", `labelsf.npy: has elements of type "<f4", want integers or bool; a.astype(numpy.int32)`},
		{"-x x.npy -targets complex.npy", `complex.npy: has elements of type "<c8", want floats, integers or bool`},
		{"-x x.npz -label l.npy", "x.npz: is a zip archive, such as .npz"},
		{"-x fortran.npy -label l.npy", "fortran.npy: is in Fortran order, want row-major; numpy.ascontiguousarray(a) makes it so"},
		{"-x vector.npy -label l.npy", "l.npy: has 3 labels, want 6, one for each row of vector.npy"},
		{"-x scalar.npy -label l.npy", "scalar.npy: has the shape (), want (N, C), or (N,) for one class"},
		{"-x cube.npy -label l.npy", "cube.npy: has the shape (3, 2, 1), want (N, C); if the classes are its last axis, x.reshape(-1, 1) makes it so"},
		{"-x short.npy -label l.npy", fmt.Sprintf("short.npy: has %d bytes, want %d for <f4 of shape (3, 2): truncated, or no plain array", len(files["short.npy"]), len(files["x.npy"]))},
		{"-x long.npy -label l.npy", fmt.Sprintf("long.npy: has %d bytes, want %d for <f4 of shape (3, 1): truncated, or no plain array", len(files["long.npy"]), len(files["long.npy"])-12)},
		{"-x huge.npy -label l.npy", fmt.Sprintf("huge.npy: has %d bytes, want %d for <f4 of shape (4000000000000, 1000): truncated, or no plain array", len(files["huge.npy"]), int64(len(files["huge.npy"])-24)+16e15)},
		{"-x overflow.npy -label l.npy", "overflow.npy: claims the shape (4611686018427387904, 4611686018427387904), which no file can hold"},
		{"-x negative.npy -label l.npy", "negative.npy: claims the shape (-3, -2), which no file can hold"},
		{"-x columns.npy -label l.npy", "columns.npy: has no columns"},
		{"-x text.npy -label l.npy", "text.npy: " + malformed},
		{"-x empty.npy -label l.npy", "empty.npy: " + malformed},
		{"-x magic.npy -label l.npy", "magic.npy: " + malformed},
		{"-x zeros.npy -label l.npy", "zeros.npy: " + malformed},
		{"-x length.npy -label l.npy", "length.npy: claims a header of 4294967295 bytes, want at most 65536"},
		{"-x version.npy -label l.npy", "version.npy: has a header that cannot be read: npy: invalid major version number (9)"},
		{"-x cut.npy -label l.npy", "cut.npy: " + malformed},
		{"-x x.npy -label labels4.npy", "labels4.npy: has 4 labels, want 3, one for each row of x.npy"},
		{"-x x.npy -label labels32.npy", "labels32.npy: has the shape (3, 2), that of x.npy, and so they are targets"},
		{"-x x.npy -label label-big.npy", "label-big.npy: label[1] = 3, want 0..C with C = 2, or -1 if ignored"},
		{"-x x.npy -label label-big.npy -norm 1", "label-big.npy: label[1] = 3, want 0..C with C = 2, or -1 if ignored"},
		{"-x x.npy -label label-min.npy", "label-min.npy: label[2] = -2, want 0..C with C = 2, or -1 if ignored"},
		{"-x x.npy -label label-64.npy", "label-64.npy: label[1] = 4294967296, want 0..C with C = 2, or -1 if ignored"},
		{"-x x.npy -targets t.npy", "t.npy: target [2, 0] is 1.5, want it in [0, 1]"},
		{"-x x.npy -targets t-nan.npy -norm 1", "t-nan.npy: target [0, 1] is NaN, want it in [0, 1]"},
		{"-x x.npy -targets t-shape.npy", "t-shape.npy: has the shape (2, 3), want (3, 2), that of x.npy"},
		{"-x x.npy -label l.npy -norm 1e-30", "-norm 1e-30 is too small for logits of float32"},
		{"-x x.npy -label l.npy -hess none/h.npy", "none/h.npy: cannot be written: no such file or directory\n"},
		{"-x x.npy -label l.npy -hess directory", "directory: cannot be written: it is a directory"},
	} {
		if strconv.IntSize == 32 && regexp.MustCompile(`huge|overflow`).MatchString(test.want) {
			test.want = test.want[:strings.Index(test.want, ":")] + ": has a header that cannot be read: strconv.Atoi"
		}
		args := append([]string{"eval", "-loss", "old.npy", "-grad", "new.npy"}, strings.Fields(test.args)...)
		status, stdout, stderr := focalCommand(args...)
		assert.Equal(t, 1, status, test.args)
		assert.Empty(t, stdout)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		assert.True(t, strings.HasPrefix(stderr, "focal eval: "+test.want), "%s\n%s", stderr, test.want)
		assert.Equal(t, before, names(t), test.args)
	}
	data, err := os.ReadFile("old.npy")
	require.NoError(t, err)
	assert.Equal(t, "of before", string(data))
}

// A pipe can be read once, and has no length to check beforehand.
func TestEvalPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no /dev/stdin")
	}
	x := measure.Logits[float32](60)
	file := npyFile(t, "<f4", "(6, 10)", false, binary.LittleEndian, x)
	label := []int32{1, 2, 3, 0, 0, -1}
	inDirectory(t, map[string][]byte{"l.npy": npyFile(t, "<i4", "(6,)", false, binary.LittleEndian, label)})
	feed := func(data []byte, args ...string) (string, error) {
		cmd := process(append([]string{"eval", "-x", "/dev/stdin"}, args...)...)
		r, w := io.Pipe()
		cmd.Stdin = r
		go func() {
			for len(data) > 0 { // odd portions
				n := min(len(data), 7)
				w.Write(data[:n])
				data = data[n:]
			}
			w.Close()
		}()
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	output, err := feed(file, "-label", "l.npy")
	require.NoError(t, err, output)
	sum, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(sum.Loss(1)), printed(t, output, "sum"))
	assert.Equal(t, fmt.Sprint(sum.Loss(3)), printed(t, output, "loss"))

	output, err = feed(file[:len(file)-1], "-label", "l.npy", "-loss", "loss.npy")
	assert.Error(t, err)
	assert.Equal(t, "focal eval: /dev/stdin: ends before its last element\n", output)
	output, err = feed(append(file, 0), "-label", "l.npy", "-loss", "loss.npy")
	assert.Error(t, err)
	assert.Equal(t, "focal eval: /dev/stdin: goes on after its last element\n", output)
	assert.Equal(t, []string{"l.npy"}, names(t))
}

// What the header of a pipe claims is not believed: no panic, and no memory for it.
func TestEvalPipeHeaders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no /dev/stdin")
	}
	const huge = math.MaxInt / 16
	little := binary.LittleEndian
	inDirectory(t, map[string][]byte{
		"none.npy": npyFile(t, "<i4", "(0,)", false, little, []int32{}),
		"one.npy":  npyFile(t, "<i4", "(1,)", false, little, []int32{0}),
		"t0.npy":   npyFile(t, "<f4", fmt.Sprintf("(0, %d)", huge), false, little, []float32{}),
		"t.npy":    npyFile(t, "<f4", fmt.Sprintf("(%d, 0)", huge), false, little, []float32{}),
	})
	before := names(t)
	for _, test := range []struct {
		rows, columns int
		args, want    string
	}{
		{1, huge, "-label one.npy", fmt.Sprintf("has %d columns, want at most 16777216", huge)},
		{0, huge, "-label none.npy", fmt.Sprintf("has %d columns, want at most 16777216", huge)},
		{0, huge, "-targets t0.npy", fmt.Sprintf("has %d columns, want at most 16777216", huge)},
		{huge, 0, "-targets t.npy", "has no columns"},
		{1, 16 << 20, "-label one.npy", "ends before its last element"},
	} {
		cmd := process(append([]string{"eval", "-x", "/dev/stdin", "-loss", "loss.npy"}, strings.Fields(test.args)...)...)
		file := npyFile(t, "<f4", fmt.Sprintf("(%d, %d)", test.rows, test.columns), false, little, []float32{})
		cmd.Stdin = bytes.NewReader(file) // through a pipe
		out, err := cmd.CombinedOutput()
		assert.Error(t, err)
		assert.Equal(t, "focal eval: /dev/stdin: "+test.want+"\n", string(out))
		assert.Equal(t, before, names(t))
	}
}

// Ctrl-C in the middle leaves nothing behind, and what was there as it was.
func TestEvalInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("cannot send signals")
	}
	label := make([]int32, 1000)
	inDirectory(t, map[string][]byte{
		"l.npy":   npyFile(t, "<i4", "(1000,)", false, binary.LittleEndian, label),
		"old.npy": []byte("of before"),
	})
	x := npyFile(t, "<f4", "(1000, 50)", false, binary.LittleEndian, make([]float32, 50_000))
	cmd := process("eval", "-x", "/dev/stdin", "-label", "l.npy", "-loss", "old.npy", "-grad", "new.npy")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = stdin.Write(x[:len(x)/2]) // and no more: it waits
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(names(t)) == 4 }, 20*time.Second, 5*time.Millisecond, "both outputs have been begun")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, exitInterrupted, exit.ExitCode())
	assert.Equal(t, "focal eval: interrupted\n", stderr.String())
	assert.Equal(t, []string{"l.npy", "old.npy"}, names(t))
	data, err := os.ReadFile("old.npy")
	require.NoError(t, err)
	assert.Equal(t, "of before", string(data))
}

// Two gigabytes take no more memory than a part of them.
func TestEvalMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	if runtime.GOOS != "linux" {
		t.Skip("measures memory as Linux does")
	}
	const n, c = 1 << 18, 512 // half a gigabyte
	header := npyFile(t, "<f4", fmt.Sprintf("(%d, %d)", n, c), false, binary.LittleEndian, []float32{})
	inDirectory(t, map[string][]byte{
		"x.npy": header,
		"l.npy": npyFile(t, "<i8", fmt.Sprintf("(%d,)", n), false, binary.LittleEndian, make([]int64, n)),
	})
	require.NoError(t, os.Truncate("x.npy", int64(len(header))+4*n*c)) // zeros that take no room
	cmd := process("eval", "-x", "x.npy", "-label", "l.npy", "-norm", "1")
	cmd.Env = append(cmd.Env, "FOCAL_TEST_PEAK=status")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	// Each of the logits is 0: 0.75 · 0.25 · ln 2.
	assert.InEpsilon(t, n*c*0.75*0.25*math.Ln2, evalSum(t, string(out)), 1e-6)
	status, err := os.ReadFile("status")
	require.NoError(t, err)
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, m)
	peak, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	t.Logf("%d MiB at most", peak>>10)
	assert.Less(t, peak, 128<<10)
}

// numpy returns a Python that has NumPy, or skips.
func numpy(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import numpy").Run() == nil {
			return python
		}
	}
	if os.Getenv("FOCAL_REQUIRE_NUMPY") != "" {
		t.Fatal("no Python with NumPy")
	}
	t.Skip("no Python with NumPy")
	return ""
}

// Arrays of NumPy go in, and what comes out NumPy reads: same shapes, same types, and its own formula gives the same.
func TestEvalNumPy(t *testing.T) {
	python := numpy(t)
	inDirectory(t, map[string][]byte{"make.py": []byte(`
import numpy as np
rng = np.random.default_rng(1)
for t in (np.float32, np.float64):
    x = (4 * rng.normal(size=(200, 30)) - 3).astype(t)
    np.save(f"x-{np.dtype(t).name}.npy", x)
    np.save(f"fortran-{np.dtype(t).name}.npy", np.asfortranarray(x))
    np.save(f"big-{np.dtype(t).name}.npy", x.astype(np.dtype(t).newbyteorder(">")))
    np.save(f"t-{np.dtype(t).name}.npy", rng.random(size=(200, 30)).astype(t))
label = rng.integers(-1, 31, size=200)
for t in (np.int8, np.int16, np.int32, np.int64):
    np.save(f"l-{np.dtype(t).name}.npy", label.astype(t))
np.save("x-float16.npy", (4 * rng.normal(size=(200, 30)) - 3).astype(np.float16))
np.save("t-float16.npy", rng.random(size=(200, 30)).astype(np.float16))
np.save("t-bool.npy", rng.random(size=(200, 30)) < 0.1)
for t in (np.int32, np.int64):
    np.save(f"column-{np.dtype(t).name}.npy", label.astype(t).reshape(-1, 1))
`), "check.py": []byte(`
import sys, numpy as np
for line in sys.stdin:
    names, (total, mean) = line.split()[:4], map(float, line.split()[4:])
    x, y, loss, grad = map(np.load, names)
    assert loss.shape == grad.shape == x.shape and loss.dtype == grad.dtype == max(x.dtype, np.dtype(np.float32)).newbyteorder("="), (loss.dtype, grad.dtype)
    assert loss.flags.c_contiguous
    if y.dtype.kind == "i":
        y = y.reshape(-1)
        t = (y[:, None] == np.arange(1, x.shape[1] + 1)).astype(np.float64)
        norm, keep = max((y >= 1).sum(), 1), y[:, None] != -1
    else:
        t, norm, keep = y.astype(np.float64), max((y > 0).sum(), 1), True
    def focal(x):
        p = 1 / (1 + np.exp(-x))
        bce = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        return keep * (0.25 * t + 0.75 * (1 - t)) * (p * (1 - t) + (1 - p) * t) ** 2 * bce / norm
    x = x.astype(np.float64)
    eps = 1e-6 if loss.dtype == np.float32 else 1e-12
    want = focal(x)
    np.testing.assert_allclose(loss, want, rtol=eps, atol=1e-300, err_msg=line)
    np.testing.assert_allclose(grad, (focal(x + 1e-5) - focal(x - 1e-5)) / 2e-5, rtol=1e-4, atol=1e-11, err_msg=line)
    np.testing.assert_allclose(total, want.sum(), rtol=eps, err_msg=line)
    np.testing.assert_allclose(mean, (norm * want).mean(), rtol=eps, err_msg=line)
`)})
	out, err := exec.Command(python, "make.py").CombinedOutput()
	require.NoError(t, err, string(out))
	var cases strings.Builder
	for _, typ := range []string{"float16", "float32", "float64"} {
		logits := []string{"x-" + typ, "big-" + typ}
		if typ == "float16" {
			logits = logits[:1]
		}
		for _, x := range logits {
			for _, y := range []string{"l-int8", "l-int16", "l-int32", "l-int64", "column-int32", "column-int64", "t-" + typ, "t-float16", "t-bool"} {
				flag := "-label"
				if y[0] == 't' {
					flag = "-targets"
				}
				loss, grad := fmt.Sprintf("loss-%s-%s.npy", x, y), fmt.Sprintf("grad-%s-%s.npy", x, y)
				output := succeed(t, "eval", "-x", x+".npy", flag, y+".npy", "-loss", loss, "-grad", grad)
				fmt.Fprintf(&cases, "%s.npy %s.npy %s %s %s %s\n", x, y, loss, grad, printed(t, output, "loss"), printed(t, output, "mean"))
			}
		}
	}
	status, _, stderr := focalCommand("eval", "-x", "fortran-float32.npy", "-label", "l-int32.npy")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "Fortran order")
	check := exec.Command(python, "check.py")
	check.Stdin = strings.NewReader(cases.String())
	out, err = check.CombinedOutput()
	require.NoError(t, err, string(out))
}
