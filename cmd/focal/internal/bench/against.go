package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// adjacent is how many pairs of samples two processes take of a case; the median of their ratios counts.
const adjacent = 11

// Against measures another program, an earlier "focal", and this one in pairs: o.Count times a process of each, which take
// samples in turn, the first of a pair in turn too. So both meet the same machine, and each pair of processes has other
// addresses in memory. The programs are started as copies with names and arguments of the same length.
//
// It writes the results of both, told apart by results.ProgramKey: of each pair of processes one pair of samples. It calls
// progress before each pair of processes.
func Against(ctx context.Context, w io.Writer, old string, o Options, progress func(done, total int)) error {
	dir, err := os.MkdirTemp("", "focal-against-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var files [2]string
	for i, from := range []string{old, self} {
		files[i] = filepath.Join(dir, programs[i]+filepath.Ext(self))
		if err := copyProgram(files[i], from); err != nil {
			return err
		}
	}
	out := benchfmt.NewWriter(w)
	for round := range o.Count {
		progress(round, o.Count)
		pairs, err := measurePairs(ctx, files, o, round)
		if err != nil {
			return err
		}
		for i := range files { // not in turn, so all lines with the same configuration stand together
			for _, p := range pairs {
				if err := out.Write(p[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var programs = [2]string{results.Old, results.New}

// A pair is a result of the old program, and one of the new.
type pair [2]*benchfmt.Result

// ratio is new/old, of the times by that of the reference if they have it.
func (p pair) ratio() float64 {
	var t [2]float64
	for i, r := range p {
		t[i], _ = r.Value("sec/op")
		if reference, ok := r.Value(results.Reference); ok {
			t[i] /= reference
		}
	}
	return t[1] / t[0]
}

// measurePairs runs a process of each program, and returns a pair for each case.
func measurePairs(ctx context.Context, files [2]string, o Options, round int) ([]pair, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the processes if one fails
	var workers [2]*worker
	for i, file := range files {
		var err error
		if workers[i], err = startWorker(ctx, programs[i], file, o); err != nil {
			return nil, err
		}
		defer workers[i].stop()
	}
	cases := len(Cases(o))
	all := make([][]pair, cases)
	for n := range adjacent {
		for k := range cases {
			var p pair
			for i := range p {
				if (round+n+k)%2 == 1 {
					i = 1 - i
				}
				var err error
				if p[i], err = workers[i].sample(); err != nil {
					return nil, err
				}
			}
			if string(p[0].Name) != string(p[1].Name) {
				return nil, fmt.Errorf("the old program measures %s where this one measures %s", p[0].Name, p[1].Name)
			}
			all[k] = append(all[k], p)
		}
	}
	median := make([]pair, cases)
	for k, pairs := range all {
		slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.ratio(), b.ratio()) })
		median[k] = pairs[len(pairs)/2]
	}
	return median, nil
}

// A worker is a process that takes one sample for each line that it gets.
type worker struct {
	program string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stdout  *benchfmt.Reader
	stderr  bytes.Buffer
}

func startWorker(ctx context.Context, program, file string, o Options) (*worker, error) {
	list := func(n int, at func(i int) any) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint(at(i)))
		}
		return strings.Join(all, ",")
	}
	w := &worker{program: program}
	w.cmd = exec.CommandContext(ctx, file, "bench", "-step", "-o", "-", "-count", strconv.Itoa(adjacent),
		"-paths", strings.Join(o.Paths, ","), "-ops", strings.Join(o.Ops, ","), "-types", strings.Join(o.Types, ","),
		"-shapes", list(len(o.Shapes), func(i int) any { return fmt.Sprintf("%dx%d", o.Shapes[i][0], o.Shapes[i][1]) }),
		"-gammas", list(len(o.Gammas), func(i int) any { return o.Gammas[i] }),
		"-workers", list(len(o.Workers), func(i int) any { return o.Workers[i] }))
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdout = benchfmt.NewReader(stdout, program)
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return w, w.cmd.Start()
}

// sample lets the worker take a sample.
func (w *worker) sample() (*benchfmt.Result, error) {
	if _, err := io.WriteString(w.stdin, "\n"); err == nil {
		for w.stdout.Scan() {
			if r, ok := w.stdout.Result().(*benchfmt.Result); ok {
				r = r.Clone()
				r.Config = append(r.Config, benchfmt.Config{Key: results.ProgramKey, Value: []byte(w.program), File: true})
				return r, nil
			}
		}
	}
	w.stop()
	reason := strings.TrimSpace(w.stderr.String())
	if strings.Contains(reason, "-step") {
		reason = "it is older than -against"
	}
	return nil, fmt.Errorf("the %s program has ended: %s", w.program, reason)
}

func (w *worker) stop() {
	w.stdin.Close()
	w.cmd.Wait()
}

// copyProgram copies an executable file.
func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: is no program", from)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
