package report

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// A theme is the colours of a chart. No two of a theme are equal: a picture of the one becomes one of the other colour by
// colour.
type theme struct {
	background, text, grid color.RGBA
	series                 []color.RGBA // told apart by the colour-blind too (Okabe and Ito)
}

var (
	light = theme{rgb(0xffffff), rgb(0x1f2328), rgb(0xd8dee4), []color.RGBA{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xa0518a), rgb(0x8a6d00), rgb(0x666666)}}
	dark  = theme{rgb(0x0d1117), rgb(0xe6edf3), rgb(0x30363d), []color.RGBA{rgb(0x56b4e9), rgb(0xf08c4a), rgb(0x3fc79a), rgb(0xe0a0c8), rgb(0xe6c84f), rgb(0xaaaaaa)}}
)

func rgb(v uint32) color.RGBA { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff} }

// all returns the colours in a fixed order.
func (t theme) all() []color.RGBA {
	return append([]color.RGBA{t.background, t.text, t.grid}, t.series...)
}

// of returns a colour of the series.
func (t theme) of(i int) color.RGBA { return t.series[max(i, 0)%len(t.series)] }

// A chart is drawn in the light theme. Its svg has the dark one too.
type chart struct {
	kind   string // of Kinds
	title  string
	alt    string // for those who do not see it
	height vg.Length
	legend []entry
	draw   func() *plot.Plot // without title and legend
}

// Kinds are the kinds of charts.
var Kinds = []string{"speed", "sizes", "workers", "roofline", "machines"}

// An entry of a legend has a line, or else a mark.
type entry struct {
	text   string
	color  color.RGBA
	line   bool
	dashes []vg.Length
	mark   draw.GlyphDrawer
}

// A chart is as wide as a telephone, and its letters can be read there.
const (
	chartWidth  = 400 // points
	chartHeight = 290
	chartMargin = 8
	titleSize   = 12
	labelSize   = 11
	tickSize    = 10
	smallSize   = 9
)

// drawOn draws the chart: the title, the legend in rows, and the plot below.
func (c *chart) drawOn(canvas draw.Canvas) {
	p := c.draw()
	canvas.SetColor(light.background)
	canvas.Fill(canvas.Rectangle.Path())
	style := textStyle(titleSize)
	if room, width := canvas.Size().X-2*chartMargin, wider*style.Width(c.title); width > room { // the name of a machine may be long
		style.Font.Size *= room / width
	}
	style.YAlign = draw.YTop
	y := canvas.Max.Y - chartMargin
	canvas.FillText(style, vg.Point{X: canvas.Min.X + chartMargin, Y: y}, c.title)
	y -= titleSize + 8
	y = drawLegend(canvas, y, c.legend)
	area := canvas
	area.Max.Y = y
	p.Draw(draw.Crop(area, chartMargin, -chartMargin-6, chartMargin, -2))
}

func textStyle(size vg.Length) text.Style {
	return text.Style{Color: light.text, Font: font.From(plot.DefaultFont, size), Handler: plot.DefaultTextHandler}
}

// drawLegend draws entries from left to right below y, in as many rows as they need, and returns where the last ends.
func drawLegend(canvas draw.Canvas, y vg.Length, entries []entry) vg.Length {
	style := textStyle(tickSize)
	style.YAlign = draw.YCenter
	const row, gap, sample = 15, 12, 16
	left := canvas.Min.X + chartMargin
	x := left
	for i, e := range entries {
		width := sample + 4 + wider*style.Width(e.text)
		if x > left && x+width > canvas.Max.X-chartMargin {
			x, y = left, y-row
		}
		middle := y - row/2
		if e.line {
			canvas.StrokeLine2(draw.LineStyle{Color: e.color, Width: 1.5, Dashes: e.dashes}, x, middle, x+sample, middle)
		}
		if e.mark != nil {
			canvas.DrawGlyph(draw.GlyphStyle{Color: e.color, Radius: 3, Shape: e.mark}, vg.Point{X: x + sample/2, Y: middle})
		}
		canvas.FillText(style, vg.Point{X: x + sample + 4, Y: middle}, e.text)
		x += width + gap
		if i == len(entries)-1 {
			y -= row + 2
		}
	}
	return y
}

// wider is how much wider than Liberation Sans the letters of a font may be that a browser takes instead.
const wider = 1.2

func init() {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
}

// newPlot returns an empty chart with a grid.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = light.background
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color = light.text
		a.Label.TextStyle.Color = light.text
		a.Label.TextStyle.Font.Size = labelSize
		a.Label.Padding = 3
		a.Tick.Label.Color = light.text
		a.Tick.Label.Font.Size = tickSize
		a.Tick.LineStyle.Color = light.text
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = light.grid, light.grid
	p.Add(grid)
	return p
}

// series is a line of a chart, with its intervals of confidence.
type series struct {
	name   string
	color  int
	points []point
}

type point struct{ x, y, lo, hi float64 }

func (s *series) Len() int                { return len(s.points) }
func (s *series) XY(i int) (x, y float64) { return s.points[i].x, s.points[i].y }
func (s *series) YError(i int) (lo, hi float64) {
	p := s.points[i]
	if math.IsInf(p.lo, 0) || math.IsInf(p.hi, 0) {
		return 0, 0
	}
	return p.y - p.lo, p.hi - p.y
}

// legendOf has a line for each series.
func legendOf(all []*series) (entries []entry) {
	for _, s := range all {
		entries = append(entries, entry{text: s.name, color: light.of(s.color), line: true, mark: draw.CircleGlyph{}})
	}
	return entries
}

// addSeries draws the lines, with marks and intervals.
func addSeries(p *plot.Plot, all []*series) error {
	for _, s := range all {
		line, marks, err := plotter.NewLinePoints(s)
		if err != nil {
			return err
		}
		bars, err := plotter.NewYErrorBars(s)
		if err != nil {
			return err
		}
		c := light.of(s.color)
		line.Color, marks.Color, bars.Color = c, c, c
		line.Width, bars.Width = 1.5, 0.75
		marks.Shape = draw.CircleGlyph{}
		marks.Radius = 2.5
		p.Add(line, bars, marks)
	}
	return nil
}

// A mark is a vertical line with a text.
type mark struct {
	x    float64
	text string
}

// Plot implements plot.Plotter.
func (m mark) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	x := toX(m.x)
	c.StrokeLine2(draw.LineStyle{Color: light.text, Width: 0.75, Dashes: []vg.Length{2, 2}}, x, c.Min.Y, x, c.Max.Y)
	style := textStyle(tickSize)
	style.XAlign, style.YAlign = draw.XRight, draw.YBottom
	c.FillText(style, vg.Point{X: x - 3, Y: c.Min.Y + 3}, m.text)
}

// notes are texts beside points. None is printed over another, nor over a point.
type notes struct {
	at    []plotter.XY
	texts []string
	avoid []plotter.XY
}

// Plot implements plot.Plotter.
func (n notes) Plot(c draw.Canvas, p *plot.Plot) {
	style := textStyle(smallSize)
	for i, where := range n.place(c, p) {
		at := vg.Point{X: where.Min.X, Y: where.Min.Y - style.Rectangle(n.texts[i]).Min.Y}
		c.SetColor(light.background) // lines pass below the text
		c.Fill(where.Path())
		c.FillText(style, at, n.texts[i])
	}
}

// place returns the rectangles of the texts, each as near to the right of its point as there is place, or else to its left.
func (n notes) place(c draw.Canvas, p *plot.Plot) []vg.Rectangle {
	toX, toY := p.Transforms(&c)
	style := textStyle(smallSize)
	var taken []vg.Rectangle
	const radius, step = 4, 2
	for _, at := range n.avoid {
		x, y := toX(at.X), toY(at.Y)
		taken = append(taken, vg.Rectangle{Min: vg.Point{X: x - radius, Y: y - radius}, Max: vg.Point{X: x + radius, Y: y + radius}})
	}
	var placed []vg.Rectangle
	for i, at := range n.at {
		width, height := wider*style.Width(n.texts[i]), style.Rectangle(n.texts[i]).Size().Y
		x, y := toX(at.X)+radius+2, toY(at.Y)-height/2
		if x+width > c.Max.X {
			x = toX(at.X) - radius - 2 - width
		}
		where := func(k int) vg.Rectangle { // nearer first: 0, below, above, further below …
			shift := vg.Length(step * ((k + 1) / 2))
			if k%2 == 1 {
				shift = -shift
			}
			low := vg.Point{X: x, Y: y + shift}
			return vg.Rectangle{Min: low, Max: low.Add(vg.Point{X: width, Y: height})}
		}
		best := where(0)
		for k := range 200 {
			r := where(k)
			if r.Min.Y >= c.Min.Y && r.Max.Y <= c.Max.Y && !slices.ContainsFunc(taken, func(o vg.Rectangle) bool { return overlap(r, o) }) {
				best = r
				break
			}
		}
		taken = append(taken, best)
		placed = append(placed, best)
	}
	return placed
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}

// logTicks are labelled at powers of a base, or fewer of them if there were more than ten.
type logTicks struct {
	base  float64
	label func(v float64) string
}

// Ticks returns none if the ends are not positive numbers, and at most ten.
func (l logTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	if !(lo > 0 && hi >= lo) || math.IsInf(hi, 1) {
		return nil
	}
	first := math.Ceil(math.Log(lo)/math.Log(l.base) - 1e-4)
	count := math.Floor(math.Log(hi)/math.Log(l.base)+1e-4) - first + 1
	stride := max(1, math.Ceil(count/10))
	for k := 0; k < 10 && float64(k)*stride < count; k++ {
		v := math.Pow(l.base, first+float64(k)*stride)
		ticks = append(ticks, plot.Tick{Value: v, Label: l.label(v)})
	}
	return ticks
}

// levels are ticks at the given places.
func levels(names []string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i, n := range names {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: n})
	}
	return ticks
}

// fonts are what a browser without Liberation Sans may take instead: they have its widths.
const fonts = "'Liberation Sans',Arial,Helvetica,sans-serif"

// svg draws one chart, light, or dark where the reader prefers that.
func (c *chart) svg() []byte { return pictureOf([]*chart{c}) }

// pictureOf draws charts below each other.
func pictureOf(charts []*chart) []byte {
	canvas := vgsvg.New(chartWidth, heightOf(charts))
	drawStack(draw.New(canvas), charts)
	var b bytes.Buffer
	canvas.WriteTo(&b) // no error: it goes to memory
	svg := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:"+fonts))
	// The colours are attributes, for programs that know no style sheets, and a rule for each makes them dark.
	var style strings.Builder
	style.WriteString("<style>@media (prefers-color-scheme:dark){")
	for i, from := range light.all() {
		to := hex(dark.all()[i])
		for _, property := range []string{"fill", "stroke"} {
			fmt.Fprintf(&style, "[style*=\"%s:%s\"]{%s:%s!important}", property, hex(from), property, to)
		}
	}
	style.WriteString("}</style>\n")
	at := bytes.Index(svg, []byte("<g "))
	return slices.Concat(svg[:at], []byte(style.String()), svg[at:])
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

func heightOf(charts []*chart) (sum vg.Length) {
	for _, c := range charts {
		sum += c.height
	}
	return sum
}

func drawStack(canvas draw.Canvas, charts []*chart) {
	y := canvas.Max.Y
	for _, c := range charts {
		part := canvas
		part.Max.Y, part.Min.Y = y, y-c.height
		c.drawOn(part)
		y -= c.height
	}
}

// Draw draws charts below each other into one picture, svg or png: those of the given kinds, or all.
func (r *Report) Draw(kinds []string, format string, w io.Writer) error {
	charts := slices.DeleteFunc(r.Charts(), func(c *chart) bool { return len(kinds) > 0 && !slices.Contains(kinds, c.kind) })
	if len(charts) == 0 {
		return fmt.Errorf("there is nothing to draw: no results with times that mean something")
	}
	const maxCharts = 50
	if len(charts) > maxCharts {
		return fmt.Errorf("there are %d charts, at most %d fit into a picture; -charts chooses among them", len(charts), maxCharts)
	}
	if format == "png" {
		canvas := vgimg.NewWith(vgimg.UseWH(chartWidth, heightOf(charts)), vgimg.UseDPI(192))
		drawStack(draw.New(canvas), charts)
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	}
	_, err := w.Write(pictureOf(charts))
	return err
}

// chartsOf returns the charts of one machine.
func chartsOf(r *results.Run) (charts []*chart) {
	for _, typ := range []string{"f32", "f64"} {
		charts = append(charts, speedupChart(r, typ))
	}
	for _, s := range r.SizeSweeps() {
		charts = append(charts, sizeChart(r, s))
	}
	for _, s := range r.WorkerSweeps() {
		charts = append(charts, workerChart(r, s))
	}
	charts = append(charts, rooflineChart(r))
	return slices.DeleteFunc(charts, func(c *chart) bool { return c == nil })
}

// pathColor is the same in all charts.
func pathColor(path string) int {
	return slices.IndexFunc(machine.PathFeatures, func(p machine.PathFeature) bool { return p.Path == path })
}

// mainShape are the parameters of the results that charts and the first table are about.
var mainShape = []string{"n=1024", "c=80", "workers=1"}

// mainOp returns a result at the main shape and γ = 2, or nil.
func mainOp(r *results.Run, op, typ, path string) *results.Result {
	for _, gamma := range []string{"gamma=2", "gamma="} {
		if m := r.Find(results.Loss, append(slices.Clone(mainShape), "op="+op, "type="+typ, "path="+path, gamma)...); len(m) > 0 {
			return m[0]
		}
	}
	return nil
}

// barSeries are the bars of one colour, one for each group.
type barSeries struct {
	name   string
	color  int
	values plotter.Values
}

// barsOf collects values for each operation, and leaves out those for which nobody has one.
func barsOf(all []*barSeries, value func(series int, op string) float64) (groups []string) {
	for _, op := range results.Ops {
		known := false
		values := make([]float64, len(all))
		for i := range all {
			if v := value(i, op); v > 0 && v < 1e15 {
				values[i], known = v, true
			}
		}
		if !known {
			continue
		}
		groups = append(groups, op)
		for i, s := range all {
			s.values = append(s.values, values[i])
		}
	}
	return groups
}

// barChart is a chart of groups of horizontal bars, from above, each with its value.
func barChart(kind, title, alt, x string, groups []string, all []*barSeries) *chart {
	const width, gap = 11, 8
	c := &chart{kind: kind, title: title, alt: alt}
	for _, s := range all {
		c.legend = append(c.legend, entry{text: s.name, color: light.of(s.color), mark: draw.BoxGlyph{}})
	}
	c.height = 80 + 15*vg.Length((len(all)+1)/2) + vg.Length(len(groups)*(width*len(all)+gap))
	c.draw = func() *plot.Plot {
		p := newPlot(x, "")
		largest := 0.0
		for i, s := range all {
			values := slices.Clone(s.values)
			slices.Reverse(values)
			bars, err := plotter.NewBarChart(values, width)
			if err != nil {
				continue // there are values, and they are finite
			}
			bars.Horizontal = true
			bars.Color, bars.LineStyle.Width = light.of(s.color), 0
			bars.Offset = -width * vg.Length(2*i+1-len(all)) / 2
			p.Add(bars, barValues{bars})
			largest = max(largest, slices.Max(values))
		}
		names := slices.Clone(groups)
		slices.Reverse(names)
		p.Y.Tick.Marker = levels(names)
		p.Y.Tick.LineStyle.Width = 0
		p.Y.Min, p.Y.Max = -0.6, float64(len(groups))-0.4
		p.X.Min, p.X.Max = 0, 1.12*largest
		return p
	}
	return c
}

// barValues are the numbers at the ends of bars.
type barValues struct {
	*plotter.BarChart
}

// Plot implements plot.Plotter.
func (b barValues) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	style := textStyle(smallSize)
	style.YAlign = draw.YCenter
	for i, v := range b.Values {
		if v > 0 {
			c.FillText(style, vg.Point{X: toX(v) + 3, Y: toY(float64(i)) + b.Offset}, fmt.Sprintf("%.3g", v))
		}
	}
}

func speedupChart(r *results.Run, typ string) *chart {
	var all []*barSeries
	for _, path := range r.Paths() {
		if path != "generic" {
			all = append(all, &barSeries{name: path, color: pathColor(path)})
		}
	}
	groups := barsOf(all, func(i int, op string) float64 {
		generic, m := mainOp(r, op, typ, "generic"), mainOp(r, op, typ, all[i].name)
		if generic == nil || m == nil {
			return 0
		}
		return generic.Median("sec/elem") / m.Median("sec/elem")
	})
	if len(groups) == 0 {
		return nil
	}
	return barChart("speed", "speed-up over the pure-Go path, "+typ+", 1024×80, γ = 2", "for each operation and path", "times as fast as the pure-Go path", groups, all)
}

// acrossChart compares the best paths of machines.
func acrossChart(runs []*results.Run, names []string, typ string) *chart {
	var all []*barSeries
	var native []*results.Run
	for i, r := range runs {
		if !r.Emulated() && len(r.Paths()) > 0 {
			native = append(native, r)
			all = append(all, &barSeries{name: names[i] + ", " + r.Paths()[0], color: i})
		}
	}
	groups := barsOf(all, func(i int, op string) float64 {
		return mainOp(native[i], op, typ, native[i].Paths()[0]).Median("Gelem/s")
	})
	if len(native) < 2 || len(groups) == 0 {
		return nil
	}
	return barChart("machines", "best path of each machine, "+typ+", 1024×80, γ = 2", "speed of each operation with one worker", "Gelem/s", groups, all)
}

// drawable reports whether a speed can stand on a logarithmic axis.
func drawable(s benchmath.Summary) bool {
	return s.Center > 1e-15 && s.Center < 1e15 && (s.Lo > 1e-15 || math.IsInf(s.Lo, 0)) && (s.Hi < 1e15 || math.IsInf(s.Hi, 0))
}

// workingSet is how many bytes of logits and losses a result is about.
func workingSet(m *results.Result) float64 {
	size := 4
	if m.Param("type") == "f64" {
		size = 8
	}
	return float64(2 * size * m.Int("n") * m.Int("c"))
}

func sizeChart(r *results.Run, sw results.Sweep) *chart {
	var all []*series
	for _, path := range r.Paths() {
		s := &series{name: path, color: pathColor(path)}
		for _, m := range r.Find(results.Loss, sw.Sizes("path="+path)...) {
			if v, ok := m.Summary("Gelem/s"); ok && drawable(v) {
				s.points = append(s.points, point{workingSet(m), v.Center, v.Lo, v.Hi})
			}
		}
		slices.SortFunc(s.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
		if len(s.points) > 1 {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	title := fmt.Sprintf("%s by size, %s, γ = %s", results.SweepOp, sw.Type, sw.Gamma)
	alt := "speed of each path as logits and losses outgrow the caches"
	return &chart{kind: "sizes", title: title, alt: alt, height: chartHeight, legend: legendOf(all), draw: func() *plot.Plot {
		p := newPlot("bytes of logits and losses", "Gelem/s")
		if err := addSeries(p, all); err != nil {
			return p
		}
		sizeAxis(p)
		p.X.Min, p.X.Max = p.X.Min/1.2, p.X.Max*1.2
		speedAxis(p)
		c := r.Caches()
		for i, size := range []int{c.L1, c.L2, c.L3} {
			if x := float64(size); x > p.X.Min && x < p.X.Max {
				p.Add(mark{x, fmt.Sprintf("L%d", i+1)})
			}
		}
		return p
	}}
}

// speedAxis makes y a logarithmic axis of speed: paths differ by more than ten.
func speedAxis(p *plot.Plot) {
	p.Y.Scale = plot.LogScale{}
	p.Y.Min, p.Y.Max = p.Y.Min/1.5, p.Y.Max*1.5
	base := 10.0
	if p.Y.Max/p.Y.Min < 30 {
		base = 2
	}
	p.Y.Tick.Marker = logTicks{base, func(v float64) string { return fmt.Sprintf("%.3g", v) }}
}

// sizeAxis makes x an axis of bytes.
func sizeAxis(p *plot.Plot) {
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = logTicks{8, func(v float64) string { return strings.ReplaceAll(machine.SizeString(int(v)), " ", "\u00a0") }}
}

func workerChart(r *results.Run, sw results.Sweep) *chart {
	var all []*series
	most := 1.0
	for _, path := range r.Paths() {
		// The largest shape that was measured with more than one worker.
		var shape *results.Result
		for _, m := range r.Find(results.Loss, sw.Params("path="+path)...) {
			if m.Int("workers") > 1 && (shape == nil || workingSet(m) > workingSet(shape)) {
				shape = m
			}
		}
		if shape == nil {
			continue
		}
		same := r.Find(results.Loss, sw.Params("path="+path, "n="+shape.Param("n"), "c="+shape.Param("c"), "clock="+shape.Param("clock"))...)
		s := &series{name: path, color: pathColor(path)}
		for _, m := range same {
			if v, ok := m.Summary("Gelem/s"); ok && drawable(v) {
				s.points = append(s.points, point{float64(m.Int("workers")), v.Center, v.Lo, v.Hi})
				most = max(most, float64(m.Int("workers")))
			}
		}
		slices.SortFunc(s.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
		if len(s.points) > 2 {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil // a table shows two numbers better
	}
	legend := append(legendOf(all), entry{text: "each as fast as the first", color: light.text, line: true, dashes: []vg.Length{3, 3}})
	title := fmt.Sprintf("%s by workers, %s, γ = %s, from memory", results.SweepOp, sw.Type, sw.Gamma)
	alt := "speed by number of goroutines, dashed if each were as fast as the first"
	return &chart{kind: "workers", title: title, alt: alt, height: chartHeight, legend: legend, draw: func() *plot.Plot {
		p := newPlot("goroutines", "Gelem/s")
		if err := addSeries(p, all); err != nil {
			return p
		}
		for _, s := range all {
			first := s.points[0]
			ideal, err := plotter.NewLine(plotter.XYs{{X: first.x, Y: first.y}, {X: most, Y: first.y / first.x * most}})
			if err != nil {
				continue
			}
			ideal.Color, ideal.Width, ideal.Dashes = light.of(s.color), 0.75, []vg.Length{3, 3}
			p.Add(ideal)
		}
		p.X.Min, p.X.Max = 0.95, most*1.02
		p.X.Tick.Marker = logTicks{2, func(v float64) string { return fmt.Sprint(v) }}
		p.X.Scale = plot.LogScale{}
		speedAxis(p)
		return p
	}}
}

// A bandwidth is the best that copying reached at sizes that a level of the memory holds.
type bandwidth struct {
	level string
	gbs   float64
}

func bandwidths(r *results.Run) (all []bandwidth) {
	c := r.Caches()
	largest := 0
	for _, m := range r.Find(results.Stream, "kind=copy") {
		largest = max(largest, m.Int("bytes"))
	}
	lower := 0
	for i, size := range []int{c.L1, c.L2, c.L3} {
		best := 0.0
		for _, m := range r.Find(results.Stream, "kind=copy") {
			if n := m.Int("bytes"); n > lower && n <= size {
				best = max(best, m.Median("GB/s"))
			}
		}
		if best > 1e-15 {
			all = append(all, bandwidth{fmt.Sprintf("L%d", i+1), best})
		}
		lower = max(lower, size)
	}
	if m := r.Find(results.Stream, "kind=copy", fmt.Sprintf("bytes=%d", largest)); len(m) > 0 && largest > lower && m[0].Median("GB/s") > 1e-15 {
		all = append(all, bandwidth{"memory", m[0].Median("GB/s")})
	}
	return all
}

// dot is a result in the roofline.
type dot struct {
	x, y float64
	op   string
}

// dotsOf returns the results of a path at the main shape and γ = 2, from low to high.
func dotsOf(r *results.Run, path, typ string) (dots []dot) {
	for _, m := range r.Find(results.Loss, append(slices.Clone(mainShape), "path="+path, "type="+typ)...) {
		speed, traffic := m.Median("Gelem/s"), m.Median("GB/s")
		if gamma := m.Param("gamma"); speed > 1e-15 && speed < 1e15 && traffic > 1e-15 && traffic < 1e15 && (gamma == "2" || gamma == "") {
			dots = append(dots, dot{speed / traffic, speed, m.Param("op")})
		}
	}
	slices.SortFunc(dots, func(a, b dot) int { return cmp.Compare(a.y, b.y) })
	return dots
}

func rooflineChart(r *results.Run) *chart {
	roofs := slices.DeleteFunc(bandwidths(r), func(b bandwidth) bool { return b.gbs > 1e15 })
	types := []string{"f32", "f64"}
	var path string
	var dots [2][]dot
	for _, path = range r.Paths() { // the best that was measured here
		for i, typ := range types {
			dots[i] = dotsOf(r, path, typ)
		}
		if len(dots[0])+len(dots[1]) > 0 {
			break
		}
	}
	all := slices.Concat(dots[0], dots[1])
	if len(roofs) == 0 || len(all) == 0 {
		return nil
	}
	lo, hi := math.Inf(1), 0.0
	left, right := 1./40, 1./3
	for _, d := range all {
		lo, hi = min(lo, d.y), max(hi, d.y)
		left, right = min(left, d.x/1.2), max(right, d.x*1.2)
	}
	var legend []entry
	color := light.of(pathColor(path))
	marks := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.RingGlyph{}}
	for i, typ := range types {
		if len(dots[i]) > 0 {
			legend = append(legend, entry{text: path + " " + typ, color: color, mark: marks[i]})
		}
	}
	dashes := [][]vg.Length{nil, {6, 3}, {3, 3}, {1, 3}}
	for i, roof := range roofs {
		legend = append(legend, entry{text: fmt.Sprintf("%s: %.0f GB/s", roof.level, roof.gbs), color: light.text, line: true, dashes: dashes[i%4]})
		lo, hi = min(lo, roof.gbs*left), max(hi, roof.gbs*right)
	}
	alt := "speed against elements per byte of traffic, below the bandwidths of copying from caches and memory"
	return &chart{kind: "roofline", title: "roofline of " + path + ", 1024×80, γ = 2", alt: alt, height: chartHeight + 60, legend: legend, draw: func() *plot.Plot {
		p := newPlot("elements per byte read and written", "Gelem/s")
		p.X.Min, p.X.Max = left, right
		for i, roof := range roofs {
			line, err := plotter.NewLine(plotter.XYs{{X: left, Y: roof.gbs * left}, {X: right, Y: roof.gbs * right}})
			if err != nil {
				continue
			}
			line.Color, line.Width, line.Dashes = light.text, 1, dashes[i%4]
			p.Add(line)
		}
		var n notes
		for i := range types {
			var at plotter.XYs
			for _, d := range dots[i] {
				at = append(at, plotter.XY{X: d.x, Y: d.y})
				if i == 0 || len(dots[0]) == 0 {
					n.texts = append(n.texts, d.op)
				}
			}
			scatter, err := plotter.NewScatter(at)
			if err != nil || len(at) == 0 {
				continue
			}
			scatter.Color, scatter.Radius, scatter.Shape = light.of(pathColor(path)), 3, marks[i]
			p.Add(scatter)
			if i == 0 || len(dots[0]) == 0 {
				n.at = at
			}
			n.avoid = append(n.avoid, at...)
		}
		p.Add(n)
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker = logTicks{2, func(v float64) string { return fmt.Sprintf("1/%.0f", 1/v) }}
		p.Y.Min, p.Y.Max = lo/1.5, hi*1.5
		p.Y.Tick.Marker = logTicks{10, func(v float64) string { return fmt.Sprintf("%g", v) }}
		return p
	}}
}
