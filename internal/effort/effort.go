// Package effort says how much of what they can go through tests do. There are four levels: all, which takes minutes and is for
// the gate; what `go test` does; less, with -short; and least, for machines that are hundreds of times slower.
package effort

import (
	"os"
	"testing"
)

// Full reports whether a test goes through all: FOCAL_LONG=1, without -short.
func Full() bool { return os.Getenv("FOCAL_LONG") != "" && !testing.Short() }

// Least reports whether a test does no more than what is needed to see each path and case once: FOCAL_LEAST=1.
func Least() bool { return os.Getenv("FOCAL_LEAST") != "" }

// Long skips a test that has no shorter form, unless all is gone through.
func Long(t testing.TB) {
	t.Helper()
	if !Full() {
		t.Skip("long: FOCAL_LONG=1 runs it")
	}
}
