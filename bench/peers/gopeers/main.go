// Gopeers runs focal, and the peers that are written in Go, by the protocol that ../README.md describes.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofocal/focal"
)

const alpha = 0.25

// batch is what a peer computes from, and where it writes to.
type batch[T focal.Float] struct {
	x, loss, grad []T // grad is nil if it is not wanted
	label         []int32
	rows, cols    int
	op            string
	gamma         float64
	threads       int
}

// A peer prepares a case, and returns what is timed. It may also return, as targets, what converts the labels to the
// form that it computes with.
type peer[T focal.Float] func(b *batch[T]) (call func() error, targets func(), err error)

// peers has, for each name, a peer[float32] and a peer[float64].
var peers = map[string]struct {
	f32 peer[float32]
	f64 peer[float64]
}{}

// during has, for a peer whose calls need something of the process, what begins it and returns how to end it. It would be a large
// part of a small call.
var during = map[string]func() (end func()){}

var errOneThread = errors.New("it has one thread")

// A server holds the data of one type and the cases made of it.
type server interface {
	newCase(id int, name, op string, gamma float64, threads int) error
	begin(id int) (call func() error, end func())
	sums(id int) (loss, grad float64)
	dump(id int, file string) error
}

type job[T focal.Float] struct {
	peer string
	call func() error
	out  [][]T
}

type served[T focal.Float] struct {
	batch[T]
	lossBuf, gradBuf []T
	peer             func(name string) peer[T]
	jobs             map[int]job[T]
}

func readFile[T any](name string, n int) ([]T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v := make([]T, n)
	return v, binary.Read(bufio.NewReaderSize(f, 1<<20), binary.LittleEndian, v)
}

func load[T focal.Float](rows, cols int, x, label string, peer func(string) peer[T]) (server, error) {
	s := &served[T]{peer: peer, jobs: map[int]job[T]{}}
	s.rows, s.cols = rows, cols
	s.lossBuf, s.gradBuf = make([]T, rows*cols), make([]T, rows*cols)
	var err error
	if s.x, err = readFile[T](x, rows*cols); err != nil {
		return nil, err
	}
	s.label, err = readFile[int32](label, rows)
	return s, err
}

func (s *served[T]) newCase(id int, name, op string, gamma float64, threads int) error {
	p := s.peer(name)
	if p == nil {
		return errors.New("there is no such peer")
	}
	switch op {
	case "loss", "both", "targets":
	default:
		if !strings.HasPrefix(name, "focal") {
			return errors.New("it takes the labels of the data")
		}
	}
	b := s.batch
	b.op, b.gamma, b.threads = op, gamma, threads
	b.loss = s.lossBuf
	out := [][]T{b.loss}
	if strings.HasPrefix(op, "both") || op == "soft" || op == "hard" {
		b.grad = s.gradBuf
		out = append(out, b.grad)
	}
	call, targets, err := p(&b)
	if err != nil {
		return err
	}
	if op == "targets" {
		if targets == nil {
			return errors.New("it takes labels")
		}
		call = func() error { targets(); return nil }
	}
	s.jobs[id] = job[T]{name, call, out}
	return nil
}

// begin returns what calls a case, and what to do after the calls.
func (s *served[T]) begin(id int) (call func() error, end func()) {
	j := s.jobs[id]
	if begin := during[j.peer]; begin != nil {
		return j.call, begin()
	}
	return j.call, func() {}
}

func (s *served[T]) sums(id int) (loss, grad float64) {
	var sum [2]float64
	for i, out := range s.jobs[id].out {
		for _, v := range out {
			sum[i] += float64(v)
		}
	}
	return sum[0], sum[1]
}

func (s *served[T]) dump(id int, file string) error {
	call, end := s.begin(id)
	defer end()
	if err := call(); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for _, out := range s.jobs[id].out {
		if err := binary.Write(w, binary.LittleEndian, out); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// awake is how long a call is repeated before it is timed. When a process wakes from waiting for a command, the runtime's
// monitor sleeps for 20 µs at a time at first, and for longer only when nothing happens for some milliseconds. On one
// core of a virtual machine, where each timer takes it long, these naps made the first milliseconds take twice as long.
const awake = 15 * time.Millisecond

// execute does one command and returns the answer.
func execute(s server, line string) (_ server, answer string, err error) {
	var (
		id, n, rows, cols, threads int
		typ, x, label, name, op    string
		gamma                      float64
	)
	command, args, _ := strings.Cut(line, " ")
	answer = "ok"
	switch command {
	case "load":
		if _, err = fmt.Sscan(args, &rows, &cols, &typ, &x, &label); err != nil {
			break
		}
		s = nil
		runtime.GC() // the data before, which may be large
		if typ == "f64" {
			s, err = load(rows, cols, x, label, func(name string) peer[float64] { return peers[name].f64 })
		} else {
			s, err = load(rows, cols, x, label, func(name string) peer[float32] { return peers[name].f32 })
		}
	case "case":
		if _, err = fmt.Sscan(args, &id, &name, &op, &gamma, &threads); err != nil {
			break
		}
		if reason := s.newCase(id, name, op, gamma, threads); reason != nil {
			answer = "no " + reason.Error()
		}
	case "time":
		if _, err = fmt.Sscan(args, &id, &n); err != nil {
			break
		}
		call, end := s.begin(id)
		defer end()
		for begin := time.Now(); time.Since(begin) < awake; {
			if err := call(); err != nil {
				return s, "", err
			}
		}
		start := time.Now()
		for range n {
			if err := call(); err != nil {
				return s, "", err
			}
		}
		answer = strconv.FormatInt(time.Since(start).Nanoseconds(), 10)
	case "sums":
		if _, err = fmt.Sscan(args, &id); err != nil {
			break
		}
		loss, grad := s.sums(id)
		answer = fmt.Sprint(loss, grad)
	case "dump":
		if _, err = fmt.Sscan(args, &id, &x); err != nil {
			break
		}
		err = s.dump(id, x)
	default:
		err = errors.New("no such command")
	}
	return s, answer, err
}

func main() {
	fmt.Println("ready", runtime.Version()+"; focal "+focal.Path()+info())
	in := bufio.NewScanner(os.Stdin)
	var s server
	for in.Scan() {
		var answer string
		var err error
		if s, answer, err = execute(s, in.Text()); err != nil {
			fmt.Fprintf(os.Stderr, "gopeers: %s: %v\n", in.Text(), err)
			os.Exit(1)
		}
		fmt.Println(answer)
	}
}
