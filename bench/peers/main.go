// Peers measures focal against what people use today, and writes the tables and pictures of the documentation. Run it
// by the script run beside it, which builds the peers first.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	build      = flag.String("build", "build", "directory of what the script run has built")
	root       = flag.String("root", "../..", "directory of the repository, whose documentation is written")
	quick      = flag.Bool("quick", false, "the two small shapes alone, few rounds, and no documentation")
	kernels    = flag.Bool("kernels", false, "the kernels against their aims, for docs/performance.md, and nothing else")
	options    = flag.Bool("options", false, "what weights, scores and other options cost, for docs/performance.md, and nothing else")
	reportOnly = flag.Bool("report", false, "write the documentation from the results that are there; measure nothing")
	pictures   = flag.Bool("pictures", true, "draw the pictures too")
	budget     = flag.Duration("budget", 5*time.Minute, "time for the timings; the first rounds are made in any case")
	limit      = flag.Duration("limit", 9*time.Minute, "after so long, what is left has one round: the machine is busy, or slow")
	cpu        = flag.Int("cpu", runtime.NumCPU()-1, "the core that the measurements on one core are pinned to")
)

const resultsDir = "results"

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	if *kernels {
		return runKernels()
	}
	if *options {
		return runOptions()
	}
	dir := resultsDir
	if *quick {
		dir = filepath.Join(*build, "quick")
	}
	if !*reportOnly {
		r, err := measure()
		if err != nil {
			return err
		}
		if err := r.write(dir); err != nil {
			return err
		}
	}
	r, err := readResults(dir)
	if err != nil {
		return err
	}
	if *quick {
		return r.summary(os.Stdout)
	}
	return r.document(*root, *pictures)
}

// sections are measured in this order, from small to large: see peer.alone. The shares are those of the budget.
func sections(threads int) []section {
	one, all := []float64{2}, gammas
	if threads > 1 {
		all = one
	}
	small := []section{
		{shape{32, 10}, "f32", all, nil, 0.10, 300 * time.Microsecond},
		{shape{32, 10}, "f64", all, nil, 0.10, 300 * time.Microsecond},
		{shape{1024, 80}, "f32", all, nil, 0.20, 2 * time.Millisecond},
		{shape{1024, 80}, "f64", all, nil, 0.14, 2 * time.Millisecond},
	}
	if *quick {
		for i := range small {
			small[i].gammas = one
		}
		return small
	}
	return append(small,
		section{shape{1_000_000, 1}, "f32", all, nil, 0.06, time.Millisecond},
		section{shape{1_000_000, 1}, "f64", all, nil, 0.06, time.Millisecond},
		section{shape{100_000, 80}, "f32", one, nil, 0.08, time.Millisecond},
		section{shape{100_000, 80}, "f64", one, nil, 0.08, time.Millisecond},
	)
}

func measure() (*results, error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	begin := time.Now()
	logf := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	r := &results{machine: machine()}
	for _, threads := range []int{1, runtime.NumCPU()} {
		pin := *cpu
		if threads > 1 {
			pin = -1
		}
		c, err := startCrew(*build, pin)
		if err != nil {
			return nil, err
		}
		if threads == 1 {
			for name, w := range c.workers {
				if !strings.ContainsAny(name, "/+") {
					r.workers = append(r.workers, [2]string{name, w.info})
				}
			}
			if r.accuracy, err = measureAccuracy(c, *build, dir); err != nil {
				return nil, err
			}
			logf("errors measured")
		}
		run := &runner{crew: c, threads: threads, dir: dir, logf: logf}
		for _, s := range sections(threads) {
			share := s.share
			if threads > 1 {
				share /= 2
			}
			rounds := usualRounds
			if time.Since(begin) > *limit {
				logf("late: one round for what is left")
				rounds = 1
			}
			cells, err := run.measure(s, time.Duration(share*float64(*budget)), rounds)
			if err != nil {
				return nil, err
			}
			r.cells = append(r.cells, cells...)
		}
		if err := c.stop(); err != nil {
			return nil, err
		}
		if runtime.NumCPU() == 1 {
			break
		}
	}
	return r, nil
}

// machine says what this was measured on.
func machine() [][2]string {
	facts := [][2]string{{"date", time.Now().UTC().Format(time.DateOnly)}}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for _, want := range [][2]string{{"model name", "CPU"}, {"cpu family", "CPU family"}, {"model", "CPU model"}} {
		for _, line := range strings.Split(string(text), "\n") {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == want[0] {
				facts = append(facts, [2]string{want[1], strings.TrimSpace(value)})
				break
			}
		}
	}
	facts = append(facts, [2]string{"cores", fmt.Sprint(runtime.NumCPU())})
	for _, tool := range [][]string{{"gcc", "--version"}, {"clang", "--version"}} {
		if out, err := exec.Command(tool[0], tool[1:]...).Output(); err == nil {
			first, _, _ := strings.Cut(string(out), "\n")
			facts = append(facts, [2]string{tool[0], first})
		}
	}
	packages := []string{"libc6", "libhwy-dev", "libsleef-dev", "python3-numpy", "python3-torch", "python3-torchvision"}
	for _, p := range packages {
		if out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", p).Output(); err == nil {
			facts = append(facts, [2]string{p, string(out)})
		}
	}
	return facts
}
