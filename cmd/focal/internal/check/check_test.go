package check

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/oracle"
	"github.com/gofocal/focal/internal/verify"
)

// What does not hold is seen in the table, named below it, and in the records. If all holds, the text says so.
func TestResult(t *testing.T) {
	report := func(worst float64) *verify.Report {
		r := &verify.Report{Paths: []string{"test"}, Logits: 5, Bounds: oracle.Promised(2, 1)}
		for i := range r.Errors {
			r.Errors[i].Add(1, 2, 3, 3)
		}
		r.Errors[oracle.Grad].Add(worst, -3, 1, 2)
		return r
	}
	odd := report(1)
	odd.Bounds[oracle.Grad] = 56.12282428352067
	unequal := &verify.Report{Paths: []string{"test"}, Logits: 5, Differing: 2, Differences: []verify.Difference{{Path: "test", What: "Loss", X: 1, Got: 2, Want: 3}}}
	r := &Result{
		Paths:  []string{"test"},
		rows:   []row{{"good", report(1)}, {"odd", odd}, {"inaccurate", report(7.5)}, {"unequal", unequal}, {"nothing", &verify.Report{}}},
		hashes: []hash{{"generic", verify.GoldenHash}, {"test", strings.Repeat("0", 64)}},
	}
	require.Len(t, r.Failed(), 4)
	var out strings.Builder
	require.NoError(t, r.WriteText(&out))
	text := out.String()
	assert.Regexp(t, `good +5 +equal +1\.00 ≤ 4 +1\.00 ≤ 5`, text)
	assert.Regexp(t, `odd +5 +equal +1\.00 ≤ 4 +1\.00 ≤ 56\.12  `, text)
	assert.Regexp(t, `inaccurate +5 +equal +1\.00 ≤ 4 +7\.50 ABOVE 5`, text)
	assert.Regexp(t, `unequal +5 +2 DIFFER`, text)
	assert.Contains(t, text, "  generic  equal\n  test     DIFFERS: 0000000000000000…\n")
	assert.Contains(t, text, "4 checks FAILED:\n  inaccurate: verify: gradient")
	assert.Contains(t, text, "  unequal: verify: 2 results differ")
	assert.Contains(t, text, "  nothing: verify: nothing was compared\n  test: the hash of results is 000")

	var failed []string
	for _, record := range r.Records() {
		if !record.Passed {
			failed = append(failed, record.Check+" "+record.Quantity)
		}
	}
	assert.Equal(t, []string{"inaccurate gradient", "unequal bits", "nothing bits", "hash of results hash"}, failed)

	r.rows[1] = row{"known", &verify.Report{Paths: r.Paths, Logits: 5}}
	r.rows[2] = row{"alone", report(1)}
	r.rows[2].Paths = nil
	r.rows, r.hashes = r.rows[:3], r.hashes[:1]
	require.Empty(t, r.Failed())
	out.Reset()
	require.NoError(t, r.WriteText(&out))
	assert.Regexp(t, `(?m)^known +5 +right +$`, out.String())
	assert.Regexp(t, `alone +5 +one path`, out.String())
	assert.True(t, strings.HasSuffix(out.String(), "\n  generic  equal\n\nall checks passed\n"))
}
