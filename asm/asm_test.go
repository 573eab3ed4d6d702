package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The generated files are what this generator makes.
func TestGenerated(t *testing.T) {
	all, err := files("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range all {
		old, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(old) != string(text) {
			t.Errorf("%s is not what asm makes; run go generate in the root folder", name)
		}
	}
}

// The assembly, which is what asm makes, stays within its size.
func TestLines(t *testing.T) {
	text, err := os.ReadFile("../kernel_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 20000 {
		t.Errorf("%d lines, want at most 20,000", n)
	}
}

// A program that uses float32 alone links at most 70 KB of assembly, and none for float64.
func TestSize(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "float32")
	build := exec.Command("go", "build", "-o", binary, "./testdata/float32")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", "-size", "-sort", "size", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	total, count := 0, 0
	for _, s := range strings.Split(string(symbols), "\n") {
		var address, kind, name string
		var size int
		if _, err := fmt.Sscan(s, &address, &size, &kind, &name); err != nil || kind != "T" && kind != "t" {
			continue
		}
		name, ours := strings.CutPrefix(name, "github.com/gofocal/focal.")
		if name = strings.TrimSuffix(name, ".abi0"); !ours || !strings.HasSuffix(name, "AVX2") && !strings.HasSuffix(name, "AVX512") {
			continue
		}
		if strings.Contains(name, "F64") {
			t.Errorf("%s is linked", name)
		}
		total += size
		count++
	}
	if t.Logf("%d functions, %d bytes", count, total); count < 50 || total > 70<<10 {
		t.Errorf("%d functions of %d bytes, want at least 50 and at most 70 KB", count, total)
	}
}
