package main

import (
	"cmp"
	"slices"
)

// A tuning is what the scheduler is told about one loop; the best is found by measuring.
type tuning struct {
	vectors int // whose operations are interleaved
	limit   int // registers in use above which operations that free some go first; 0: as many as there are
	skew    int // cycles by which a vector lags behind the one before
	stages  int // that the loop evaluates; 0: all that are left
}

// machine is the scheduler's model: how many operations of each sort can start in a cycle.
type machine struct {
	width    int // instructions that arrive
	pipes    [pipes]int
	all      int // arithmetic operations of any sort
	division int // cycles for which one blocks the divider
}

func (s *isa) machine() machine {
	if s.wide {
		return machine{width: 4, pipes: [pipes]int{2, 2, 2, 1, 2, 1}, all: 2, division: 10}
	}
	return machine{width: 4, pipes: [pipes]int{2, 2, 4, 1, 2, 1}, all: 4, division: 5}
}

// users returns the users of each value that the stores need.
func (b *body) users() map[*value][]*value {
	users := map[*value][]*value{}
	var visit func(v *value)
	visit = func(v *value) {
		for _, a := range v.inputs() {
			if users[a] == nil {
				visit(a)
			}
			users[a] = append(users[a], v)
		}
	}
	for _, s := range b.stores {
		visit(s)
	}
	return users
}

// inMemory reports whether a value is not computed but found in memory.
func (v *value) isMemory() bool { return v.op == opMemory || v.op == opLoad }

// inputs returns the arguments, each once, and the mask.
func (v *value) inputs() (in []*value) {
	for _, a := range append(slices.Clone(v.args), v.under) {
		if a != nil && !slices.Contains(in, a) {
			in = append(in, a)
		}
	}
	return in
}

// schedule returns the operations in the order in which they are best written down: a list scheduler. Of those whose arguments
// are ready it takes the one on the longest way to the end, unless registers are short: then one that frees some.
func (b *body) schedule(t tuning) []*value {
	m := b.machine()
	users := b.users()
	nodes := slices.Clone(b.stores)
	for v := range users {
		if !v.isMemory() {
			nodes = append(nodes, v)
		}
	}
	slices.SortFunc(nodes, func(x, y *value) int { return cmp.Compare(x.number, y.number) })
	limit := t.limit
	if limit == 0 {
		limit = b.registers()
	}

	// what an operation waits for
	waits, followers := map[*value]int{}, map[*value][]*value{}
	isNode := map[*value]bool{}
	for _, v := range nodes {
		isNode[v] = true
	}
	for _, v := range nodes {
		for _, a := range v.inputs() {
			if isNode[a] {
				waits[v]++
				followers[a] = append(followers[a], v)
			}
		}
	}

	// What is written may be where arguments are: they are read before.
	for _, l := range b.loads {
		if len(users[l]) == 0 || !isField(l.array.name) {
			continue
		}
		first := slices.MinFunc(users[l], func(x, y *value) int { return cmp.Compare(x.number, y.number) })
		for _, v := range b.stores {
			if v.vector == l.vector && isField(v.array.name) && v != first && !slices.Contains(followers[first], v) {
				waits[v]++
				followers[first] = append(followers[first], v)
			}
		}
	}

	// the way to the end
	height := map[*value]int{}
	for _, v := range slices.Backward(nodes) {
		h := 0
		for _, f := range followers[v] {
			h = max(h, height[f])
		}
		height[v] = h + v.op.latency
	}
	priority := func(v *value) int { return height[v] - t.skew*v.vector }

	left := map[*value]int{} // uses to come
	for _, v := range nodes {
		left[v] = len(users[v])
	}
	live := 0
	inRegister := func(v *value) bool { return isNode[v] && v.op != opStore && !v.op.mask }
	// grows returns by how many the registers in use increase.
	grows := func(v *value) int {
		g := 0
		if inRegister(v) && len(users[v]) > 0 {
			g++
		}
		for _, a := range v.inputs() {
			if inRegister(a) && left[a] == 1 {
				g--
			}
		}
		return g
	}

	ready := map[*value]int{} // the cycle from which on
	var open []*value
	for _, v := range nodes {
		if waits[v] == 0 {
			open = append(open, v)
		}
	}
	var order []*value
	busyUntil := 0 // the divider
	for cycle := 0; len(order) < len(nodes); cycle++ {
		used := [pipes]int{}
		arithmetic, width := 0, 0
		for width < m.width {
			var best *value
			bestIn := -1
			better := func(v *value) bool {
				if best == nil {
					return true
				}
				if live >= limit {
					if gv, gb := grows(v), grows(best); gv != gb {
						return gv < gb
					}
				}
				if c := priority(v) - priority(best); c != 0 {
					return c > 0
				}
				return v.number < best.number
			}
			for i, v := range open {
				p := v.op.pipe
				switch {
				case ready[v] > cycle, used[p] >= m.pipes[p]:
					continue
				case p <= divide && arithmetic >= m.all:
					continue
				case p == divide && (busyUntil > cycle || used[multiply] >= m.pipes[multiply]):
					continue
				case p == multiply && busyUntil > cycle && used[p] >= m.pipes[p]-0:
					continue
				case live >= limit && grows(v) > 0 && b.someFrees(open, grows):
					continue
				}
				if better(v) {
					best, bestIn = v, i
				}
			}
			if best == nil {
				break
			}
			open = slices.Delete(open, bestIn, bestIn+1)
			order = append(order, best)
			live += grows(best)
			for _, a := range best.inputs() {
				if isNode[a] {
					left[a]--
				}
			}
			p := best.op.pipe
			used[p]++
			width++
			if p <= divide {
				arithmetic++
			}
			if p == divide {
				used[multiply]++
				busyUntil = cycle + m.division
			}
			for _, f := range followers[best] {
				ready[f] = max(ready[f], cycle+best.op.latency)
				if waits[f]--; waits[f] == 0 {
					open = append(open, f)
				}
			}
		}
	}
	return order
}

// someFrees reports whether an operation in a list can be written without another register.
func (b *body) someFrees(open []*value, grows func(*value) int) bool {
	return slices.ContainsFunc(open, func(v *value) bool { return grows(v) <= 0 })
}
