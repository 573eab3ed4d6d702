package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gofocal/focal"
)

const (
	canvasSide = 40
	positions  = canvasSide - side + 1 // of a window along each axis, at a stride of one pixel
	windows    = positions * positions

	digitsPerCanvas    = 3
	fragmentsPerCanvas = 3
	strokesPerCanvas   = 8
	noise              = 0.15
)

// A canvas is a picture with a few digits in it, and every place where a window can stand is labelled.
type canvas struct {
	pix   [canvasSide * canvasSide]float32
	label [windows]int32
}

// newCanvas draws digits and clutter: halves of other digits, pen strokes and noise.
func newCanvas(digits []digit, rng *rand.Rand) *canvas {
	c := new(canvas)
	for i := range c.pix {
		c.pix[i] = noise * rng.Float32()
	}
	for range strokesPerCanvas {
		c.drawStroke(rng)
	}
	var taken [][2]int
	for i := range digitsPerCanvas + fragmentsPerCanvas {
		y, x := freePlace(taken, rng)
		taken = append(taken, [2]int{y, x})
		d := digits[rng.IntN(len(digits))]
		if i < digitsPerCanvas {
			c.markDigit(y, x, d.class)
		} else {
			cutHalf(&d, rng)
		}
		ink := 0.5 + 0.5*rng.Float32()
		for k, v := range d.pix {
			p := &c.pix[(y+k/side)*canvasSide+x+k%side]
			*p = max(*p, ink*v)
		}
	}
	return c
}

// freePlace returns a place for a window that touches none of those taken. There is one as long as fewer than nine are
// taken: of the windows at 0, 16 and 32 along each axis, one alone can touch two of the nine.
func freePlace(taken [][2]int, rng *rand.Rand) (y, x int) {
	for {
		y, x = rng.IntN(positions), rng.IntN(positions)
		if !slices.ContainsFunc(taken, func(t [2]int) bool { return distance(y, x, t[0], t[1]) < side }) {
			return y, x
		}
	}
}

// markDigit labels the windows around a digit: the one that holds exactly it is positive. Those that hold a part of it
// are neither right nor wrong to be taken for it, and are ignored, unless that part is less than about a half. All
// others remain background.
func (c *canvas) markDigit(y, x int, class int32) {
	for wy := range positions {
		for wx := range positions {
			switch d := distance(wy, wx, y, x); {
			case d == 0:
				c.label[wy*positions+wx] = class
			case d < side/2:
				c.label[wy*positions+wx] = -1
			}
		}
	}
}

// drawStroke draws a straight pen stroke of random place, direction, length and ink.
func (c *canvas) drawStroke(rng *rand.Rand) {
	y, x := rng.IntN(canvasSide), rng.IntN(canvasSide)
	dy, dx := rng.IntN(3)-1, rng.IntN(3)-1
	ink := 0.2 + float32(0.6*rng.Float32())
	for range 3 + rng.IntN(8) {
		if y < 0 || y >= canvasSide || x < 0 || x >= canvasSide {
			return
		}
		p := &c.pix[y*canvasSide+x]
		*p = max(*p, ink)
		y, x = y+dy, x+dx
	}
}

// cutHalf erases one half of a digit: the upper, the lower, the left or the right one.
func cutHalf(d *digit, rng *rand.Rand) {
	vertical, first := rng.IntN(2) == 0, rng.IntN(2) == 0
	for k := range d.pix {
		at := k / side
		if vertical {
			at = k % side
		}
		if (at < side/2) == first {
			d.pix[k] = 0
		}
	}
}

// distance is how far one window must be moved, along the axis that needs more, to lie on another.
func distance(y0, x0, y1, x1 int) int {
	return max(y0-y1, y1-y0, x0-x1, x1-x0)
}

// appendWindows appends all windows of the canvas to x, each as a row of 64 pixels that standardize has passed over.
func (c *canvas) appendWindows(x []float32) []float32 {
	for wy := range positions {
		for wx := range positions {
			for r := range side {
				x = append(x, c.pix[(wy+r)*canvasSide+wx:][:side]...)
			}
			standardize(x[len(x)-pixels:])
		}
	}
	return x
}

// standardize gives a window zero mean and about unit variance, so faint ink looks like black ink. A window of
// nothing but noise stays small.
func standardize(window []float32) {
	var sum, squares float32
	for _, v := range window {
		sum += v
	}
	mean := sum / pixels
	for i := range window {
		window[i] -= mean
		squares += float32(window[i] * window[i])
	}
	scale := 1 / float32(math.Sqrt(float64(squares/pixels+0.01)))
	for i := range window {
		window[i] *= scale
	}
}

// A detection is one class at one window.
type detection struct {
	score float32
	hit   bool // the window holds a digit of that class
}

// detect scores every class at every window that is not ignored.
func (m *network) detect(x []float32, label []int32) ([]detection, error) {
	score := m.forward(x)
	if err := focal.Sigmoid(score, score); err != nil {
		return nil, err
	}
	var ds []detection
	for i, class := range label {
		if class < 0 {
			continue
		}
		for j, s := range score[i*classes:][:classes] {
			ds = append(ds, detection{s, class == int32(j)+1})
		}
	}
	return ds, nil
}

// recalls are the recalls at which curve.precision is taken.
var recalls = []float64{0.5, 0.7, 0.8, 0.9, 0.95}

// A curve sums up precision (how many of the detections above a threshold are hits) against recall (how many of the
// digits are among them), over all thresholds.
type curve struct {
	precision []float64 // where each of recalls is first reached
	ap        float64   // average precision: the area under the curve, a step for each threshold
}

// newCurve sorts the detections. Those of one score come in together, as no threshold can part them.
func newCurve(ds []detection) curve {
	slices.SortFunc(ds, func(a, b detection) int { return cmp.Compare(b.score, a.score) })
	all := 0
	for _, d := range ds {
		if d.hit {
			all++
		}
	}
	var c curve
	hits, before := 0, 0.0
	for i, d := range ds {
		if d.hit {
			hits++
		}
		if i+1 < len(ds) && ds[i+1].score == d.score {
			continue
		}
		precision := float64(hits) / float64(i+1)
		recall := float64(hits) / float64(all)
		c.ap += float64(precision * (recall - before))
		before = recall
		for len(c.precision) < len(recalls) && recall >= recalls[len(c.precision)] {
			c.precision = append(c.precision, precision)
		}
	}
	return c
}
