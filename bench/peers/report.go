package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
	"unicode"
	"unicode/utf8"
)

var (
	usual  = shape{1024, 80}
	large  = shape{100_000, 80}
	shapes = []shape{{32, 10}, usual, large, {1_000_000, 1}}
)

// Figures

// figure formats v with three significant digits, and no exponent below a million.
func figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	case v == 0:
		return "0"
	case v >= 1e6:
		e := math.Floor(math.Log10(v))
		return fmt.Sprintf("%.1f·10", v/math.Pow(10, e)) + raised(int(e))
	case v >= 100:
		return thousands(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(v)))), 64)
}

// raised returns the digits of n as superscripts.
func raised(n int) string {
	var b strings.Builder
	for _, d := range strconv.Itoa(n) {
		b.WriteRune([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[d-'0'])
	}
	return b.String()
}

// thousands separates the digits of numbers above 9999.
func thousands(n int) string {
	if n < 10_000 {
		return strconv.Itoa(n)
	}
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// nbsp keeps a figure and what belongs to it on one line.
const nbsp = "\u00a0"

func times(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	if v < 10 {
		return strconv.FormatFloat(v, 'f', 1, 64) + "×"
	}
	return thousands(int(math.Round(v))) + "×"
}

// withSpread is a cell's median and spread.
func withSpread(c *cell) string {
	if c == nil {
		return "–"
	}
	return strings.ReplaceAll(fmt.Sprintf("%s ± %.0f %%", figure(median(c.ns)), math.Ceil(100*spread(c.ns))), " ", nbsp)
}

// Tables

// table is written as Markdown, its columns aligned: figures to the right, text to the left.
type table [][]string

func (t table) String() string {
	var width []int
	var text []bool
	for r, row := range t {
		for i, cell := range row {
			if i == len(width) {
				width, text = append(width, 3), append(text, i == 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
			if first, _ := utf8.DecodeRuneInString(cell); r > 0 && unicode.IsLetter(first) {
				text[i] = true
			}
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, cell := range row {
			if pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)); text[i] {
				b.WriteString("| " + cell + pad + " ")
			} else {
				b.WriteString("| " + pad + cell + " ")
			}
		}
		b.WriteString("|\n")
	}
	for r, row := range t {
		line(row)
		if r > 0 {
			continue
		}
		for i, w := range width {
			if text[i] {
				b.WriteString("|" + strings.Repeat("-", w+2))
			} else {
				b.WriteString("|" + strings.Repeat("-", w+1) + ":")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// ulp shows the worst and the mean error of a peer.
func (r *results) ulp(p peer, typ string, gamma float64, output string, limit float64) string {
	a, ok := r.errorOf(p, typ, gamma, output, limit)
	if !ok {
		return "–"
	}
	return figure(a.worst) + " (" + figure(a.mean) + ")"
}

// overview is the table of the usual shape: speed and errors side by side.
func (r *results) overview(typ string) table {
	t := table{{"γ = 2, " + typ, "loss, ns", "against focal", "loss + gradient, ns", "against focal", "targets, ns",
		"ULP of the loss, x to ±20", "x to ±100"}}
	for _, p := range peers {
		row := []string{p.title}
		for _, op := range []string{"loss", "both"} {
			c := r.of(1, usual, typ, 2, op, p.id)
			if c == nil {
				row = append(row, "–", "–")
			} else {
				row = append(row, withSpread(c), times(r.ratio(c)))
			}
		}
		targets := r.of(1, usual, typ, 2, "targets", p.id)
		if targets == nil {
			row = append(row, "")
		} else {
			row = append(row, figure(median(targets.ns)))
		}
		row = append(row, r.ulp(p, typ, 2, "loss", 20), r.ulp(p, typ, 2, "loss", 100))
		t = append(t, row)
	}
	return t
}

// leastOf is the time of a cell's fastest round: what another program on the machine disturbs least.
func leastOf(c *cell) float64 {
	least := math.Inf(1)
	for _, v := range c.ns {
		if v < least { // NaN is not
			least = v
		}
	}
	return least
}

// brief is the table of the README, of the fastest rounds.
func (r *results) brief() string {
	t := table{{"1024×80, γ = 2", "loss", "loss + gradient", "loss, float64"}}
	for _, p := range peers {
		if p.short == "" {
			continue
		}
		row := []string{p.short}
		switch {
		case p.class == ours:
			row[0] = "**" + p.short + "**"
		case p.name() == "torchvision":
			version, _, _ := strings.Cut(r.fact("python3-torchvision"), "-")
			row[0] = strings.Replace(p.short, "torchvision", "torchvision "+version+" (Debian, without MKL)", 1)
		}
		for _, k := range [][2]string{{"f32", "loss"}, {"f32", "both"}, {"f64", "loss"}} {
			switch c := r.of(1, usual, k[0], 2, k[1], p.id); {
			case c == nil:
				row = append(row, "–")
			case p.class == ours:
				row = append(row, figure(leastOf(c)))
			default:
				focal := r.of(1, usual, k[0], 2, k[1], "focal")
				row = append(row, figure(leastOf(c))+nbsp+"("+times(leastOf(c)/leastOf(focal))+")")
			}
		}
		t = append(t, row)
	}
	return regexp.MustCompile(`(?m)^\| ?| *\|$`).ReplaceAllString(t.String(), "") // a table needs no outer lines
}

// cpu is the machine's processor, in words.
func (r *results) cpu() string {
	name := strings.NewReplacer("(R)", "", "(TM)", "", " Processor", "").Replace(r.fact("CPU"))
	return fmt.Sprintf("an %s (family %s, model %s)", name, r.fact("CPU family"), r.fact("CPU model"))
}

// speeds is the table of all that was timed at one shape.
func (r *results) speeds(threads int, s shape, typ string) table {
	var gammas []float64
	for _, c := range r.cells {
		if c.threads == threads && c.shape == s && c.typ == typ && !slices.Contains(gammas, c.gamma) {
			gammas = append(gammas, c.gamma)
		}
	}
	head := []string{"ns per element"}
	for _, g := range gammas {
		head = append(head, fmt.Sprintf("loss, γ = %v", g), "", fmt.Sprintf("loss + gradient, γ = %v", g), "")
	}
	t := table{head}
	for _, p := range peers {
		row, some := []string{p.title}, false
		for _, g := range gammas {
			for _, op := range []string{"loss", "both"} {
				c := r.of(threads, s, typ, g, op, p.id)
				if c == nil {
					row = append(row, "–", "")
					continue
				}
				some = true
				row = append(row, withSpread(c), times(r.ratio(c)))
			}
		}
		if some {
			t = append(t, row)
		}
	}
	return t
}

// errors is the table of all errors of a type.
func (r *results) errors(typ string) table {
	head := []string{"worst (mean) ULP, " + typ}
	for _, output := range []string{"loss", "gradient"} {
		for _, g := range gammas {
			head = append(head, fmt.Sprintf("%s, γ = %v", output, g))
		}
	}
	t := table{head}
	for _, limit := range limits {
		for _, p := range peers {
			if p.id != p.name() {
				continue
			}
			row, some := []string{fmt.Sprintf("%s, x to ±%v", p.title, limit)}, false
			for _, output := range []string{"loss", "grad"} {
				for _, g := range gammas {
					text := r.ulp(p, typ, g, output, limit)
					some = some || text != "–"
					row = append(row, text)
				}
			}
			if some {
				t = append(t, row)
			}
		}
	}
	return t
}

// missing lists who could not run, and why.
func (r *results) missing() table {
	t := table{{"peer", "what", "why not"}}
	seen := map[string]bool{}
	for _, p := range peers {
		byReason := map[string][]string{}
		var order []string
		for _, c := range r.cells {
			if c.peer != p.id || c.op == "targets" || c.reason == "" {
				continue
			}
			what := c.typ
			if c.op == "both" {
				what += " gradient"
			}
			if byReason[c.reason] == nil {
				order = append(order, c.reason)
			}
			if !slices.Contains(byReason[c.reason], what) {
				byReason[c.reason] = append(byReason[c.reason], what)
			}
		}
		for _, reason := range order {
			line := []string{p.title, strings.Join(byReason[reason], ", "), reason}
			if key := strings.Join(line, "|"); !seen[key] {
				seen[key] = true
				t = append(t, line)
			}
		}
	}
	return t
}

func (r *results) facts() table {
	t := table{{"", ""}}
	for _, f := range slices.Concat(r.machine, r.workers) {
		t = append(t, []string{f[0], f[1]})
	}
	return t
}

// Documents

//go:embed peers.md.tmpl
var documentText string

//go:embed readme.md.tmpl
var readmeText string

// What the marks around a part of a document are called.
const (
	tables       = "bench/peers"
	optionTables = "bench/peers options"
)

func (r *results) execute(text string) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"overview": r.overview,
		"brief":    r.brief,
		"speeds":   func(s shape, typ string) table { return r.speeds(1, s, typ) },
		"all":      func(typ string) table { return r.speeds(r.threads(), large, typ) },
		"threads":  r.threads,
		"errors":   r.errors,
		"missing":  r.missing,
		"facts":    r.facts,
		"aims":     func() table { t, _ := r.aims(); return t },
		"missed":   func() string { _, why := r.aims(); return why },
		"shapes":   func() []shape { return shapes },
		"types":    func() []string { return types },
		"fact":     r.fact,
		"cpu":      r.cpu,
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, nil)
	return b.String(), err
}

// threads is what "all cores" was.
func (r *results) threads() int {
	n := 1
	for _, c := range r.cells {
		n = max(n, c.threads)
	}
	return n
}

func (r *results) fact(name string) string {
	for _, f := range r.machine {
		if f[0] == name {
			return f[1]
		}
	}
	return "unknown"
}

// document writes docs/peers.md, the README's part, and the pictures.
func (r *results) document(root string, pictures bool) error {
	text, err := r.execute(documentText)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "peers.md"), []byte(text), 0o666); err != nil {
		return err
	}
	part, err := r.execute(readmeText)
	if err != nil {
		return err
	}
	name := filepath.Join(root, "README.md")
	readme, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	readme, err = replacePart(readme, tables, part)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.WriteFile(name, readme, 0o666); err != nil || !pictures {
		return err
	}
	return r.draw(filepath.Join(root, "docs"))
}

// replacePart replaces what is between the marks.
func replacePart(document []byte, name, part string) ([]byte, error) {
	begin, end := []byte("<!-- "+name+": begin -->\n"), []byte("<!-- "+name+": end -->\n")
	before, rest, ok := bytes.Cut(document, begin)
	_, after, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		return nil, fmt.Errorf("the marks of %s are missing", name)
	}
	return slices.Concat(before, begin, []byte(part), end, after), nil
}

// bar is one peer in the pictures; what is not known is null.
type bar struct {
	Name  string   `json:"name"`
	Ours  bool     `json:"ours"`
	NS    *float64 `json:"ns"`
	Worst *float64 `json:"worst"`
}

// draw lets py/plot.py draw the pictures.
func (r *results) draw(dir string) error {
	var bars []bar
	for _, p := range peers {
		if p.short == "" {
			continue
		}
		b := bar{Name: p.short, Ours: p.class == ours || p.class == lower}
		if c := r.of(1, usual, "f32", 2, "loss", p.id); c != nil {
			ns := median(c.ns)
			b.NS = &ns
		}
		if a, ok := r.errorOf(p, "f32", 2, "loss", 20); ok && !math.IsInf(a.worst, 0) {
			b.Worst = &a.worst
		}
		bars = append(bars, b)
	}
	in, err := json.Marshal(bars)
	if err != nil {
		return err
	}
	cmd := exec.Command("/usr/bin/python3", "py/plot.py", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("py/plot.py: %w", err)
	}
	return nil
}

// summary prints what there is, for a look.
func (r *results) summary(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, typ := range types {
		for _, row := range r.overview(typ) {
			fmt.Fprintln(out, strings.Join(row, "\t"))
		}
		fmt.Fprintln(out)
	}
	aims, _ := r.aims()
	for _, row := range aims {
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}
