package main

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"
)

const (
	reportSynopsis = "A.txt [B.txt …] [-o report.html|.md|.svg|.png]"
	reportText     = `
Makes a report of the results that "focal bench" wrote, on one machine or on many. Files of the same program on the same
machine are taken together.

By the ending of its name it is a page (.html), with tables and charts, that needs no other file and no network; the tables
alone (.md); or the charts alone (.svg, .png). Intervals are those of 95 % confidence around the median. Times of emulated
CPUs are marked, and in no chart.
`
)

//go:embed report.html
var reportPage string

func runReport(e *env, args []string) error {
	fs := e.flags(reportText)
	out := fs.String("o", "-", "write to this `file`; - is the tables to the standard output")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usagef("%w", errNoFiles)
	}
	format := strings.TrimPrefix(filepath.Ext(*out), ".")
	switch {
	case *out == "-":
		format = "md"
	case !slices.Contains([]string{"html", "md", "svg", "png"}, format):
		return usagef("-o %s, want a name that ends in .html, .md, .svg or .png", *out)
	}
	if err := checkNames([]string{strings.TrimPrefix(*out, "-")}, files...); err != nil {
		return err
	}
	runs, err := readRuns(files)
	if err != nil {
		return err
	}
	r := newReport(runs)
	return e.output(*out, func(w io.Writer) error {
		switch format {
		case "html":
			return r.writeHTML(w)
		case "md":
			return r.writeMarkdown(w)
		}
		return drawAll(r.charts(), format, w)
	})
}

// report is what is shown, whatever the format.
type report struct {
	Title    string
	Sections []section
}

type section struct {
	Title  string
	Text   string
	Charts []*chart
	Tables []table
}

// table has cells of text, of which the first columns say what the row is about.
type table struct {
	Title string
	Names int // columns that are names
	Head  []string
	Rows  [][]string
}

func newReport(runs []*machineRun) *report {
	names := titles(runs)
	r := &report{Title: "focal on " + names[0]}
	if len(runs) > 1 {
		r.Title = fmt.Sprintf("focal on %d machines", len(runs))
	}
	r.Sections = append(r.Sections, machineSection(runs, names))
	if s := bitsSection(runs, names); len(s.Tables) > 0 {
		r.Sections = append(r.Sections, s)
	}
	if len(runs) > 1 {
		r.Sections = append(r.Sections, acrossSection(runs, names))
	}
	for i, run := range runs {
		s := runSection(run)
		s.Title = names[i]
		if len(runs) > 1 {
			for _, c := range s.Charts {
				c.title = names[i] + ": " + c.title
			}
		}
		r.Sections = append(r.Sections, s)
	}
	return r
}

func (r *report) charts() (all []*chart) {
	for _, s := range r.Sections {
		all = append(all, s.Charts...)
	}
	return all
}

// machineSection is what identifies each machine.
func machineSection(runs []*machineRun, names []string) section {
	t := table{Names: 1, Head: append([]string{""}, names...)}
	row := func(name string, value func(r *machineRun) string) {
		cells, known := []string{name}, false
		for _, r := range runs {
			v := value(r)
			known = known || v != ""
			cells = append(cells, v)
		}
		if known {
			t.Rows = append(t.Rows, cells)
		}
	}
	config := func(key string) func(*machineRun) string {
		return func(r *machineRun) string { return r.config[key] }
	}
	row("system", func(r *machineRun) string { return r.config["goos"] + "/" + r.config["goarch"] })
	row("cores", config("cores"))
	row("clock, measured", func(r *machineRun) string {
		if mhz, err := strconv.ParseFloat(r.config["mhz"], 64); err == nil && !r.emulated() {
			return fmt.Sprintf("%.2f GHz", mhz/1e3)
		}
		return ""
	})
	row("L1 data, L2, L3", func(r *machineRun) string {
		c := r.cacheSizes()
		if c == (caches{}) {
			return ""
		}
		return fmt.Sprintf("%s, %s, %s", sizeString(c.L1), sizeString(c.L2), sizeString(c.L3))
	})
	row("features", config("features"))
	row("paths", config("paths"))
	for _, level := range []string{"L1", "L2", "L3", "memory"} {
		row(level+", copying", func(r *machineRun) string {
			for _, b := range r.bandwidths() {
				if b.level == level && !r.emulated() {
					return fmt.Sprintf("%.3g GB/s", b.gbs)
				}
			}
			return ""
		})
	}
	row("emulated", func(r *machineRun) string {
		if r.emulated() {
			return "by " + r.config["emulated"] + ": times mean nothing"
		}
		return r.config["emulated"]
	})
	row("Go", config("go"))
	row("commit", config("commit"))
	row("date", config("date"))
	return section{Title: "Machines", Tables: []table{t}}
}

// bitsSection compares the hashes of results of all paths of all machines, emulated ones too.
func bitsSection(runs []*machineRun, names []string) section {
	t := table{Names: 1, Head: append([]string{"hash of results"}, names...)}
	hashes := map[string]bool{}
	for _, p := range pathFeatures {
		row, known := []string{p.path}, false
		for _, r := range runs {
			hash := r.config[goldenKey+p.path]
			if hash != "" {
				hashes[hash], known = true, true
				hash = hash[:min(len(hash), 16)]
			}
			row = append(row, hash)
		}
		if known {
			t.Rows = append(t.Rows, row)
		}
	}
	if len(hashes) == 0 {
		return section{}
	}
	s := section{Title: "The same bits", Tables: []table{t}, Text: "All paths of all machines return the same bits, by a hash of results of every kind."}
	if len(hashes) > 1 {
		s.Text = fmt.Sprintf("Results DIFFER: there are %d hashes. They should be equal, unless the commits compute differently on purpose.", len(hashes))
	}
	return s
}

// rowKey is what a row of a table of operations is about.
type rowKey struct {
	op, typ, gamma string
}

func (k rowKey) cells() []string {
	gamma := k.gamma
	if gamma == "" {
		gamma = "–"
	}
	return []string{k.op, k.typ, gamma}
}

// operations returns the rows that results with the given parameters make, in the usual order.
func operations(runs []*machineRun, where []string) []rowKey {
	keys := map[rowKey]bool{}
	for _, r := range runs {
		for _, m := range r.find(lossName, where...) {
			keys[rowKey{m.param("op"), m.param("type"), m.param("gamma")}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(keys), func(a, b rowKey) int {
		order := func(k rowKey) string {
			return fmt.Sprintf("%s %03d %s", k.typ, slices.Index(benchOps, k.op)+1, k.gamma)
		}
		return strings.Compare(order(a), order(b))
	})
}

func (r *machineRun) at(k rowKey, path string, where []string) *result {
	found := r.find(lossName, append(slices.Clone(where), "op="+k.op, "type="+k.typ, "gamma="+k.gamma, "path="+path)...)
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// acrossSection compares the best paths of all machines.
func acrossSection(runs []*machineRun, names []string) section {
	t := table{Title: "Best path at 1024×80, one worker: time and cycles per element", Names: 3, Head: append([]string{"", "type", "γ"}, names...)}
	for _, k := range operations(runs, mainShape) {
		row := k.cells()
		for _, r := range runs {
			cell := ""
			for _, path := range r.paths() {
				if m := r.at(k, path, mainShape); m != nil {
					cell = fmt.Sprintf("%s: %s, %s", path, timeCell(m, "sec/elem"), cyclesCell(m))
					break
				}
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	s := section{Title: "Across machines"}
	if len(t.Rows) > 0 {
		s.Tables = []table{t}
	}
	if c := acrossChart(runs, names); c != nil {
		s.Charts = []*chart{c}
	}
	return s
}

// runSection is all about one machine.
func runSection(r *machineRun) (s section) {
	if r.emulated() {
		s.Text = "This CPU is emulated by " + r.config["emulated"] + ". Times and speeds mean nothing; they are here to show what was run."
	} else {
		s.Charts = chartsOf(r)
	}
	// A shape has a table of its own, unless all there is about it belongs to a table of sizes.
	sizes := r.sizeSweeps()
	var shapes [][]string
	for _, m := range r.find(lossName, "workers=1") {
		if m.param("op") != sweepOp || m.int("c") != sweepClasses || !slices.Contains(sizes, m.sweep()) {
			where := []string{"n=" + m.param("n"), "c=" + m.param("c"), "workers=1"}
			if !slices.ContainsFunc(shapes, func(w []string) bool { return slices.Equal(w, where) }) {
				shapes = append(shapes, where)
			}
		}
	}
	for _, where := range shapes {
		s.Tables = append(s.Tables, operationTable(r, where))
	}
	for _, sw := range sizes {
		s.Tables = append(s.Tables, sizeTable(r, sw))
	}
	for _, t := range []table{workerTable(r), streamTable(r), otherTable(r)} {
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s
}

func operationTable(r *machineRun, where []string) table {
	n, c := strings.TrimPrefix(where[0], "n="), strings.TrimPrefix(where[1], "c=")
	t := table{Title: fmt.Sprintf("Operations at %s×%s, one worker, per element", n, c), Names: 3, Head: []string{"", "type", "γ"}}
	paths := r.paths()
	for _, path := range paths {
		t.Head = append(t.Head, path, "cycles")
		if path != "generic" && slices.Contains(paths, "generic") {
			t.Head = append(t.Head, "× pure Go")
		}
	}
	for _, k := range operations([]*machineRun{r}, where) {
		row := k.cells()
		generic := r.at(k, "generic", where)
		for _, path := range paths {
			m := r.at(k, path, where)
			row = append(row, timeCell(m, "sec/elem"), cyclesCell(m))
			if path != "generic" && slices.Contains(paths, "generic") {
				cell := ""
				if m != nil && generic != nil {
					cell = fmt.Sprintf("%.3g", generic.median("sec/elem")/m.median("sec/elem"))
				}
				row = append(row, cell)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// timeCell formats a median and its interval.
func timeCell(m *result, unit string) string {
	if m == nil {
		return ""
	}
	s, ok := m.summary(unit)
	if !ok {
		return ""
	}
	text := benchunit.Scale(s.Center, benchunit.Decimal)
	if i := strings.IndexFunc(text, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); i >= 0 {
		text = text[:i] + " " + text[i:]
	}
	if unit == "sec/elem" {
		text += "s"
	}
	return text + " ± " + s.PctRangeString()
}

func cyclesCell(m *result) string {
	if m == nil {
		return ""
	}
	s, ok := m.summary("cycles/elem")
	if !ok {
		return ""
	}
	return strconv.FormatFloat(s.Center, 'f', max(0, 2-int(math.Log10(max(s.Center, 1)))), 64)
}

func rateCell(m *result, unit string) string {
	if m == nil {
		return ""
	}
	s, ok := m.summary(unit)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.3g ± %s", s.Center, s.PctRangeString())
}

// grid makes a table of results: rows by one parameter, columns by another.
func grid(results []*result, row func(*result) int, column func(*result) string, columns []string, unit string) (rows [][]string, keys []int) {
	cells := map[int]map[string]*result{}
	for _, m := range results {
		k := row(m)
		if cells[k] == nil {
			cells[k] = map[string]*result{}
		}
		cells[k][column(m)] = m
	}
	keys = slices.Sorted(maps.Keys(cells))
	for _, k := range keys {
		var line []string
		for _, c := range columns {
			line = append(line, rateCell(cells[k][c], unit))
		}
		rows = append(rows, line)
	}
	return rows, keys
}

func pathOf(m *result) string { return m.param("path") }

func sizeTable(r *machineRun, sw sweep) table {
	results := r.find(lossName, sw.sizes()...)
	title := fmt.Sprintf("Loss, %s, γ = %s, C = %d, by size of logits and losses, Gelem/s", sw.typ, sw.gamma, sweepClasses)
	t := table{Title: title, Names: 1, Head: append([]string{"size"}, r.paths()...)}
	rows, keys := grid(results, func(m *result) int { return int(workingSet(m)) }, pathOf, r.paths(), "Gelem/s")
	for i, k := range keys {
		size := fmt.Sprintf("%.3g KiB", float64(k)/(1<<10))
		if k >= 1000<<10 {
			size = fmt.Sprintf("%.3g MiB", float64(k)/(1<<20))
		}
		t.Rows = append(t.Rows, append([]string{size}, rows[i]...))
	}
	return t
}

func workerTable(r *machineRun) table {
	t := table{Title: "Workers, Gelem/s", Names: 2, Head: append([]string{"", "goroutines"}, r.paths()...)}
	done := map[string]bool{}
	for _, m := range r.find(lossName) {
		if m.int("workers") <= 1 {
			continue
		}
		where := []string{"n=" + m.param("n"), "c=" + m.param("c"), "op=" + m.param("op"), "type=" + m.param("type"), "gamma=" + m.param("gamma"), "clock=" + m.param("clock")}
		if key := strings.Join(where, " "); done[key] {
			continue
		} else {
			done[key] = true
		}
		what := fmt.Sprintf("%s, %s, γ = %s, %s×%s", m.param("op"), m.param("type"), m.param("gamma"), m.param("n"), m.param("c"))
		rows, keys := grid(r.find(lossName, where...), func(m *result) int { return m.int("workers") }, pathOf, r.paths(), "Gelem/s")
		for i, k := range keys {
			t.Rows = append(t.Rows, append([]string{what, strconv.Itoa(k)}, rows[i]...))
		}
	}
	return t
}

func streamTable(r *machineRun) table {
	kinds := []string{"read", "write", "copy"}
	t := table{Title: "Streaming, GB/s read and written", Names: 1, Head: append([]string{"size"}, kinds...)}
	rows, keys := grid(r.find(streamName), func(m *result) int { return m.int("bytes") }, func(m *result) string { return m.param("kind") }, kinds, "GB/s")
	for i, k := range keys {
		t.Rows = append(t.Rows, append([]string{sizeString(k)}, rows[i]...))
	}
	return t
}

// otherTable is what the other tables have no place for, such as benchmarks that are not those of "focal bench".
func otherTable(r *machineRun) table {
	t := table{Title: "Other benchmarks", Names: 1, Head: []string{"", "time of a call"}}
	for _, m := range r.results {
		if m.apart || m.base != lossName && m.base != streamName {
			t.Rows = append(t.Rows, []string{m.name, timeCell(m, "sec/op")})
		}
	}
	return t
}

func (r *report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	fmt.Fprintf(&b, "# %s\n", cell(r.Title))
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "\n## %s\n", s.Title)
		if s.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", s.Text)
		}
		for _, t := range s.Tables {
			if t.Title != "" {
				fmt.Fprintf(&b, "\n%s:\n", t.Title)
			}
			b.WriteString("\n|")
			for _, h := range t.Head {
				fmt.Fprintf(&b, " %s |", cell(h))
			}
			b.WriteString("\n|")
			for i := range t.Head {
				if i < t.Names {
					b.WriteString("---|")
				} else {
					b.WriteString("---:|")
				}
			}
			for _, row := range t.Rows {
				b.WriteString("\n|")
				for _, c := range row {
					fmt.Fprintf(&b, " %s |", cell(c))
				}
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) writeHTML(w io.Writer) error {
	image := func(c *chart, t theme) template.URL {
		return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(c.svg(t)))
	}
	page, err := template.New("report").Funcs(template.FuncMap{
		"light": func(c *chart) template.URL { return image(c, light) },
		"dark":  func(c *chart) template.Srcset { return template.Srcset(image(c, dark)) },
		"alt":   func(c *chart) string { return c.title + ": " + c.alt },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}
