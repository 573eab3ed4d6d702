package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gofocal/focal"
)

func TestVersion(t *testing.T) {
	text := succeed(t, "version")
	for _, want := range []string{`(?m)^focal +\S`, `(?m)^package +\S`, `(?m)^commit +\S`, `(?m)^paths +.*; ` + focal.Path() + ` is in use$`} {
		assert.Regexp(t, want, text)
	}
	assert.Equal(t, text, succeed(t, "-version"))
	assert.Equal(t, text, succeed(t, "--version"))
}

func TestVersionOf(t *testing.T) {
	const path = "github.com/gofocal/focal/cmd/focal"
	library := func(version string) []*debug.Module {
		return []*debug.Module{{Path: "github.com/gofocal/focal/internal/shards", Version: "v9.9.9"}, {Path: "github.com/gofocal/focal", Version: version}}
	}
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want version
	}{
		"installed": {
			debug.BuildInfo{Main: debug.Module{Path: path, Version: "v0.2.0", Sum: "h1:x"}, Deps: library("v0.1.5")},
			version{"v0.2.0", "v0.1.5"},
		},
		"clone": {
			debug.BuildInfo{Main: debug.Module{Path: path, Version: "v0.1.1-0.20261127040000-0123456789ab+dirty"}, Deps: library("(devel)")},
			version{"v0.1.1-0.20261127040000-0123456789ab+dirty", "v0.1.1-0.20261127040000-0123456789ab+dirty"},
		},
		"without VCS": {debug.BuildInfo{Main: debug.Module{Path: path, Version: "(devel)"}}, version{"(devel)", "(devel)"}},
		"nothing":     {debug.BuildInfo{}, version{"(devel)", "(devel)"}},
	} {
		assert.Equal(t, test.want, versionOf(&test.info), name)
	}
}
