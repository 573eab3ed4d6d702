package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A peer is a row of the tables.
type peer struct {
	id      string // in the results; what stands before a + is its name in the worker
	title   string
	worker  string
	threads bool   // can use all cores
	short   string // in the README and the pictures, if it stands there
	class   class

	// alone is set for a peer whose losses, and losses with gradients, are each timed in a process that does nothing
	// else. What glibc's allocator does depends on what the process has freed before: large arrays make it keep the
	// memory of small ones.
	alone bool

	// small is set for variants that are timed at the small shapes alone, which tell them apart.
	small bool
}

type class int

const (
	other    class = iota
	ours           // focal, on the path that it takes itself
	lower          // focal on a lower path
	accurate       // C or C++ that keeps small losses
	graph          // a scripted graph of torch
	onnx
	wide // computes float32 in float64
)

func (p peer) name() string { name, _, _ := strings.Cut(p.id, "+"); return name }

// peers are in the order of the tables.
var peers = []peer{
	{id: "focal", title: "**focal**", worker: "focal", threads: true, short: "focal", class: ours},
	{id: "focal-avx2", title: "focal, AVX2 path", worker: "focal", threads: true, short: "focal, AVX2", class: lower},
	{id: "focal-generic", title: "focal, pure Go", worker: "go", threads: true, class: lower},

	{id: "highway", title: "Highway, Exp and Log1p", worker: "c", threads: true, short: "Highway", class: accurate},
	{id: "sleef", title: "SLEEF, u10", worker: "c", threads: true, class: accurate},
	{id: "gcc", title: "C, gcc -ffast-math, libmvec", worker: "c", threads: true, short: "C, gcc, libmvec", class: accurate},
	{id: "gcc-log", title: "C, gcc, log(1+e)", worker: "c", threads: true},
	{id: "clang", title: "C, clang -ffast-math, libmvec", worker: "c", threads: true, class: accurate},
	{id: "clang-log", title: "C, clang, log(1+e)", worker: "c", threads: true},
	{id: "paddle", title: "Paddle's scalar formula, C++", worker: "c", threads: true},

	{id: "torchvision+pages", title: "torchvision, memory kept", worker: "python+pages", threads: true, short: "torchvision, memory kept"},
	{id: "torchvision", title: "torchvision, as it comes", worker: "python", threads: true, short: "torchvision", alone: true},
	{id: "torchvision-scripted", title: "torchvision scripted", worker: "python", threads: true},
	{id: "torchvision-scripted+pages", title: "torchvision scripted, memory kept", worker: "python+pages", threads: true, small: true},
	{id: "torch-graph", title: "torch, stable graph", worker: "python", threads: true, class: graph},
	{id: "torch-graph+pages", title: "torch, stable graph, memory kept", worker: "python+pages", threads: true, class: graph},
	{id: "torch-graph-log", title: "torch, logsigmoid graph", worker: "python", threads: true, class: graph, small: true},
	{id: "torch-graph-log+pages", title: "torch, logsigmoid graph, memory kept", worker: "python+pages", threads: true, class: graph, small: true},
	{id: "torch-graph-inplace", title: "torch, in-place graph", worker: "python", threads: true, class: graph},
	{id: "torch-graph-inplace+pages", title: "torch, in-place graph, memory kept", worker: "python+pages", threads: true, short: "torch, best graph", class: graph},
	{id: "numpy", title: "NumPy", worker: "python"},
	{id: "onnxruntime-log", title: "onnxruntime", worker: "node", threads: true, short: "onnxruntime", class: onnx},
	{id: "onnxruntime", title: "onnxruntime, Softplus node", worker: "node", threads: true, class: onnx, small: true},

	{id: "go", title: "Go, package math", worker: "go", short: "Go, package math", class: wide},
	{id: "vek", title: "Go, viterin/vek", worker: "go", short: "Go, viterin/vek"},
	{id: "archsimd", title: "Go, simd/archsimd, focal's arithmetic", worker: "simd"},
}

// keepPages makes glibc's allocator keep what is freed, instead of giving it back to the kernel at once.
var keepPages = []string{
	"MALLOC_MMAP_THRESHOLD_=1073741824",
	"MALLOC_TRIM_THRESHOLD_=8589934592",
	"MALLOC_TOP_PAD_=67108864",
}

// crew is all workers that could be started, and why the others could not.
type crew struct {
	workers map[string]*process
	absent  map[string]string // by worker, or by a peer's name
}

// python is Debian's own: its packages are nobody else's.
var python = []string{"/usr/bin/python3", "py/worker.py"}

// startCrew starts all workers on one CPU, or on all if cpu is negative. What could not be built left its reason in the
// directory absent of the build.
func startCrew(build string, cpu int) (*crew, error) {
	c := &crew{workers: map[string]*process{}, absent: map[string]string{}}
	reasons, err := filepath.Glob(filepath.Join(build, "absent", "*"))
	if err != nil {
		return nil, err
	}
	for _, file := range reasons {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c.absent[filepath.Base(file)] = strings.TrimSpace(string(text))
	}

	driver := []string{filepath.Join(build, "driver")}
	for _, p := range peers {
		if p.worker == "c" && c.absent[p.id] == "" {
			driver = append(driver, p.id+"="+filepath.Join(build, p.id+".so"))
		}
	}
	for _, w := range []struct {
		name string
		env  []string
		args []string
	}{
		{"focal", nil, []string{filepath.Join(build, "gopeers")}},
		{"go", nil, []string{filepath.Join(build, "gopeers")}},
		{"simd", nil, []string{filepath.Join(build, "gopeers-simd")}},
		{"first", nil, []string{filepath.Join(build, "gopeers-first")}},
		{"c", nil, driver},
		{"python", nil, python},
		{"python/loss", nil, python},
		{"python/both", nil, python},
		{"python+pages", keepPages, python},
		{"node", nil, []string{"node", "node/worker.js", filepath.Join(build, "models")}},
	} {
		kind, _, _ := strings.Cut(strings.ReplaceAll(w.name, "+", "/"), "/")
		if !slices.ContainsFunc(peers, func(p peer) bool { return p.worker == w.name || p.alone && strings.HasPrefix(w.name, p.worker+"/") }) {
			continue
		}
		if reason := c.absent[kind]; reason != "" {
			c.absent[w.name] = reason
			continue
		}
		p, err := start(w.name, cpu, w.env, w.args)
		if err != nil {
			return nil, err
		}
		c.workers[w.name] = p
	}
	return c, nil
}

// of returns the worker of a peer, or nil and the reason why there is none.
func (c *crew) of(p peer) (*process, string) {
	if reason := c.absent[p.name()]; reason != "" {
		return nil, reason
	}
	return c.workers[p.worker], c.absent[p.worker]
}

// timed returns the worker that times an operation.
func (c *crew) timed(p peer, op string) (*process, string) {
	w, reason := c.of(p)
	if p.alone && w != nil && (op == "loss" || op == "both") {
		w = c.workers[p.worker+"/"+op]
	}
	return w, reason
}

// load gives a dataset to all workers, to those for peers that are alone only if they are to time something.
func (c *crew) load(d dataset, timing bool) error {
	for name, w := range c.workers {
		if strings.Contains(name, "/") && !timing {
			continue
		}
		if err := w.do("load %d %d %s %s %s", d.rows, d.cols, d.typ, d.x, d.label); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) stop() error {
	for _, p := range c.workers {
		if err := p.stop(); err != nil {
			return err
		}
	}
	return nil
}
