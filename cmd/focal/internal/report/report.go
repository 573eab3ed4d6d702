// Package report makes tables and charts of results.
package report

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

//go:embed page.html
var reportPage string

// Report is what is shown, whatever the format.
type Report struct {
	Records  []Record // of all results
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

// New makes the report of some machines.
func New(ctx context.Context, runs []*results.Run) (*Report, error) {
	names := results.Titles(runs)
	r := &Report{Title: "focal on " + names[0], Records: records(runs, names)}
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
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := runSection(run)
		s.Title = names[i]
		if len(runs) > 1 {
			for _, c := range s.Charts {
				c.title = names[i] + ": " + c.title
			}
		}
		r.Sections = append(r.Sections, s)
	}
	return r, ctx.Err()
}

// Charts returns the charts of all sections.
func (r *Report) Charts() (all []*chart) {
	for _, s := range r.Sections {
		all = append(all, s.Charts...)
	}
	return all
}

// machineSection is what identifies each machine.
func machineSection(runs []*results.Run, names []string) section {
	t := table{Names: 1, Head: append([]string{""}, names...)}
	row := func(name string, value func(r *results.Run) string) {
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
	config := func(key string) func(*results.Run) string {
		return func(r *results.Run) string { return r.Config[key] }
	}
	row("system", func(r *results.Run) string { return r.Config["goos"] + "/" + r.Config["goarch"] })
	row("CPU", config("cpu"))
	row("", config("cpu-id"))
	row("cores", config("cores"))
	row("clock, measured", func(r *results.Run) string {
		if mhz := r.MHz(); mhz > 0 && !r.Emulated() {
			return fmt.Sprintf("%.2f GHz", mhz/1e3)
		}
		return ""
	})
	row("L1 data, L2, L3", func(r *results.Run) string {
		c := r.Caches()
		if c == (machine.Caches{}) {
			return ""
		}
		return fmt.Sprintf("%s, %s, %s", machine.SizeString(c.L1), machine.SizeString(c.L2), machine.SizeString(c.L3))
	})
	row("features", config("features"))
	row("paths", config("paths"))
	for _, level := range []string{"L1", "L2", "L3", "memory"} {
		row(level+", copying", func(r *results.Run) string {
			for _, b := range bandwidths(r) {
				if b.level == level && !r.Emulated() {
					return fmt.Sprintf("%.3g GB/s", b.gbs)
				}
			}
			return ""
		})
	}
	row("emulated", func(r *results.Run) string {
		if r.Emulated() {
			return "by " + r.Config["emulated"] + ": times mean nothing"
		}
		return r.Config["emulated"]
	})
	row("Go", config("go"))
	row("commit", config("commit"))
	row("load", config(results.LoadKey))
	row("date", config("date"))
	return section{Title: "Machines", Tables: []table{t}}
}

// bitsSection compares the hashes of results of all paths of all machines, emulated ones too.
func bitsSection(runs []*results.Run, names []string) section {
	t := table{Names: 1, Head: append([]string{"hash of results"}, names...)}
	hashes := map[string]bool{}
	for _, p := range machine.PathFeatures {
		row, known := []string{p.Path}, false
		for _, r := range runs {
			hash := r.Config[results.GoldenKey+p.Path]
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
func operations(runs []*results.Run, where []string) []rowKey {
	keys := map[rowKey]bool{}
	for _, r := range runs {
		for _, m := range r.Find(results.Loss, where...) {
			keys[rowKey{m.Param("op"), m.Param("type"), m.Param("gamma")}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(keys), func(a, b rowKey) int {
		order := func(k rowKey) string {
			return fmt.Sprintf("%s %03d %s", k.typ, slices.Index(results.Ops, k.op)+1, k.gamma)
		}
		return strings.Compare(order(a), order(b))
	})
}

func at(r *results.Run, k rowKey, path string, where []string) *results.Result {
	found := r.Find(results.Loss, append(slices.Clone(where), "op="+k.op, "type="+k.typ, "gamma="+k.gamma, "path="+path)...)
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// acrossSection compares the best paths of all machines.
func acrossSection(runs []*results.Run, names []string) section {
	t := table{Title: "Best path at 1024×80, one worker: time and cycles per element", Names: 3, Head: append([]string{"", "type", "γ"}, names...)}
	for _, k := range operations(runs, mainShape) {
		row := k.cells()
		for _, r := range runs {
			cell := ""
			for _, path := range r.Paths() {
				if m := at(r, k, path, mainShape); timeCell(m, "sec/elem") != "" {
					cell = path + ": " + timeCell(m, "sec/elem")
					if cycles := cyclesCell(m); cycles != "" {
						cell += ", " + cycles
					}
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
	for _, typ := range []string{"f32", "f64"} {
		if c := acrossChart(runs, names, typ); c != nil {
			s.Charts = append(s.Charts, c)
		}
	}
	return s
}

// runSection is all about one machine.
func runSection(r *results.Run) (s section) {
	if r.Emulated() {
		s.Text = "This CPU is emulated by " + r.Config["emulated"] + ". Times and speeds mean nothing; they are here to show what was run."
	} else {
		s.Charts = chartsOf(r)
	}
	// A shape has a table of its own, unless all there is about it belongs to a table of sizes.
	sizes := r.SizeSweeps()
	var shapes [][]string
	for _, m := range r.Find(results.Loss, "workers=1") {
		if m.Param("op") != results.SweepOp || m.Int("c") != results.SweepClasses || !slices.Contains(sizes, m.Sweep()) {
			where := []string{"n=" + m.Param("n"), "c=" + m.Param("c"), "workers=1"}
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

func operationTable(r *results.Run, where []string) table {
	n, c := strings.TrimPrefix(where[0], "n="), strings.TrimPrefix(where[1], "c=")
	t := table{Title: fmt.Sprintf("Operations at %s×%s, one worker, per element", n, c), Names: 3, Head: []string{"", "type", "γ"}}
	paths := r.Paths()
	for _, path := range paths {
		t.Head = append(t.Head, path, "cycles")
		if path != "generic" && slices.Contains(paths, "generic") {
			t.Head = append(t.Head, "× pure Go")
		}
	}
	for _, k := range operations([]*results.Run{r}, where) {
		row := k.cells()
		generic := at(r, k, "generic", where)
		for _, path := range paths {
			m := at(r, k, path, where)
			row = append(row, timeCell(m, "sec/elem"), cyclesCell(m))
			if path != "generic" && slices.Contains(paths, "generic") {
				cell := ""
				if timeCell(m, "sec/elem") != "" && timeCell(generic, "sec/elem") != "" {
					cell = fmt.Sprintf("%.3g", generic.Median("sec/elem")/m.Median("sec/elem"))
				}
				row = append(row, cell)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// timeCell formats a median and its interval.
func timeCell(m *results.Result, unit string) string {
	if m == nil {
		return ""
	}
	s, ok := m.Summary(unit)
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

func cyclesCell(m *results.Result) string {
	if m == nil {
		return ""
	}
	s, ok := m.Summary("cycles/elem")
	if !ok {
		return ""
	}
	return strconv.FormatFloat(s.Center, 'f', max(0, 2-int(math.Log10(max(s.Center, 1)))), 64)
}

func rateCell(m *results.Result, unit string) string {
	if m == nil {
		return ""
	}
	s, ok := m.Summary(unit)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.3g ± %s", s.Center, s.PctRangeString())
}

// grid makes a table of results: rows by one parameter, columns by another.
func grid(found []*results.Result, row func(*results.Result) int, column func(*results.Result) string, columns []string, unit string) (rows [][]string, keys []int) {
	cells := map[int]map[string]*results.Result{}
	for _, m := range found {
		k := row(m)
		if cells[k] == nil {
			cells[k] = map[string]*results.Result{}
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

func pathOf(m *results.Result) string { return m.Param("path") }

func sizeTable(r *results.Run, sw results.Sweep) table {
	found := r.Find(results.Loss, sw.Sizes()...)
	title := fmt.Sprintf("Loss, %s, γ = %s, C = %d, by size of logits and losses, Gelem/s", sw.Type, sw.Gamma, results.SweepClasses)
	t := table{Title: title, Names: 1, Head: append([]string{"size"}, r.Paths()...)}
	rows, keys := grid(found, func(m *results.Result) int { return int(workingSet(m)) }, pathOf, r.Paths(), "Gelem/s")
	for i, k := range keys {
		size := fmt.Sprintf("%.3g KiB", float64(k)/(1<<10))
		if k >= 1000<<10 {
			size = fmt.Sprintf("%.3g MiB", float64(k)/(1<<20))
		}
		t.Rows = append(t.Rows, append([]string{size}, rows[i]...))
	}
	return t
}

func workerTable(r *results.Run) table {
	t := table{Title: "Workers, Gelem/s", Names: 2, Head: append([]string{"", "goroutines"}, r.Paths()...)}
	done := map[string]bool{}
	for _, m := range r.Find(results.Loss) {
		if m.Int("workers") <= 1 {
			continue
		}
		where := []string{"n=" + m.Param("n"), "c=" + m.Param("c"), "op=" + m.Param("op"), "type=" + m.Param("type"), "gamma=" + m.Param("gamma"), "clock=" + m.Param("clock")}
		if key := strings.Join(where, " "); done[key] {
			continue
		} else {
			done[key] = true
		}
		what := fmt.Sprintf("%s, %s, γ = %s, %s×%s", m.Param("op"), m.Param("type"), m.Param("gamma"), m.Param("n"), m.Param("c"))
		rows, keys := grid(r.Find(results.Loss, where...), func(m *results.Result) int { return m.Int("workers") }, pathOf, r.Paths(), "Gelem/s")
		for i, k := range keys {
			t.Rows = append(t.Rows, append([]string{what, strconv.Itoa(k)}, rows[i]...))
		}
	}
	return t
}

func streamTable(r *results.Run) table {
	kinds := []string{"read", "write", "copy"}
	t := table{Title: "Streaming, GB/s read and written", Names: 1, Head: append([]string{"size"}, kinds...)}
	rows, keys := grid(r.Find(results.Stream), func(m *results.Result) int { return m.Int("bytes") }, func(m *results.Result) string { return m.Param("kind") }, kinds, "GB/s")
	for i, k := range keys {
		t.Rows = append(t.Rows, append([]string{machine.SizeString(k)}, rows[i]...))
	}
	return t
}

// otherTable is what the other tables have no place for, such as benchmarks that are not those of "focal bench".
func otherTable(r *results.Run) table {
	t := table{Title: "Other benchmarks", Names: 1, Head: []string{"", "time of a call"}}
	for _, m := range r.Results {
		if m.Apart || m.Base != results.Loss && m.Base != results.Stream {
			t.Rows = append(t.Rows, []string{m.Name, timeCell(m, "sec/op")})
		}
	}
	return t
}

// markdown escapes what would be markup, or a link: names come from files.
var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"://", "&#58;//", "www.", "www&#46;")

// WriteMarkdown writes the tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	cell := markdown.Replace
	fmt.Fprintf(&b, "# %s\n", cell(r.Title))
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "\n## %s\n", cell(s.Title))
		if s.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", cell(s.Text))
		}
		for _, t := range s.Tables {
			if t.Title != "" {
				fmt.Fprintf(&b, "\n%s:\n", cell(t.Title))
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

// WriteHTML writes a page.
func (r *Report) WriteHTML(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"image": func(c *chart) template.URL {
			return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(c.svg()))
		},
		"alt": func(c *chart) string { return c.title + ": " + c.alt },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}
