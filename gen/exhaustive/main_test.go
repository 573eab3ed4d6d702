package main

import (
	"path/filepath"
	"testing"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/verify"
)

// The slices are all patterns, each once.
func TestSlice(t *testing.T) {
	seen := map[uint64]bool{}
	for i := range slices {
		from, to := slice(i)
		if from%slicePatterns != 0 || to != from+slicePatterns || to > verify.Patterns || seen[from] {
			t.Errorf("slice %d is %#x to %#x", i, from, to)
		}
		seen[from] = true
	}
	if from, _ := slice(0); from != 0x3f000000 {
		t.Errorf("the first slice begins at %#x", from)
	}
}

// A sweep that goes on from its state ends with the report of one that was not interrupted.
func TestResume(t *testing.T) {
	for name, target := range map[string]*float64{"labels": nil, "targets of 0": new(float64)} {
		t.Run(name, func(t *testing.T) { testResume(t, target) })
	}
}

func testResume(t *testing.T, target *float64) {
	sweep := verify.Sweep32{Step: 1<<18 + 1, Params: focal.Params{Gamma: 2, Alpha: focal.NoAlpha, Norm: 1}, Target: target}
	whole, err := resume(t.Context(), filepath.Join(t.TempDir(), "state"), sweep, slices, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (verify.Patterns-1)/sweep.Step + 1; whole.Logits != want || whole.Err() != nil {
		t.Fatalf("%d logits, want %d: %v", whole.Logits, want, whole.Err())
	}

	file := filepath.Join(t.TempDir(), "state")
	half := state{Sweep: sweep, Thorough: true, Slices: slices / 2}
	for i := range slices / 2 {
		part := sweep
		part.From, part.To = slice(i)
		part.From = (part.From + part.Step - 1) / part.Step * part.Step
		r, err := verify.Float32(t.Context(), part, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		half.Report.Merge(r)
	}
	if err := half.save(file); err != nil {
		t.Fatal(err)
	}
	resumed, err := resume(t.Context(), file, sweep, slices, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if resumed.Errors != whole.Errors || resumed.Logits != whole.Logits {
		t.Errorf("resumed: %+v, whole: %+v", resumed.Errors, whole.Errors)
	}
	other := 0.5
	for _, change := range []func(*verify.Sweep32){
		func(s *verify.Sweep32) { s.Params.Gamma = 1 },
		func(s *verify.Sweep32) { s.Target = &other },
	} {
		changed := sweep
		change(&changed)
		if _, err := resume(t.Context(), file, changed, slices, verify.Options{}); err == nil {
			t.Error("the state of another sweep is taken")
		}
	}
	if _, err := resume(t.Context(), file, sweep, slices, verify.Options{Sparse: true}); err == nil {
		t.Error("the state of a thorough sweep is taken for one that is not")
	}
}
