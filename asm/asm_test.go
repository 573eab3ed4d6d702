package main

import (
	"os"
	"path/filepath"
	"regexp"
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

// The assembly stays within its size, and AVX2 within its registers.
func TestAssembly(t *testing.T) {
	text, err := assembly()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 20000 {
		t.Errorf("%d lines, want at most 20,000", n)
	}
	wide := regexp.MustCompile(`\b(Z[0-9]+|[XY](1[6-9]|2[0-9]|3[01])|K[0-7])\b`)
	for _, f := range strings.Split(string(text), "\nTEXT ·")[1:] {
		name, body, _ := strings.Cut(f, "(")
		body, _, _ = strings.Cut(body, "\nDATA") // its data are behind it
		if m := wide.FindString(body); m != "" && strings.Contains(name, "AVX2") {
			t.Errorf("%s uses %s", name, m)
		}
	}
}
