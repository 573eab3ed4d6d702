package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/gofocal/focal/cmd/focal/internal/compare"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

const (
	compareSynopsis = "OLD.txt NEW.txt [-fail-over 5%] [-unit sec/op]"
	compareText     = `
Compares two files of results, of "focal bench" or of any Go benchmark, as benchstat does: medians with their 95 %
confidence intervals, and the Mann-Whitney U test at 0.05. "~" means that no difference can be told.

GOMAXPROCS is part of a name only where a file has the benchmark with more than one.

With -fail-over the exit status is 1 if anything got slower by more than that, and significantly so: a gate for
continuous integration. What fails nothing: a benchmark that is in one file alone, and the bandwidths of "focal bench",
which say something about the machine. More is better of what the files say so ("Unit qps better=higher"), and of units
that end in /s.
`
)

func runCompare(e *env, args []string) error {
	fs := e.flags(compareText)
	limit := fs.String("fail-over", "", "fail if anything got slower by more than this `percentage`")
	unit := fs.String("unit", "sec/op", "what is compared: sec/op, or another `unit` of the files, such as ns/elem or GB/s")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(files) != 2 {
		return usagef("%d files, want OLD and NEW", len(files))
	}
	failOver := math.Inf(1)
	if *limit != "" {
		if failOver, err = parsePercent(*limit); err != nil {
			return err
		}
	}
	before, err := readSingle(files[0])
	if err != nil {
		return err
	}
	after, err := readSingle(files[1])
	if err != nil {
		return err
	}
	results.SettleNames(before, after) // by the same rule in both
	_, tidy := benchunit.Tidy(1, *unit)
	slower, err := compare.Compare(e.stdout, e.stderr, before, after, tidy, failOver)
	if err == nil && slower {
		return errCheck
	}
	return err
}

// readSingle reads one file, of one machine.
func readSingle(name string) (*results.Run, error) {
	runs, err := results.Read([]string{name})
	if err != nil {
		return nil, err
	}
	if len(runs) > 1 {
		return nil, fmt.Errorf("%s: has the results of %d machines, want one", name, len(runs))
	}
	return runs[0], nil
}

func parsePercent(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(v >= 0) {
		return 0, usagef("-fail-over %q, want a percentage such as 5%%", s)
	}
	return v / 100, nil
}
