package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/check"
	"github.com/gofocal/focal/internal/control"
)

// What is checked is there for other programs, all of it passes, and is there on each path. How it reads, check's own tests say.
func TestVerify(t *testing.T) {
	var records []check.Record
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "verify", "-gamma", "2", "-format", "json")), &records))
	bits, hashed, quantities := map[string]bool{}, []string{}, map[string]int{}
	for _, r := range records {
		assert.True(t, r.Passed, r)
		quantities[r.Quantity]++
		switch r.Quantity {
		case "bits":
			bits[r.Check] = true
			assert.Positive(t, r.Logits, r)
			assert.Zero(t, r.Differing, r)
		case "hash":
			hashed = append(hashed, r.Paths)
		default:
			assert.LessOrEqual(t, *r.Worst, *r.Bound, r)
		}
	}
	for _, row := range []string{"f32, γ = 2", "f64, γ = 2", "f32, γ = 2, α = 0.25, n = 37", "f64, γ = 2, α = 0.25, n = 37",
		"f32, weights", "f64, weights, soft targets", "f32, two gammas", "f64, varifocal", "f32, aligned", "f64, quality focal", "hardest known", "special values"} {
		assert.Contains(t, bits, row)
	}
	assert.Equal(t, control.Paths(), hashed)
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
