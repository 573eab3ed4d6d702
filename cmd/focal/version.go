package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
)

const (
	versionSynopsis = ""
	versionText     = `
Prints the version of this program and of package focal in it, the commit they were built from, and the paths
(implementations of the kernels) on this machine. "focal info" says more of the machine.
`
)

func runVersion(e *env, args []string) error {
	if err := parseNone(e.flags(versionText), args); err != nil {
		return err
	}
	m := machine.This()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	v := versionOf(info)
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "focal\t%s\n", v.command)
	fmt.Fprintf(w, "package\t%s\n", v.library)
	fmt.Fprintf(w, "commit\t%s\n", m.Commit)
	fmt.Fprintf(w, "built\t%s/%s, %s\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(w, "paths\t%s; %s is in use\n", strings.Join(m.Paths, ", "), focal.Path())
	return w.Flush()
}

type version struct{ command, library string }

// versionOf returns the versions that the build information says.
func versionOf(info *debug.BuildInfo) version {
	const library = "github.com/gofocal/focal"
	v := version{command: info.Main.Version}
	if v.command == "" {
		v.command = "(devel)"
	}
	v.library = v.command // in a workspace they are built from one commit
	for _, m := range info.Deps {
		if m.Path != library {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" && m.Version != "(devel)" {
			v.library = m.Version
		}
	}
	return v
}
