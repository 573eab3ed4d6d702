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

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// A theme is the colours of a chart.
type theme struct {
	background, text, grid color.Color
	series                 []color.Color // told apart by the colour-blind too (Okabe and Ito)
}

var (
	light = theme{rgb(0xffffff), rgb(0x1f2328), rgb(0xd8dee4), []color.Color{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xa0518a), rgb(0x8a6d00), rgb(0x666666)}}
	dark  = theme{rgb(0x0d1117), rgb(0xe6edf3), rgb(0x30363d), []color.Color{rgb(0x56b4e9), rgb(0xf08c4a), rgb(0x3fc79a), rgb(0xe0a0c8), rgb(0xe6c84f), rgb(0xaaaaaa)}}
)

func rgb(v uint32) color.Color { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff} }

// A chart can be drawn in any theme.
type chart struct {
	title string
	alt   string                   // for those who do not see it
	draw  func(t theme) *plot.Plot // without the title
}

// drawOn draws the chart with its title, and a margin.
func (c *chart) drawOn(canvas draw.Canvas, t theme) {
	p := c.draw(t)
	p.Title.Text = c.title
	canvas.SetColor(t.background)
	canvas.Fill(canvas.Rectangle.Path())
	p.Draw(draw.Crop(canvas, 6, -12, 6, -8))
}

const chartWidth, chartHeight = 6.4 * vg.Inch, 4 * vg.Inch

func init() {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
}

// newPlot returns an empty chart with a grid.
func (t theme) newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = t.background
	p.Title.TextStyle.Color = t.text
	p.Title.TextStyle.Font.Size = 13
	p.Title.Padding = 6
	p.Legend.TextStyle.Color = t.text
	p.Legend.TextStyle.Font.Size = 10
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = 2
	p.Legend.XOffs, p.Legend.YOffs = 6, -4
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color = t.text
		a.Label.TextStyle.Color = t.text
		a.Label.TextStyle.Font.Size = 11
		a.Label.Padding = 4
		a.Tick.Label.Color = t.text
		a.Tick.Label.Font.Size = 10
		a.Tick.LineStyle.Color = t.text
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = t.grid, t.grid
	p.Add(grid)
	return p
}

// series is a line of a chart, with its intervals of confidence.
type series struct {
	name   string
	color  int
	dashed bool
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

// addSeries draws the lines, with marks and intervals, and the legend.
func (t theme) addSeries(p *plot.Plot, all []*series) error {
	for _, s := range all {
		line, marks, err := plotter.NewLinePoints(s)
		if err != nil {
			return err
		}
		bars, err := plotter.NewYErrorBars(s)
		if err != nil {
			return err
		}
		c := t.series[s.color%len(t.series)]
		line.Color, marks.Color, bars.Color = c, c, c
		line.Width, bars.Width = 1.5, 0.75
		if s.dashed {
			line.Dashes = []vg.Length{4, 3}
		}
		marks.Shape = draw.CircleGlyph{}
		marks.Radius = 2.5
		p.Add(line, bars, marks)
		p.Legend.Add(s.name, line, marks)
	}
	return nil
}

// addMark draws a vertical line with a text.
func (t theme) addMark(p *plot.Plot, x float64, text string) {
	p.Add(mark{x: x, text: text, theme: t})
}

type mark struct {
	x     float64
	text  string
	theme theme
}

func (m mark) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	x := toX(m.x)
	c.StrokeLine2(draw.LineStyle{Color: m.theme.text, Width: 0.75, Dashes: []vg.Length{2, 2}}, x, c.Min.Y, x, c.Max.Y)
	style := p.X.Tick.Label
	style.XAlign, style.YAlign = draw.XRight, draw.YTop
	c.FillText(style, vg.Point{X: x - 3, Y: c.Max.Y - 44}, m.text) // below the legend
}

// logTicks are labelled at powers of a base.
type logTicks struct {
	base  float64
	label func(v float64) string
}

// Ticks returns none if the ends are not positive numbers. Between others there are at most as many as a float64 has exponents.
func (l logTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	if !(lo > 0 && lo <= hi) || math.IsInf(hi, 0) {
		return nil
	}
	last := math.Ceil(math.Log(hi) / math.Log(l.base))
	for e := math.Floor(math.Log(lo) / math.Log(l.base)); e <= last; e++ {
		if v := math.Pow(l.base, e); v >= lo*0.9999 && v <= hi*1.0001 {
			ticks = append(ticks, plot.Tick{Value: v, Label: l.label(v)})
		}
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

func withFonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:"+fonts))
}

// svg draws one chart.
func (c *chart) svg(t theme) []byte {
	canvas := vgsvg.New(chartWidth, chartHeight)
	c.drawOn(draw.New(canvas), t)
	var b bytes.Buffer
	canvas.WriteTo(&b)
	return withFonts(b.Bytes())
}

// Draw draws all charts into one picture, svg or png, two in a row.
func (r *Report) Draw(format string, w io.Writer) error {
	charts := r.Charts()
	if len(charts) == 0 {
		return fmt.Errorf("there is nothing to draw: no results with times that mean something")
	}
	columns := min(2, len(charts))
	rows := (len(charts) + columns - 1) / columns
	width, height := vg.Length(columns)*chartWidth, vg.Length(rows)*chartHeight
	all := func(canvas vg.CanvasSizer) {
		c := draw.New(canvas)
		tiles := draw.Tiles{Cols: columns, Rows: rows}
		for i := range columns * rows {
			tile := tiles.At(c, i%columns, i/columns)
			if i < len(charts) {
				charts[i].drawOn(tile, light)
			} else {
				tile.SetColor(light.background)
				tile.Fill(tile.Rectangle.Path())
			}
		}
	}
	if format == "png" {
		canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(144))
		all(canvas)
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	}
	canvas := vgsvg.New(width, height)
	all(canvas)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	_, err := w.Write(withFonts(b.Bytes()))
	return err
}

// chartsOf returns the charts of one machine.
func chartsOf(r *results.Run) (charts []*chart) {
	charts = append(charts, speedupChart(r))
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

// barsOf collects values for each operation and type, and leaves out those for which nobody has one.
func barsOf(all []*barSeries, value func(series int, op, typ string) float64) (groups []string) {
	for _, typ := range []string{"f32", "f64"} {
		for _, op := range results.Ops {
			known := false
			values := make([]float64, len(all))
			for i := range all {
				values[i] = value(i, op, typ)
				known = known || values[i] > 0
			}
			if !known {
				continue
			}
			groups = append(groups, op+" "+typ)
			for i, s := range all {
				s.values = append(s.values, values[i])
			}
		}
	}
	return groups
}

// drawBars draws groups of bars.
func (t theme) drawBars(groups []string, all []*barSeries, y string) *plot.Plot {
	p := t.newPlot("", y)
	width := min(14, 270/vg.Length(len(groups)*len(all)))
	top := 0.0
	for i, s := range all {
		bars, err := plotter.NewBarChart(s.values, width)
		if err != nil {
			continue // there are values, and they are finite
		}
		bars.Color, bars.LineStyle.Width = t.series[s.color%len(t.series)], 0
		bars.Offset = width * vg.Length(2*i+1-len(all)) / 2
		p.Add(bars)
		p.Legend.Add(s.name, bars)
		top = max(top, slices.Max(s.values))
	}
	p.Legend.Left = false
	p.X.Tick.Marker = levels(groups)
	p.X.Tick.LineStyle.Width = 0
	p.X.Tick.Label.Font.Size = 8
	p.X.Tick.Label.Rotation = math.Pi / 5
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
	p.X.Min, p.X.Max = -0.6, float64(len(groups))-0.4
	p.Y.Min, p.Y.Max = 0, top*(1.1+0.06*float64(len(all)))
	return p
}

func speedupChart(r *results.Run) *chart {
	var all []*barSeries
	for _, path := range r.Paths() {
		if path != "generic" {
			all = append(all, &barSeries{name: path, color: pathColor(path)})
		}
	}
	groups := barsOf(all, func(i int, op, typ string) float64 {
		generic, m := mainOp(r, op, typ, "generic"), mainOp(r, op, typ, all[i].name)
		if generic == nil || m == nil {
			return 0
		}
		return generic.Median("sec/elem") / m.Median("sec/elem")
	})
	if len(groups) == 0 {
		return nil
	}
	return &chart{title: "speed-up over pure Go, 1024×80, γ = 2", alt: "for each operation and path", draw: func(t theme) *plot.Plot {
		return t.drawBars(groups, all, "times as fast as pure Go")
	}}
}

// acrossChart compares the best paths of machines.
func acrossChart(runs []*results.Run, names []string) *chart {
	var all []*barSeries
	var real []*results.Run
	for i, r := range runs {
		if !r.Emulated() && len(r.Paths()) > 0 {
			real = append(real, r)
			all = append(all, &barSeries{name: names[i] + ", " + r.Paths()[0], color: i})
		}
	}
	groups := barsOf(all, func(i int, op, typ string) float64 {
		return mainOp(real[i], op, typ, real[i].Paths()[0]).Median("Gelem/s")
	})
	if len(real) < 2 || len(groups) == 0 {
		return nil
	}
	return &chart{title: "best path of each machine, 1024×80, γ = 2, one worker", alt: "speed of each operation", draw: func(t theme) *plot.Plot {
		return t.drawBars(groups, all, "Gelem/s")
	}}
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
			if v, ok := m.Summary("Gelem/s"); ok {
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
	return &chart{title: fmt.Sprintf("%s by size, %s, γ = %s", results.SweepOp, sw.Type, sw.Gamma), alt: "speed of each path as logits and losses outgrow the caches", draw: func(t theme) *plot.Plot {
		p := t.newPlot("logits and losses", "Gelem/s")
		if err := t.addSeries(p, all); err != nil {
			return p
		}
		sizeAxis(p)
		p.Legend.Left = false
		p.X.Min, p.X.Max = p.X.Min/1.2, p.X.Max*1.2
		p.Y.Min, p.Y.Max = 0, 1.45*p.Y.Max
		c := r.Caches()
		for i, size := range []int{c.L1, c.L2, c.L3} {
			if x := float64(size); x > p.X.Min && x < p.X.Max {
				t.addMark(p, x, fmt.Sprintf("L%d", i+1))
			}
		}
		return p
	}}
}

// sizeAxis makes x an axis of bytes.
func sizeAxis(p *plot.Plot) {
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = logTicks{4, func(v float64) string { return strings.ReplaceAll(machine.SizeString(int(v)), " ", "\u00a0") }}
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
			if v, ok := m.Summary("Gelem/s"); ok {
				s.points = append(s.points, point{float64(m.Int("workers")), v.Center, v.Lo, v.Hi})
				most = max(most, float64(m.Int("workers")))
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
	return &chart{title: fmt.Sprintf("%s by workers, %s, γ = %s", results.SweepOp, sw.Type, sw.Gamma), alt: "speed by number of goroutines, dashed if each gave as much as the first", draw: func(t theme) *plot.Plot {
		p := t.newPlot("goroutines, on logits that no cache holds (dashed: each as much as the first)", "Gelem/s")
		if err := t.addSeries(p, all); err != nil {
			return p
		}
		for _, s := range all {
			first := s.points[0]
			ideal, err := plotter.NewLine(plotter.XYs{{X: first.x, Y: first.y}, {X: most, Y: first.y / first.x * most}})
			if err != nil {
				continue
			}
			ideal.Color, ideal.Width, ideal.Dashes = t.series[s.color%len(t.series)], 0.75, []vg.Length{3, 3}
			p.Add(ideal)
		}
		p.X.Min, p.X.Max = 0.95, most*1.02
		p.X.Tick.Marker = logTicks{2, func(v float64) string { return fmt.Sprint(v) }}
		if most > 8 {
			p.X.Scale = plot.LogScale{}
		}
		p.Y.Min, p.Y.Max = 0, 1.25*p.Y.Max
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
		if best > 0 {
			all = append(all, bandwidth{fmt.Sprintf("L%d", i+1), best})
		}
		lower = max(lower, size)
	}
	if m := r.Find(results.Stream, "kind=copy", fmt.Sprintf("bytes=%d", largest)); len(m) > 0 && largest > lower {
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
		if gamma := m.Param("gamma"); speed > 0 && traffic > 0 && (gamma == "2" || gamma == "") {
			dots = append(dots, dot{speed / traffic, speed, m.Param("op")})
		}
	}
	slices.SortFunc(dots, func(a, b dot) int { return cmp.Compare(a.y, b.y) })
	return dots
}

// labelsOf returns a label for each dot, and one for dots that are close together.
func labelsOf(dots []dot) (labels plotter.XYLabels) {
	for _, d := range dots {
		near := func(at plotter.XY) bool { return math.Abs(at.X/d.x-1) < 0.1 && d.y/at.Y < 1.25 }
		if i := slices.IndexFunc(labels.XYs, near); i >= 0 {
			labels.Labels[i] += ", " + d.op
			continue
		}
		labels.XYs = append(labels.XYs, plotter.XY{X: d.x, Y: d.y})
		labels.Labels = append(labels.Labels, d.op)
	}
	return labels
}

func rooflineChart(r *results.Run) *chart {
	roofs := bandwidths(r)
	lo, hi := math.Inf(1), 0.0
	left, right := 1./40, 1./3
	var paths []string
	for _, path := range r.Paths() {
		if path == "generic" {
			continue
		}
		dots := append(dotsOf(r, path, "f32"), dotsOf(r, path, "f64")...)
		for _, d := range dots {
			lo, hi = min(lo, d.y), max(hi, d.y)
			left, right = min(left, d.x/1.2), max(right, d.x*1.2)
		}
		if len(dots) > 0 {
			paths = append(paths, path)
		}
	}
	if len(roofs) == 0 || len(paths) == 0 {
		return nil
	}
	alt := "speed against elements per byte of traffic, below the bandwidths of caches and memory"
	return &chart{title: "roofline, 1024×80, γ = 2", alt: alt, draw: func(t theme) *plot.Plot {
		p := t.newPlot("elements for each byte read and written", "Gelem/s")
		p.X.Min, p.X.Max = left, right
		for i, roof := range roofs {
			line, err := plotter.NewLine(plotter.XYs{{X: left, Y: roof.gbs * left}, {X: right, Y: roof.gbs * right}})
			if err != nil {
				continue
			}
			line.Color, line.Width = t.text, 1
			line.Dashes = [][]vg.Length{nil, {6, 3}, {3, 3}, {1, 3}}[i%4]
			p.Add(line)
			p.Legend.Add(fmt.Sprintf("%s, copying: %.0f GB/s", roof.level, roof.gbs), line)
			lo, hi = min(lo, roof.gbs*left), max(hi, roof.gbs*right)
		}
		for k, path := range paths {
			color := t.series[pathColor(path)%len(t.series)]
			for _, kind := range []struct {
				typ   string
				shape draw.GlyphDrawer
			}{{"f32", draw.CircleGlyph{}}, {"f64", draw.RingGlyph{}}} {
				dots := dotsOf(r, path, kind.typ)
				var at plotter.XYs
				for _, d := range dots {
					at = append(at, plotter.XY{X: d.x, Y: d.y})
				}
				marks, err := plotter.NewScatter(at)
				if err != nil || len(dots) == 0 {
					continue
				}
				marks.Color, marks.Radius, marks.Shape = color, 3, kind.shape
				p.Add(marks)
				p.Legend.Add(path+" "+kind.typ, marks)
				if k > 0 || kind.typ != "f32" {
					continue
				}
				if text, err := plotter.NewLabels(labelsOf(dots)); err == nil {
					for i := range text.TextStyle {
						text.TextStyle[i].Color = t.text
						text.TextStyle[i].Font.Size = 8
					}
					text.Offset = vg.Point{X: 5, Y: -2}
					p.Add(text)
				}
			}
		}
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker = logTicks{2, func(v float64) string { return fmt.Sprintf("1/%.0f", 1/v) }}
		p.Y.Min, p.Y.Max = lo/1.5, hi*6
		p.Y.Tick.Marker = logTicks{10, func(v float64) string { return fmt.Sprintf("%g", v) }}
		return p
	}}
}
