package focal

import (
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every text of an error, word for word: users read them, and nothing else says what is wrong. An error that is in the source
// and not here fails the test.
func TestErrorTexts(t *testing.T) {
	x, label, p := make([]float32, 6), []int32{0, 1, 2}, Default()
	sum := func(x []float32, y Target, p Params) error { _, err := Sum(x, y, p); return err }
	rows := func(n int, y Target) error { return Rows(make([]float32, n), x, y, p) }
	score := func(gamma, alpha float64) Partial {
		part, err := Score(x, Labels(label), Params{Gamma: gamma, Alpha: alpha})
		require.NoError(t, err)
		return part
	}
	merge := func(a, b Partial) error { return a.Merge(b) }
	minus, zero := -1.0, 0.0
	twoGammas := Params{Gamma: 2, NegGamma: &zero}
	many := score(2, 0.25)
	many.rows = math.MaxInt64
	encoded, err := score(2, 0.25).MarshalBinary()
	require.NoError(t, err)
	empty, err := Partial{}.MarshalBinary()
	require.NoError(t, err)
	// decode changes an encoding, and makes its checksum right again.
	decode := func(change func(b []byte) []byte) error {
		b := change(append([]byte(nil), encoded[:len(encoded)-4]...))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		return new(Partial).UnmarshalBinary(b)
	}
	put := func(at int, with ...byte) error {
		return decode(func(b []byte) []byte { copy(b[at:], with); return b })
	}

	texts := map[string]error{
		"focal: Sum: Gamma = -1, want it finite and ≥ 0: parameter out of range":                                                sum(x, Labels(label), Params{Gamma: -1}),
		"focal: Sum: Alpha = 2, want it in [0, 1], or NoAlpha: parameter out of range":                                          sum(x, Labels(label), Params{Alpha: 2}),
		"focal: Sum: Norm = -2, want it finite and ≥ 0: parameter out of range":                                                 sum(x, Labels(label), Params{Norm: -2}),
		"focal: Sum: Norm = -1, want it finite and ≥ 0 (-1 is what Foreground returns without Classes): parameter out of range": sum(x, Labels(label), Params{Norm: float64(ZeroBased(label).Foreground())}),
		"focal: Parallel: f is nil, want a function such as Sigmoid: parameter out of range":                                    Parallel[float32](x, x, nil, 1),
		"focal: Sum: NegGamma = -1, want it finite and ≥ 0, or nil: parameter out of range":                                     sum(x, Labels(label), Params{NegGamma: &minus}),
		"focal: Sum: Norm = 1e-30 makes a weight larger than 2^30, want a larger Norm: parameter out of range":                  sum(x, Labels(label), Params{Norm: 1e-30, Alpha: 0.5}),

		"focal: Loss: len(dst) = 5, want len(x) = 6: shape mismatch":                                        Loss(x[:5], x, Labels(label), p),
		"focal: Sum: len(x) = 6, want 0, since len(label) = 0: shape mismatch":                              sum(x, Labels(label[:0]), p),
		"focal: Sum: len(x) = 5, want a positive multiple of len(label) = 3: shape mismatch":                sum(x[:5], Labels(label), p),
		"focal: Sum: len(t) = 5, want len(x) = 6: shape mismatch":                                           sum(x, Dense(x[:5]), p),
		"focal: Sum: len(label) = 3, want a multiple of Planes' size = 2: shape mismatch":                   sum(x, Labels(label).Planes(2), p),
		"focal: Sum: len(x) = 6, want a multiple of Planes' size = 4: shape mismatch":                       sum(x, Dense(x).Planes(4), p),
		"focal: Sum: len(x) = 6, want a multiple of C = 4: shape mismatch":                                  sum(x, Dense(x).Classes(4), p),
		"focal: Sum: len(x) = 6, which is C = 2, want 3 as Classes says: shape mismatch":                    sum(x, Labels(label).Classes(3), p),
		"focal: Sum: WeighRows: w has the length 2, want 3, one for each row: shape mismatch":               sum(x, WeighRows(Labels(label), x[:2]), p),
		"focal: Sum: WeighRows: len(w) = 4, want a number of rows that len(x) = 6 has: shape mismatch":      sum(x, WeighRows(Dense(x), x[:4]), p),
		"focal: Sum: WeighClasses: pos has the length 3, want 2, one for each class: shape mismatch":        sum(x, WeighClasses(Labels(label), nil, x[:3]), p),
		"focal: Sum: WeighClasses: neg is empty, want a number for each class, or nil: shape mismatch":      sum(x, WeighClasses(Dense(x), x[:0], nil), p),
		"focal: Sum: WeighElements: w has the length 3, want 6, one for each logit: shape mismatch":         sum(x, WeighElements(Labels(label), x[:3]), p),
		"focal: Sum: Scored: score has the length 2, want 3, one for each row: shape mismatch":              sum(x, Scored(Labels(label), x[:2], Varifocal), p),
		"focal: Rows: len(dst) = 2, want len(label) = 3: shape mismatch":                                    rows(2, Labels(label)),
		"focal: Rows: len(dst) = 4, want a number of rows that len(x) = 6 is a multiple of: shape mismatch": rows(4, Dense(x)),
		"focal: Rows: len(dst) = 3, want 2, the rows of C = 3 logits that len(x) = 6 has: shape mismatch":   rows(3, Dense(x).Classes(3)),
		"focal: Rows: len(dst) = 3, want a multiple of Planes' size = 2: shape mismatch":                    rows(3, Dense(x).Planes(2)),
		"focal: -1×2 logits: a negative number: shape mismatch":                                             Labels(label).Fits(-1, 2),
		"focal: 3×0 logits: no columns: shape mismatch":                                                     Labels(label).Fits(3, 0),
		"focal: 4×2 logits: len(label) = 3, want 4: shape mismatch":                                         Labels(label).Fits(4, 2),
		"focal: 2×3 logits: want a number of columns that the size of Planes = 2 divides: shape mismatch":   Labels(label).Planes(2).Fits(2, 3),
		"focal: 9223372036854775807×3 logits: len(t) = 6, want 9223372036854775807·3: shape mismatch":       Dense(x).Fits(math.MaxInt, 3),

		"focal: Sum: y is the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                                     sum(x, Target{}, p),
		"focal: the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                                               Target{}.Fits(3, 2),
		"focal: Planes(0), want 1 or more: invalid target":                                                                                  Labels(label).Planes(0).Fits(3, 2),
		"focal: Sum: Planes(-1), want 1 or more: invalid target":                                                                            sum(x, Labels(label).Planes(-1), p),
		"focal: Sum: Classes(0), want 1 or more: invalid target":                                                                            sum(x, Labels(label).Classes(0), p),
		"focal: Sum: y is Dense of float64, want it of float32, as the logits are: invalid target":                                          sum(x, Dense(make([]float64, 6)), p),
		"focal: Sum: t[1] = 1.5, want it in [0, 1]: invalid target":                                                                         sum(x, Dense([]float32{0, 1.5, 0, 0, 0, 0}), p),
		"focal: Sum: t[1] = 0.5 is soft and NegGamma differs from Gamma, want a target of 0 or 1, or NegGamma nil: invalid target":          sum(x, Dense([]float32{0, 0.5, 0, 0, 0, 0}), twoGammas),
		"focal: Sum: Scored: NegGamma differs from Gamma, want it nil: invalid target":                                                      sum(x, Scored(Labels(label), x[:3], Varifocal), twoGammas),
		"focal: Sum: Scored: y is made by Dense, want Labels or ZeroBased: invalid target":                                                  sum(x, Scored(Dense(x), x, Varifocal), p),
		"focal: Sum: Scored: q = 3, want Varifocal, Aligned or QualityFocal: invalid target":                                                sum(x, Scored(Labels(label), x[:3], 3), p),
		"focal: Sum: Scored: score[1] = 1.5, want it in [0, 1], as the row has a class: invalid target":                                     sum(x, Scored(Labels(label), []float32{9, 1.5, 0}, Varifocal), p),
		"focal: Sum: WeighRows: w is of float64, want it of float32, as the logits are: invalid target":                                     sum(x, WeighRows(Labels(label), make([]float64, 3)), p),
		"focal: Sum: WeighElements: w[4] = -1, want it finite and ≥ 0: invalid target":                                                      sum(x, WeighElements(Labels(label), []float32{1, 1, 1, 1, -1, 1}), p),
		"focal: Sum: WeighClasses: neg[1] = 1e+10, want its product with the other weights, up to 0.75, to be 2^30 or less: invalid target": sum(x, WeighClasses(Labels(label), []float32{1, 1e10}, nil), p),
		"focal: Sum: label[2] = 3, want 0..C with C = 2, or -1 if ignored: label out of range":                                              sum(x, Labels([]int32{0, 1, 3}), p),
		"focal: Sum: ZeroBased label[1] = 3, want 0..C, where C = 2 is background, or -1 if ignored: label out of range":                    sum(x, ZeroBased([]int{0, 3, 1}), p),
		"focal: Loss: dst overlaps x, which begins 4 bytes after dst: overlapping slices":                                                   Loss(x[:4], x[1:5], Labels(label[:2]), p),
		"focal: Loss: dst overlaps x, which begins 4 bytes before dst: overlapping slices":                                                  Loss(x[1:5], x[:4], Labels(label[:2]), p),
		"focal: Loss: dst overlaps w of WeighElements, which begins at the same byte: overlapping slices":                                   Loss(x, make([]float32, 6), WeighElements(Labels(label), x), p),

		"focal: Merge: two losses, {Gamma: 2, Alpha: 0.25} and {Gamma: 1, Alpha: NoAlpha}, want parts of one: parameter out of range": merge(score(2, 0.25), score(1, NoAlpha)),
		"focal: Merge: the sum of the counts, or of the losses, is too large: invalid partial sum":                                    merge(many, many),
		"focal: UnmarshalBinary: 3 bytes, want at least 76: invalid partial sum":                                                      new(Partial).UnmarshalBinary(encoded[:3]),

		"focal: UnmarshalBinary: it begins with \"FOCALsum\", want \"focalsum\": invalid partial sum":  put(0, []byte("FOCAL")...),
		"focal: UnmarshalBinary: version 3, want 1 or 2: invalid partial sum":                          put(8, 3),
		"focal: UnmarshalBinary: version 2 of what is version 1: invalid partial sum":                  decode(func(b []byte) []byte { return asVersion2(b, 2, 0) }),
		"focal: UnmarshalBinary: 84 bytes, want 148 with 9 words: invalid partial sum":                 put(14, 9),
		"focal: UnmarshalBinary: checksum 480ff778, want 04030201: invalid partial sum":                new(Partial).UnmarshalBinary(append(empty[:len(empty)-4:len(empty)-4], 1, 2, 3, 4)),
		"focal: UnmarshalBinary: words 200 to 201 of 34: invalid partial sum":                          put(12, 200),
		"focal: UnmarshalBinary: a word of 0 at an end of the sum: invalid partial sum":                decode(func(b []byte) []byte { clear(b[72:]); return b }),
		"focal: UnmarshalBinary: 3 rows, 4 of them foreground and 0 ignored: invalid partial sum":      put(40, 4),
		"focal: UnmarshalBinary: no rows, but a sum or parameters: invalid partial sum":                decode(func(b []byte) []byte { clear(b[32:72]); return b }),
		"focal: UnmarshalBinary: there is no such loss: {Gamma: -0, Alpha: 0.25}: invalid partial sum": put(23, 0x80),
	}
	for want, err := range texts {
		if strconv.IntSize == 32 && strings.Contains(want, "9223372036854775807·3") {
			continue // there a product of two ints always fits
		}
		assert.EqualError(t, err, want, want)
	}

	verb := regexp.MustCompile(`%[+.0-9]*[a-z]`)
	for format, where := range errorFormats(t) {
		pattern := verb.ReplaceAllString(regexp.QuoteMeta(format), ".*")
		pattern = regexp.MustCompile(`%\\\+[a-z]`).ReplaceAllString(pattern, ".*")
		found := false
		for text := range texts {
			found = found || regexp.MustCompile(pattern).MatchString(text)
		}
		assert.True(t, found, "%s: %q is in no text above", where, format)
	}
}

// errorFormats returns the formats of the package's errors, and where each stands: of fmt.Errorf, and of functions called fail.
func errorFormats(t *testing.T) map[string]string {
	t.Helper()
	formats := map[string]string{}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fs := token.NewFileSet()
		file, err := parser.ParseFile(fs, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			callee := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				callee = f.Sel.Name
			case *ast.Ident:
				callee = f.Name
			}
			if ok && (callee == "Errorf" || callee == "fail") {
				format, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				formats[format] = fs.Position(call.Pos()).String()
			}
			return true
		})
	}
	require.NotEmpty(t, formats)
	return formats
}
