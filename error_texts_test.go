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
		"focal: Sum: Gamma = -1, want it finite and ≥ 0: parameter out of range":                               sum(x, Labels(label), Params{Gamma: -1}),
		"focal: Sum: Alpha = 2, want it in [0, 1], or NoAlpha: parameter out of range":                         sum(x, Labels(label), Params{Alpha: 2}),
		"focal: Sum: Norm = -1, want it finite and ≥ 0: parameter out of range":                                sum(x, Labels(label), Params{Norm: -1}),
		"focal: Sum: Norm = 1e-30, so small that a weight is above 1.073741824e+09: parameter out of range": sum(x, Labels(label), Params{Norm: 1e-30, Alpha: 0.5}),

		"focal: Loss: len(dst) = 5, want len(x) = 6: shape mismatch":                                        Loss(x[:5], x, Labels(label), p),
		"focal: Sum: len(x) = 6, want 0, since len(label) = 0: shape mismatch":                              sum(x, Labels(label[:0]), p),
		"focal: Sum: len(x) = 5, want a positive multiple of len(label) = 3: shape mismatch":                sum(x[:5], Labels(label), p),
		"focal: Sum: len(t) = 5, want len(x) = 6: shape mismatch":                                           sum(x, Dense(x[:5]), p),
		"focal: Rows: len(dst) = 2, want len(label) = 3: shape mismatch":                                    rows(2, Labels(label)),
		"focal: Rows: len(dst) = 4, want a number of rows that len(x) = 6 is a multiple of: shape mismatch": rows(4, Dense(x)),
		"focal: Fits: -1×2 logits: a negative number: shape mismatch":                                       Labels(label).Fits(-1, 2),
		"focal: Fits: 3×0 logits: no columns: shape mismatch":                                               Labels(label).Fits(3, 0),
		"focal: Fits: len(label) = 3, want 4 for 4×2 logits: shape mismatch":                                Labels(label).Fits(4, 2),
		"focal: Fits: len(t) = 6, want rows·columns for 9223372036854775807×3 logits: shape mismatch":       Dense(x).Fits(math.MaxInt, 3),

		"focal: Sum: y is the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                  sum(x, Target{}, p),
		"focal: Fits: the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                      Target{}.Fits(3, 2),
		"focal: Sum: y is Dense of float64, want it of float32, as the logits are: invalid target":                       sum(x, Dense(make([]float64, 6)), p),
		"focal: Sum: t[1] = 1.5, want it in [0, 1]: invalid target":                                                      sum(x, Dense([]float32{0, 1.5, 0, 0, 0, 0}), p),
		"focal: Sum: label[2] = 3, want 0..C with C = 2, or -1 if ignored: label out of range":                           sum(x, Labels([]int32{0, 1, 3}), p),
		"focal: Sum: ZeroBased label[1] = 3, want 0..C, where C = 2 is background, or -1 if ignored: label out of range": sum(x, ZeroBased([]int{0, 3, 1}), p),
		"focal: Loss: dst overlaps x, which begins +4 bytes from its start: overlapping slices":                          Loss(x[:4], x[1:5], Labels(label[:2]), p),

		"focal: Merge: Gamma = 2 of one and 1 of the other: parameter out of range":                merge(score(2, 0.25), score(1, 0.25)),
		"focal: Merge: Alpha = 0.25 of one and 0.5 of the other: parameter out of range":           merge(score(2, 0.25), score(2, 0.5)),
		"focal: Merge: the sum of the counts, or of the losses, is too large: invalid partial sum": merge(many, many),
		"focal: UnmarshalBinary: 3 bytes, want at least 76: invalid partial sum":                   new(Partial).UnmarshalBinary(encoded[:3]),

		"focal: UnmarshalBinary: it begins with \"FOCALsum\", want \"focalsum\": invalid partial sum": put(0, []byte("FOCAL")...),
		"focal: UnmarshalBinary: version 2, want 1: invalid partial sum":                              put(8, 2),
		"focal: UnmarshalBinary: 84 bytes, want 148 with 9 words: invalid partial sum":                put(14, 9),
		"focal: UnmarshalBinary: checksum 480ff778, want 04030201: invalid partial sum":               new(Partial).UnmarshalBinary(append(empty[:len(empty)-4:len(empty)-4], 1, 2, 3, 4)),
		"focal: UnmarshalBinary: words 200 to 201 of 34: invalid partial sum":                         put(12, 200),
		"focal: UnmarshalBinary: a word of 0 at an end of the sum: invalid partial sum":               decode(func(b []byte) []byte { clear(b[72:]); return b }),
		"focal: UnmarshalBinary: 3 rows, 4 of them foreground and 0 ignored: invalid partial sum":     put(40, 4),
		"focal: UnmarshalBinary: no rows, but a sum or parameters: invalid partial sum":               decode(func(b []byte) []byte { clear(b[32:72]); return b }),
		"focal: UnmarshalBinary: Gamma = -0, Alpha = 0.25: a negative one: invalid partial sum":       put(23, 0x80),
		"focal: UnmarshalBinary: Gamma = NaN, Alpha = 0.25: invalid partial sum":                      put(22, 0xf8, 0x7f),
	}
	for want, err := range texts {
		if strconv.IntSize == 32 && strings.Contains(want, "want rows·columns") {
			continue // there a product of two ints always fits
		}
		assert.EqualError(t, err, want)
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
