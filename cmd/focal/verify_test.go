package main

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/check"
	"github.com/gofocal/focal/internal/control"
)

func TestVerify(t *testing.T) {
	text := succeed(t, "verify", "-gamma", "2")
	for _, row := range []string{"f32, γ = 2 ", "f64, γ = 2 ", "f32, γ = 2, α = 0.25, n = 37", "f64, γ = 2, α = 0.25, n = 37",
		"f32, weights", "f64, weights, soft targets", "f32, two gammas", "f64, varifocal", "f32, aligned", "f64, quality focal", "hardest known", "special values"} {
		assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(row)+` *\d+ +(equal|one path|right)`, text)
	}
	for _, path := range control.Paths() {
		assert.Regexp(t, `(?m)^  `+path+` +equal$`, text)
	}
	assert.NotRegexp(t, "DIFFER|ABOVE|FAILED", text)
	assert.True(t, strings.HasSuffix(text, "\nall checks passed\n"))
}

// What is checked is there for other programs too.
func TestVerifyRecords(t *testing.T) {
	var records []check.Record
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "verify", "-gamma", "2", "-paths", focal.Path(), "-format", "json")), &records))
	quantities := map[string]int{}
	for _, r := range records {
		assert.True(t, r.Passed, r)
		quantities[r.Quantity]++
		if r.Worst != nil {
			assert.LessOrEqual(t, *r.Worst, *r.Bound)
		}
	}
	assert.Equal(t, 1, quantities["hash"]) // for each path that is asked for
	assert.GreaterOrEqual(t, quantities["bits"], 10)
	assert.GreaterOrEqual(t, quantities["gradient"], 9)
}

// So is what the machine is.
func TestInfoRecords(t *testing.T) {
	var records []infoRecord
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "info", "-format", "json")), &records))
	require.Len(t, records, 1)
	assert.Equal(t, strings.Join(control.Paths(), " "), records[0].Paths)
	assert.Equal(t, focal.Path(), strings.Fields(records[0].Paths)[0])
	assert.Positive(t, records[0].Cores)
	inDirectory(t, nil)
	assert.Empty(t, succeed(t, "info", "-o", "info.csv"))
	rows, err := csv.NewReader(strings.NewReader(string(readFile(t, "info.csv")))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, "cpu", rows[0][0])
	assert.Equal(t, records[0].CPU, rows[1][0])
}
