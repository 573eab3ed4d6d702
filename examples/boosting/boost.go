package main

import (
	"github.com/gofocal/focal"
	"github.com/gofocal/focal/examples/internal/digits"
)

// booster fits trees one after another, each by a Newton step: with G and H the sums of gradients and Hessians of the
// rows in a leaf, the leaf adds -rate·G/(H+lambda) to their logits, and the best split is that of the largest gain
// GL²/(HL+lambda) + GR²/(HR+lambda) - G²/(H+lambda). (Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System",
// 2016.)
type booster struct {
	rounds, depth int
	rate, lambda  float64

	// second says what a row's H is. The focal loss is not convex: far on the wrong side a row's Hessian is negative. A Newton
	// step along a negative curvature goes uphill, and where the Hessians of a leaf cancel each other it has no bound.
	second second
}

// second is a second derivative that a Newton step divides by.
type second int

const (
	curvature second = iota // the Gauss-Newton part of the Hessian, which is never negative
	floored                 // the Hessian, but at least floor
	hessian                 // the Hessian as it is
)

// floor bounds a step by the gradient divided by it.
const floor = 1e-6

// model is a sum of trees.
type model struct {
	base  float64
	trees [][]node
}

// node is an inner node or a leaf of a tree, whose root is node 0.
type node struct {
	left, right int   // 0: a leaf
	pixel       int   // rows with ink ≤ level in it go left
	level       uint8 //
	value       float64
}

// logit is what the model says of a row.
func (m *model) logit(ink *[digits.Pixels]uint8) float64 {
	sum := m.base
	for _, tree := range m.trees {
		n := &tree[0]
		for n.left != 0 {
			if ink[n.pixel] <= n.level {
				n = &tree[n.left]
			} else {
				n = &tree[n.right]
			}
		}
		sum += n.value
	}
	return sum
}

// train is where package focal is called: once for each tree.
func (b booster) train(data rows, p focal.Params) (*model, error) {
	n := len(data.label)
	m := &model{base: prior(data.label)}
	logit, grad, second := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range logit {
		logit[i] = m.base
	}
	members := make([]int, n) // rows, those of a node next to each other
	for range b.rounds {
		out := focal.Out[float64]{Grad: grad, Hess: second}
		if b.second == curvature {
			out.Hess, out.Curv = nil, second
		}
		if _, err := focal.Fused(out, logit, focal.Labels(data.label), p); err != nil {
			return nil, err
		}
		if b.second == floored {
			for i, h := range second {
				second[i] = max(h, floor)
			}
		}
		for i := range members {
			members[i] = i
		}
		g := grower{booster: b, ink: data.ink, grad: grad, hess: second, logit: logit}
		g.grow(members, b.depth)
		m.trees = append(m.trees, g.tree)
	}
	return m, nil
}

// grower grows one tree.
type grower struct {
	booster
	ink               [][digits.Pixels]uint8
	grad, hess, logit []float64
	tree              []node
}

// sums are those of some rows, and how many they are.
type sums struct {
	g, h float64
	n    int
}

func (s *sums) add(other sums) {
	s.g += other.g
	s.h += other.h
	s.n += other.n
}

// score is what the rows would gain in a leaf of their own, twice and without the rate.
func (s sums) score(lambda float64) float64 { return s.g * s.g / (s.h + lambda) }

// grow adds the node of these rows, and those below it, and returns its number.
func (g *grower) grow(members []int, depth int) int {
	var total sums
	for _, i := range members {
		total.add(sums{g.grad[i], g.hess[i], 1})
	}
	at := len(g.tree)
	g.tree = append(g.tree, node{})
	pixel, level, found := g.split(members, total, depth)
	if !found {
		value := -g.rate * total.g / (total.h + g.lambda)
		g.tree[at].value = value
		for _, i := range members {
			g.logit[i] += value
		}
		return at
	}
	k := 0
	for i, row := range members {
		if g.ink[row][pixel] <= level {
			members[i], members[k] = members[k], members[i]
			k++
		}
	}
	left := g.grow(members[:k], depth-1)
	right := g.grow(members[k:], depth-1)
	g.tree[at] = node{left: left, right: right, pixel: pixel, level: level}
	return at
}

// split finds the best split by histograms: a pixel has no more than 17 levels, which are its bins.
func (g *grower) split(members []int, total sums, depth int) (pixel int, level uint8, found bool) {
	if depth == 0 {
		return 0, 0, false
	}
	var bins [digits.Pixels][digits.Levels]sums
	for _, i := range members {
		s := sums{g.grad[i], g.hess[i], 1}
		for j, v := range g.ink[i] {
			bins[j][v].add(s)
		}
	}
	const least = 1e-9 // gain: what remains of roundings is not one
	best := total.score(g.lambda) + least
	for j := range bins {
		var left sums
		for v := range digits.Levels - 1 {
			left.add(bins[j][v])
			right := sums{total.g - left.g, total.h - left.h, total.n - left.n}
			if left.n == 0 || right.n == 0 {
				continue
			}
			if gain := left.score(g.lambda) + right.score(g.lambda); gain > best {
				best, pixel, level, found = gain, j, uint8(v), true
			}
		}
	}
	return pixel, level, found
}
