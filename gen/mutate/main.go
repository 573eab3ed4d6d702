// Command mutate breaks the package on purpose, in one place at a time, and sees whether the tests notice. It changes an
// instruction, a constant, a mask, a bound or an operator in the assembly or in a Go file of the root package, in a
// copy of the repository, builds its tests and runs the short ones:
//
//	go run ./gen/mutate -n 300 -seed 1 -log mutants.txt
//
// A mutant is killed if a test fails, crashes or does not end; one that does not build does not count. First the tests of
// the changed function, or file, are run, then all. The log has a line for each mutant, and the
// same command goes on where it was interrupted. The last lines are the score and the survivors: each is either a gap
// in the tests, or equivalent to the original.
//
// Mutants of kernel_arm64.s are run by an emulator, qemu-aarch64-static, unless this is an arm64 machine. It is slow, and
// sees the tests that reach the kernels only.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("mutate: ")
	n := flag.Int("n", 300, "mutants to draw, of all that there are")
	seed := flag.Uint64("seed", 1, "of the draw")
	only := flag.String("files", "", "files to mutate, separated by commas; none: half the mutants in assembly, half in Go")
	logFile := flag.String("log", "mutants.txt", "results, a line for each mutant")
	list := flag.Bool("list", false, "list the mutants and end")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	if err := run(*n, *seed, *only, *logFile, *list); err != nil {
		log.Fatal(err)
	}
}

// A mutant is one change of one line.
type mutant struct {
	file     string // relative to the root
	function string // of assembly: the TEXT that holds it
	line     int    // from 1
	old, new string // the line
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d: %s => %s", m.file, m.line, strings.TrimSpace(m.old), strings.TrimSpace(m.new))
}

func run(n int, seed uint64, only, logFile string, list bool) error {
	root, err := output("", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	mutants, err := draw(root, n, seed, only)
	if err != nil {
		return err
	}
	if list {
		for _, m := range mutants {
			fmt.Println(m)
		}
		return nil
	}
	done, err := readLog(logFile)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer out.Close()
	dir, err := copyRepository(root)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if verdict, how := test(dir, &mutant{file: "kernel_generic.go"}); verdict != survived {
		return fmt.Errorf("the tests fail without a mutant: %s", how)
	}
	var together *schemata
	if runtime.GOARCH == "amd64" {
		var left []*mutant
		for _, m := range mutants {
			if _, known := done[m.String()]; !known {
				left = append(left, m)
			}
		}
		if together, err = buildSchemata(dir, left); err != nil {
			return err
		}
		log.Printf("%d mutants of assembly built together", len(together.number))
	}
	count := map[string]int{}
	var survivors []string
	for i, m := range mutants {
		verdict, known := done[m.String()]
		if !known {
			var how string
			begin := time.Now()
			if verdict, how, err = together.test(dir, m); err == nil && verdict == "" {
				verdict, how, err = try(dir, m)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\t%s\t%s\n", verdict, m, how)
			log.Printf("%d of %d, %v: %s, %s: %s", i+1, len(mutants), time.Since(begin).Round(time.Second), verdict, how, m)
		}
		count[verdict]++
		if verdict == survived {
			survivors = append(survivors, m.String())
		}
	}
	fmt.Printf("%d killed, %d survived, %d did not build\n", count[killed], count[survived], count[notBuilt])
	for _, s := range survivors {
		fmt.Println("survived:", s)
	}
	return nil
}

const (
	killed   = "killed"
	survived = "survived"
	notBuilt = "not built"
)

// draw returns n mutants in random order: the same ones for the same seed and sources.
func draw(root string, n int, seed uint64, only string) (mutants []*mutant, err error) {
	files := strings.Split(only, ",")
	if only == "" {
		if files, err = filepath.Glob(filepath.Join(root, "*")); err != nil {
			return nil, err
		}
	}
	var assembly, source []*mutant
	for _, f := range files {
		name := filepath.Base(f)
		// No test could notice what is not compiled.
		target := build.Default
		target.GOARCH, target.CgoEnabled = archOf(name), false
		if ok, err := target.MatchFile(root, name); err != nil {
			return nil, err
		} else if !ok {
			if only != "" {
				return nil, fmt.Errorf("%s is not compiled for %s", name, target.GOARCH)
			}
			continue
		}
		switch {
		case strings.HasSuffix(name, ".s"), strings.HasSuffix(name, ".h"):
			m, err := assemblyMutants(root, name)
			if err != nil {
				return nil, err
			}
			assembly = append(assembly, m...)
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			m, err := goMutants(root, name)
			if err != nil {
				return nil, err
			}
			source = append(source, m...)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, m := range [][]*mutant{assembly, source} {
		rng.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	for i := 0; len(mutants) < n && (i < len(assembly) || i < len(source)); i++ {
		if i < len(assembly) {
			mutants = append(mutants, assembly[i])
		}
		if i < len(source) {
			mutants = append(mutants, source[i])
		}
	}
	return mutants[:min(n, len(mutants))], nil
}

// archOf returns the architecture on which the mutants of a file are tested.
func archOf(file string) string {
	if strings.Contains(file, "_arm64.") {
		return "arm64"
	}
	return runtime.GOARCH
}

// readLog returns the verdicts of an earlier run.
func readLog(name string) (map[string]string, error) {
	done := map[string]string{}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if f := strings.Split(s.Text(), "\t"); len(f) >= 2 {
			done[f[1]] = f[0]
		}
	}
	return done, err
}

// copyRepository copies what is under version control, as it is in the working tree.
func copyRepository(root string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "mutate"); err != nil {
		return "", err
	}
	files, err := output(root, "git", "ls-files")
	if err != nil {
		return "", err
	}
	for _, f := range strings.Split(files, "\n") {
		b, err := os.ReadFile(filepath.Join(root, f))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, b, 0o666); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// try makes the change, tests, and takes the change back.
func try(dir string, m *mutant) (verdict, how string, err error) {
	file := filepath.Join(dir, m.file)
	original, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	lines := strings.Split(string(original), "\n")
	if lines[m.line-1] != m.old {
		return "", "", fmt.Errorf("%v: the line is %q", m, lines[m.line-1])
	}
	lines[m.line-1] = m.new
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
		return "", "", err
	}
	verdict, how = test(dir, m)
	return verdict, how, os.WriteFile(file, original, 0o666)
}

// A stage is a run of some tests.
type stage struct {
	pattern string
	limit   time.Duration
}

// test builds the package's tests and runs them until they fail.
func test(dir string, m *mutant) (verdict, how string) {
	arch := archOf(m.file)
	binary := filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return notBuilt, line
	}
	stages := []stage{{patternOf(m), time.Minute}, {".", 10 * time.Minute}}
	if arch != runtime.GOARCH { // all would take very long
		stages = []stage{{"Kernels", 10 * time.Minute}, {"Dense|Golden|Paths|PathKernels", 10 * time.Minute}}
	}
	for _, s := range stages {
		args := []string{binary, "-test.short", "-test.failfast", "-test.run", s.pattern}
		if arch == "arm64" && runtime.GOARCH != arch {
			args = append([]string{"qemu-aarch64-static"}, args...)
		}
		if how := runTests(dir, nil, s.limit, args...); how != "" {
			return killed, how
		}
	}
	return survived, "all tests pass"
}

// test runs the tests of the changed function, or of all kernels if a constant is changed. If the mutant is not one of
// those that were built together, or s is nil, the verdict is empty.
func (s *schemata) test(dir string, m *mutant) (verdict, how string, err error) {
	if s == nil {
		return "", "", nil
	}
	binary, pattern, limit := s.binary, patternOf(m), 5*time.Minute
	var env []string
	if n := s.number[m]; n != 0 {
		env = []string{fmt.Sprintf("%s=%d", selector, n)}
	} else {
		changed, ok, err := s.withConstant(m)
		if err != nil || !ok {
			return "", "", err
		}
		binary, pattern = changed, "Kernels|Label|Dense|Target"
	}
	for _, pattern := range []string{pattern, "."} {
		if how := runTests(dir, env, limit, binary, "-test.short", "-test.failfast", "-test.run", pattern); how != "" {
			return killed, how, nil
		}
	}
	return survived, "all tests pass", nil
}

// patternOf names the tests of the function that an assembly mutant changes, or of its file.
func patternOf(m *mutant) string {
	if m.function == "" {
		switch m.file {
		case "blocks.go", "dispatch.go", "errors.go", "focal.go", "params.go":
			return "Err|Params|Norm|Workers|Blocks|Goroutines|Path|Rows"
		case "exact.go", "partial.go":
			return "Exact|Score|Partial|Merge|Sharding"
		case "rows.go", "sum.go":
			return "Rows|Fits|Accumulator|LaneSums|Blocks"
		case "target.go":
			return "Label|Target|Dense|Hard|FgNum|Conventions|Ignor|Weight|Classes"
		}
		return "Kernels|Dense"
	}
	switch {
	case strings.HasPrefix(m.function, "label"):
		return "Label"
	case strings.HasPrefix(m.function, "targets"), strings.HasPrefix(m.function, "hard"):
		return "Dense|Target|Hard"
	}
	return "Kernels.*/^" + m.function + "$"
}

// runTests returns why the tests fail, or "" if they do not. The limit is in time on a CPU, since the machine may have
// more to do.
func runTests(dir string, env []string, limit time.Duration, args ...string) (failure string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*limit)
	defer cancel()
	args = append([]string{"-c", fmt.Sprintf("ulimit -t %d; ulimit -c 0; exec \"$@\"", int(limit.Seconds())), "sh"}, args...)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "does not end"
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return "ended by a signal: " + exit.String()
	case err != nil:
		return reason(out)
	}
	return ""
}

// reason returns the line of the output that says what failed.
func reason(out []byte) string {
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if i := slices.IndexFunc([]string{"--- FAIL", "panic:", "fatal error:", "SIG"}, func(p string) bool { return strings.HasPrefix(line, p) }); i >= 0 {
			return line
		}
	}
	return "fails"
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(pipe)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(b)), nil
}
