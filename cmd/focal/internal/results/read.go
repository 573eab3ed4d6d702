package results

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/text/encoding"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	maxFile     = 256 << 20 // bytes
	maxLine     = 32 << 10  // benchfmt's reader ends at lines of 64 KiB
	maxWarnings = 10        // of a file
	maxResults  = 10_000    // of a run
	maxRuns     = 100
)

// A Set is what files say.
type Set struct {
	Runs     []*Run
	Warnings []string // what was not taken

	byIdentity map[string][]*Run
}

// Arg splits an argument NAME=FILE. The argument is a file as a whole if there is one of that name.
func Arg(arg string) (name, file string) {
	if _, err := os.Stat(arg); err == nil {
		return "", arg
	}
	if name, file, ok := strings.Cut(arg, "="); ok && name != "" {
		return clean(name), file
	}
	return "", arg
}

// Read reads files of results, or arguments NAME=FILE. "-" is stdin. What has the same name, comes from one
// machine and from one program is one run.
func Read(ctx context.Context, stdin io.Reader, args ...string) (*Set, error) {
	set := newSet()
	for _, arg := range args {
		name, file := Arg(arg)
		data, err := load(ctx, stdin, file)
		if err != nil {
			return nil, err
		}
		if err := set.read(ctx, name, file, data); err != nil {
			return nil, err
		}
	}
	SettleNames(set.Runs...)
	return set, nil
}

// Parse reads what a file would have.
func Parse(ctx context.Context, file string, data []byte) (*Set, error) {
	set := newSet()
	if err := set.read(ctx, "", file, data); err != nil {
		return nil, err
	}
	SettleNames(set.Runs...)
	return set, nil
}

func newSet() *Set { return &Set{byIdentity: map[string][]*Run{}} }

func (set *Set) read(ctx context.Context, name, file string, data []byte) error {
	text, err := decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	warned := 0
	warn := func(line int, format string, args ...any) {
		if warned++; warned <= maxWarnings {
			set.Warnings = append(set.Warnings, fmt.Sprintf("%s:%d: %s", file, line, fmt.Sprintf(format, args...)))
		}
	}
	lines := linesOf(text, warn)
	reader := benchfmt.NewReader(strings.NewReader(strings.Join(lines, "\n")), file)
	found := map[*Run]bool{}
	for n := 0; reader.Scan(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			warn(record.Line, "%s; the line is not taken", record.Msg)
		case *benchfmt.Result:
			r := set.add(name, record, warn)
			if r == nil {
				continue
			}
			found[r] = true
			if len(r.Results) > maxResults || len(set.Runs) > maxRuns {
				return fmt.Errorf("%s: has more than %d benchmarks of a machine, or more than %d machines", file, maxResults, maxRuns)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	if warned > maxWarnings {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%s: and %d more", file, warned-maxWarnings))
	}
	if len(found) == 0 {
		message := fmt.Sprintf("%s: has no benchmark results", file)
		if len(set.Warnings) > 0 {
			message += ": " + strings.TrimPrefix(set.Warnings[0], file+":")
		}
		return errors.New(message)
	}
	load := ""
	for _, line := range lines {
		if value, ok := strings.CutPrefix(line, LoadKey+": "); ok {
			load = value
		}
	}
	for r := range found {
		maps.Copy(r.Units, reader.Units())
		if load != "" {
			r.Config[LoadKey] = load // stands at the end of the file
		}
	}
	return nil
}

// add adds a record to the run that it belongs to.
func (set *Set) add(name string, record *benchfmt.Result, warn func(line int, format string, args ...any)) *Run {
	_, line := record.Pos()
	record.Values = slices.DeleteFunc(record.Values, func(v benchfmt.Value) bool {
		if a := math.Abs(v.Value); a == 0 || a >= 1e-30 && a <= 1e30 {
			return false
		}
		warn(line, "%v %s is beyond ±1e30, or below 1e-30; it is not taken", v.Value, v.Unit)
		return true
	})
	if len(record.Values) == 0 {
		return nil
	}
	config := map[string]string{}
	for _, c := range record.Config {
		config[c.Key] = string(c.Value)
	}
	if name != "" {
		config[nameKey] = name
	}
	key := identity(config)
	i := slices.IndexFunc(set.byIdentity[key], func(r *Run) bool { return r.like(config) })
	if i < 0 {
		i = len(set.byIdentity[key])
		r := &Run{Config: config, ByName: map[string]*Result{}, Units: benchfmt.UnitMetadataMap{}}
		set.byIdentity[key] = append(set.byIdentity[key], r)
		set.Runs = append(set.Runs, r)
	}
	r := set.byIdentity[key][i]
	for k, v := range config {
		if _, ok := r.Config[k]; !ok {
			r.Config[k] = v
		}
	}
	r.Add(record)
	return r
}

// load reads a file, or ends with the context: a pipe may wait for ever.
func load(ctx context.Context, stdin io.Reader, name string) ([]byte, error) {
	type loaded struct {
		data []byte
		err  error
	}
	done := make(chan loaded, 1)
	go func() {
		input := stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				done <- loaded{nil, err}
				return
			}
			defer file.Close()
			input = file
		}
		data, err := io.ReadAll(io.LimitReader(untilDone{ctx, input}, maxFile+1))
		if len(data) > maxFile {
			err = fmt.Errorf("%s: has more than %d MiB, and can be no file of results", name, maxFile>>20)
		}
		done <- loaded{data, err}
	}()
	select {
	case l := <-done:
		return l.data, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// untilDone reads until the context ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// decode returns the text of a file: of UTF-8, of UTF-16 with a mark, as Windows' PowerShell writes it, or of the output of
// "go test -json".
func decode(data []byte) (string, error) {
	text, _, err := transform.Bytes(utf.BOMOverride(encoding.Nop.NewDecoder()), data)
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return "", errors.New("is not text: it has zero bytes, as UTF-16 without a byte order mark and binary files have")
	}
	if event := (testEvent{}); json.Unmarshal(firstLine(text), &event) == nil && event.Action != "" {
		return testOutput(text)
	}
	return string(text), nil
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(text, " \t\r\n"), []byte("\n"))
	return line
}

// testEvent is a line of "go test -json".
type testEvent struct{ Action, Package, Output string }

// testOutput returns the output of the packages, one after the other: they may have run at once.
func testOutput(text []byte) (string, error) {
	outputs, packages := map[string]*strings.Builder{}, []string(nil)
	number := 0
	for line := range bytes.Lines(text) {
		number++
		var event testEvent
		if err := json.Unmarshal(line, &event); err != nil {
			if len(bytes.TrimSpace(line)) == 0 || !bytes.HasSuffix(line, []byte("\n")) {
				continue // the end is missing
			}
			return "", fmt.Errorf("is the output of go test -json, but line %d is not: %w", number, err)
		}
		if outputs[event.Package] == nil {
			outputs[event.Package] = &strings.Builder{}
			packages = append(packages, event.Package)
		}
		outputs[event.Package].WriteString(event.Output)
	}
	var b strings.Builder
	for _, p := range packages {
		fmt.Fprintf(&b, "pkg: %s\n%s\n", p, outputs[p].String())
	}
	return b.String(), nil
}

// commentKeys are those of the lines "# key: value" that "focal bench" writes. Other tools take these lines for comments.
func isCommentKey(key string) bool {
	return slices.Contains([]string{"mhz", "go", "commit", "date", LoadKey}, key) || strings.HasPrefix(key, GoldenKey)
}

// linesOf returns lines for benchfmt: comments with a key as configuration, and the last only if it is whole. Nothing that
// cannot be printed is left.
func linesOf(text string, warn func(line int, format string, args ...any)) []string {
	lines := strings.Split(text, "\n")
	units := map[string]bool{"ns/op": true, "B/op": true, "allocs/op": true, "MB/s": true}
	last := len(lines) - 1
	for i, line := range lines {
		line = clean(strings.TrimSuffix(line, "\r"))
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			if key, _, ok := strings.Cut(comment, ": "); ok && isCommentKey(key) {
				line = comment
			}
		}
		isResult := strings.HasPrefix(line, "Benchmark")
		switch fields := strings.Fields(line); {
		case len(line) > maxLine:
			if isResult {
				warn(i+1, "is longer than %d bytes; the line is not taken", maxLine)
			}
			line = ""
		case isResult && i < last:
			for k := 3; k < len(fields); k += 2 {
				units[fields[k]] = true
			}
		case isResult && (len(fields) < 4 || !units[fields[len(fields)-1]]):
			// No line end, and the last unit is new: perhaps it is the beginning of another.
			warn(i+1, "the file ends inside of this line; it is not taken")
			line = ""
		}
		lines[i] = line
	}
	return lines
}

// clean replaces what cannot be printed: names are shown in terminals and in pictures.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
