// Package machine tells what this machine is, and what this program has on it.
package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"github.com/shirou/gopsutil/v4/cpu"

	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/verify"
)

// Machine is what identifies a machine, and this program on it.
type Machine struct {
	CPU      string
	ID       string // vendor, family, model and stepping
	Cores    int    // that the program may use
	Caches   Caches
	Features []string // those that any path asks for, and the CPU has
	Emulated string   // by what; "" on real hardware
	Paths    []string // the best first
	Commit   string
	Tags     string // build tags
}

// Caches are sizes in bytes. 0 is unknown.
type Caches struct{ L1, L2, L3 int }

// This returns the machine that this program runs on.
func This() Machine {
	name, id := identify(context.Background())
	m := Machine{
		CPU:      name,
		ID:       id,
		Cores:    runtime.NumCPU(),
		Caches:   cacheSizes(),
		Emulated: emulator(),
		Paths:    control.Paths(),
	}
	for _, p := range PathFeatures {
		for _, f := range p.Features {
			if cpuid.CPU.Has(f) {
				m.Features = append(m.Features, strings.ToLower(f.String()))
			}
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	m.Commit = commitOf(info)
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			m.Tags = s.Value
		}
	}
	return m
}

// commitOf returns the commit that this program was built from. A program that "go install" made of a published version knows
// its tag instead, and one that was built with -buildvcs=false neither.
func commitOf(info *debug.BuildInfo) string {
	commit, dirty := "unknown", ""
	if info.Main.Sum != "" {
		commit = fmt.Sprintf("of the tag %s/%s", strings.TrimPrefix(info.Main.Path, "github.com/gofocal/focal/"), info.Main.Version)
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-modified"
			}
		}
	}
	return commit + dirty
}

// identify returns the name of the CPU and what tells it from others of that name: vendor, family, model and stepping. The
// operating system's name comes first. Of Arm it gives numbers, which gopsutil names; a CPU may have cores of several kinds.
func identify(ctx context.Context) (name, id string) {
	if emulator() == "" { // otherwise the operating system may describe the host
		name, id = fromSystem(ctx)
	}
	if name == "" {
		name = strings.Join(strings.Fields(cpuid.CPU.BrandName), " ")
	}
	if name == "" {
		name = "unknown " + runtime.GOARCH
	}
	if c := cpuid.CPU; c.VendorString != "" && id == "" {
		id = fmt.Sprintf("%s family %d model %d stepping %d", c.VendorString, c.Family, c.Model, c.Stepping)
	}
	return name, id
}

func fromSystem(ctx context.Context) (name, id string) {
	if runtime.GOOS != "linux" {
		return "", "" // slow elsewhere, and no more than the CPU says itself
	}
	cores, _ := cpu.InfoWithContext(ctx)
	var names, ids []string
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, c := range cores {
		if !strings.HasPrefix(c.Model, "0x") { // not Arm
			return c.ModelName, ""
		}
		kind := strings.TrimSpace(c.VendorID + " part " + c.Model)
		if c.ModelName == "" || c.ModelName == "Undefined" {
			c.ModelName = kind
		}
		add(&names, c.ModelName)
		add(&ids, fmt.Sprintf("%s revision %d", kind, c.Stepping))
	}
	return strings.Join(names, " + "), strings.Join(ids, ", ")
}

// cacheSizes asks the operating system, if it is Linux, or else the CPU.
func cacheSizes() Caches {
	positive := func(n int) int { return max(n, 0) }
	c := Caches{positive(cpuid.CPU.Cache.L1D), positive(cpuid.CPU.Cache.L2), positive(cpuid.CPU.Cache.L3)}
	if emulator() != "" {
		return c // the files of the operating system describe the host
	}
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu0/cache/index*")
	for _, dir := range files {
		read := func(name string) string {
			data, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.TrimSpace(string(data))
		}
		kib, err := strconv.Atoi(strings.TrimSuffix(read("size"), "K"))
		if err != nil || read("type") == "Instruction" {
			continue
		}
		switch read("level") {
		case "1":
			c.L1 = kib << 10
		case "2":
			c.L2 = kib << 10
		case "3":
			c.L3 = kib << 10
		}
	}
	return c
}

// emulator names what emulates this CPU, if anything does that leaves a trace: times measured there mean nothing.
func emulator() string {
	switch {
	case runtime.GOARCH == "wasm":
		return "WebAssembly"
	case strings.Contains(cpuid.CPU.HypervisorVendorString, "TCGTCGTCG"), strings.Contains(cpuid.CPU.BrandName, "QEMU TCG"):
		return "qemu"
	case strings.Contains(cpuid.CPU.BrandName, "VirtualApple"):
		return "Rosetta"
	}
	// An emulator of user programs answers for /proc/self/exe, but not for its other names.
	self, err1 := os.Readlink("/proc/self/exe")
	thread, err2 := os.Readlink("/proc/thread-self/exe")
	if err1 == nil && err2 == nil && self != thread {
		return filepath.Base(thread)
	}
	return ""
}

// A PathFeature is what a path asks for.
type PathFeature struct {
	Path     string
	goarch   string // "": all
	Features []cpuid.FeatureID
}

// PathFeatures are the features that each path asks for beside those of the paths below it.
var PathFeatures = []PathFeature{
	{"avx512", "amd64", []cpuid.FeatureID{cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL}},
	{"avx2", "amd64", []cpuid.FeatureID{cpuid.AVX, cpuid.AVX2, cpuid.FMA3, cpuid.POPCNT}},
	{"neon", "arm64", []cpuid.FeatureID{cpuid.ASIMD}},
	{"generic", "", nil},
}

// PathStatus says whether a path can be used, and why if not.
func (m *Machine) PathStatus(i int) string {
	p := PathFeatures[i]
	switch at := slices.Index(m.Paths, p.Path); {
	case at == 0 && p.Path == "generic" && len(m.Paths) == 1:
		return "in use: it is the only one"
	case at == 0:
		return "in use: the best that CPU, operating system and build have"
	case at > 0:
		return "can be used"
	case p.goarch != runtime.GOARCH:
		return "none: it is for " + p.goarch
	case slices.Contains(strings.Split(m.Tags, ","), "purego"):
		return "none: built with the tag purego"
	}
	var missing []string
	for k := i; k < len(PathFeatures) && PathFeatures[k].goarch == p.goarch; k++ {
		for _, f := range PathFeatures[k].Features {
			if !cpuid.CPU.Has(f) {
				missing = append(missing, strings.ToLower(f.String()))
			}
		}
	}
	if len(missing) > 0 {
		return "none: the CPU lacks " + strings.Join(missing, ", ")
	}
	if debug := os.Getenv("GODEBUG"); strings.Contains(debug, "cpu.") {
		return "none: switched off by GODEBUG=" + debug
	}
	return "none: not in this build, or not enabled by the operating system"
}

// SizeString formats a number of bytes: 48 KiB, 1 MiB.
func SizeString(n int) string {
	switch {
	case n <= 0:
		return "unknown"
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return strconv.FormatFloat(float64(n)/(1<<10), 'g', 4, 64) + " KiB"
	}
	return fmt.Sprintf("%d B", n)
}

// Hash returns the hash of the results of a path.
func Hash(path string) (string, error) {
	defer control.SetPath(path)()
	return verify.Hash()
}
