package main

import (
	"cmp"
	"slices"
)

// A tuning is what is chosen for a loop by measuring.
type tuning struct {
	vectors int // whose operations are interleaved
	stages  int // that the loop evaluates; 0: all that are left
	spills  int // how many more values than there are registers the scheduler keeps in use
}

// A machine is the scheduler's model of a CPU: how many operations can begin in a cycle.
type machine struct {
	width    int        // in all
	pipes    [pipes]int // of each sort
	vector   int        // arithmetic of any sort
	division int        // cycles for which one keeps the divider
}

// machine returns a model between Zen and Intel's; AVX-512 has half as many pipes on most.
func (s *isa) machine() machine {
	if s.wide {
		return machine{width: 4, pipes: [pipes]int{multiply: 2, addition: 2, logic: 2, divide: 1, loading: 2, storing: 1}, vector: 2, division: 10}
	}
	return machine{width: 3, pipes: [pipes]int{multiply: 2, addition: 2, logic: 3, divide: 1, loading: 2, storing: 1}, vector: 3, division: 5}
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

// A scheduler puts operations in the order in which they are best written down: a list scheduler.
type scheduler struct {
	machine
	users     map[*value][]*value
	computed  map[*value]bool     // not found in memory
	waits     map[*value]int      // for so many others
	followers map[*value][]*value // those that wait for it
	height    map[*value]int      // cycles from here to the end
	ready     map[*value]int      // the cycle from which on it can begin
	left      map[*value]int      // uses to come
	limit     int                 // registers
	live      int                 // those that hold something
	open      []*value            // operations whose arguments are computed, or are being computed
}

// schedule returns the operations of a body in order. Of those that can begin it takes the one on the longest way to the end,
// unless registers are short: then one that frees some.
func (b *body) schedule(spills int) (order []*value) {
	s := b.newScheduler(spills)
	busyUntil := 0 // the divider
	for cycle := 0; len(s.computed) > len(order); cycle++ {
		var begun [pipes]int
		vector := 0
		for range s.width {
			v := s.best(func(v *value) bool {
				p := v.op.pipe
				return s.ready[v] <= cycle && begun[p] < s.pipes[p] && (p >= loading || vector < s.vector) &&
					(p != divide || busyUntil <= cycle && begun[multiply] < s.pipes[multiply])
			})
			if v == nil {
				break
			}
			order = append(order, v)
			s.take(v, cycle)
			begun[v.op.pipe]++
			if v.op.pipe < loading {
				vector++
			}
			if v.op.pipe == divide { // it is one of the multipliers'
				begun[multiply]++
				busyUntil = cycle + s.division
			}
		}
	}
	return order
}

func (b *body) newScheduler(spills int) *scheduler {
	s := &scheduler{machine: b.machine(), limit: b.registers() + spills, users: b.users(), computed: map[*value]bool{}, waits: map[*value]int{},
		followers: map[*value][]*value{}, height: map[*value]int{}, ready: map[*value]int{}, left: map[*value]int{}}
	nodes := slices.Clone(b.stores)
	for v := range s.users {
		if !v.inMemory() {
			nodes = append(nodes, v)
		}
	}
	slices.SortFunc(nodes, func(x, y *value) int { return cmp.Compare(x.number, y.number) })
	for _, v := range nodes {
		s.computed[v] = true
		s.left[v] = len(s.users[v])
	}
	wait := func(v, before *value) {
		if v != before && !slices.Contains(s.followers[before], v) {
			s.waits[v]++
			s.followers[before] = append(s.followers[before], v)
		}
	}
	for _, v := range nodes {
		for _, a := range v.inputs() {
			if s.computed[a] {
				wait(v, a)
			}
		}
	}
	// A result may be written to where an argument is: that is read before.
	for _, l := range b.loads {
		if len(s.users[l]) == 0 || !isField(l.array.name) {
			continue
		}
		first := slices.MinFunc(s.users[l], func(x, y *value) int { return cmp.Compare(x.number, y.number) })
		for _, v := range b.stores {
			if v.vector == l.vector && isField(v.array.name) {
				wait(v, first)
			}
		}
	}
	for _, v := range slices.Backward(nodes) {
		for _, f := range s.followers[v] {
			s.height[v] = max(s.height[v], s.height[f])
		}
		s.height[v] += v.op.latency
	}
	for _, v := range nodes {
		if s.waits[v] == 0 {
			s.open = append(s.open, v)
		}
	}
	return s
}

// best returns the operation to be written next, of those that can begin; nil: none.
func (s *scheduler) best(begins func(*value) bool) (best *value) {
	short := s.live >= s.limit
	frees := short && slices.ContainsFunc(s.open, func(v *value) bool { return s.grows(v) <= 0 })
	for _, v := range s.open {
		if !begins(v) || frees && s.grows(v) > 0 {
			continue
		}
		if best == nil || cmp.Or(
			map[bool]int{true: cmp.Compare(s.grows(best), s.grows(v))}[short],
			cmp.Compare(s.height[v], s.height[best]),
			cmp.Compare(best.number, v.number)) > 0 {
			best = v
		}
	}
	return best
}

// grows returns by how many the registers in use increase with an operation.
func (s *scheduler) grows(v *value) (n int) {
	register := func(v *value) bool { return s.computed[v] && !v.op.mask }
	if v.op != opStore && register(v) {
		n++
	}
	for _, a := range v.inputs() {
		if register(a) && s.left[a] == 1 {
			n--
		}
	}
	return n
}

// take notes that an operation begins.
func (s *scheduler) take(v *value, cycle int) {
	s.open = slices.DeleteFunc(s.open, func(o *value) bool { return o == v })
	s.live += s.grows(v)
	for _, a := range v.inputs() {
		s.left[a]--
	}
	for _, f := range s.followers[v] {
		s.ready[f] = max(s.ready[f], cycle+v.op.latency)
		if s.waits[f]--; s.waits[f] == 0 {
			s.open = append(s.open, f)
		}
	}
}
