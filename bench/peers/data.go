package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// A dataset is logits of one type and their labels, in files.
type dataset struct {
	rows, cols int
	typ        string
	x, label   string // files
}

func (d dataset) elements() int { return d.rows * d.cols }

func writeFile(name string, v any) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := binary.Write(w, binary.LittleEndian, v); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// store writes logits, rounded to the type, and labels. It returns the logits as rounded.
func store(dir, name, typ string, cols int, x []float64, label []int32) (dataset, []float64, error) {
	d := dataset{len(label), cols, typ, filepath.Join(dir, name+"."+typ), filepath.Join(dir, name+".label")}
	var v any = x
	if typ == "f32" {
		short := make([]float32, len(x))
		x = append([]float64(nil), x...)
		for i := range x {
			short[i] = float32(x[i])
			x[i] = float64(short[i])
		}
		v = short
	}
	if err := writeFile(d.x, v); err != nil {
		return d, nil, err
	}
	return d, x, writeFile(d.label, label)
}

// timingData are the logits of a detector in training, half the rows background.
func timingData(dir string, s shape, typ string) (dataset, error) {
	rng := rand.New(rand.NewPCG(uint64(s.rows), uint64(s.cols)))
	x, label := make([]float64, s.rows*s.cols), make([]int32, s.rows)
	for i := range x {
		x[i] = 4*rng.NormFloat64() - 3
	}
	for i := range label {
		if rng.IntN(2) == 0 {
			label[i] = 1 + int32(rng.IntN(s.cols))
		}
	}
	d, _, err := store(dir, s.String(), typ, s.cols, x, label)
	return d, err
}

// accuracyData are logits spread over |x| ≤ limit, one column, half of them positives.
func accuracyData(dir string, limit float64, typ string) (dataset, []float64, []int32, error) {
	const n = 1 << 16
	rng := rand.New(rand.NewPCG(uint64(limit), 1))
	x, label := make([]float64, n), make([]int32, n)
	for i := range x {
		x[i] = limit * (2*(float64(i)+rng.Float64())/n - 1)
		label[i] = int32(rng.IntN(2))
	}
	d, x, err := store(dir, fmt.Sprintf("within%g", limit), typ, 1, x, label)
	return d, x, label, err
}

// readFloats reads n numbers of the dataset's type.
func (d dataset) readFloats(f *bufio.Reader, n int) ([]float64, error) {
	v := make([]float64, n)
	if d.typ == "f64" {
		return v, binary.Read(f, binary.LittleEndian, v)
	}
	short := make([]float32, n)
	err := binary.Read(f, binary.LittleEndian, short)
	for i := range short {
		v[i] = float64(short[i])
	}
	return v, err
}

// outputs lets a worker write what a case computes, and reads it. The gradient is nil if the case has none.
func (d dataset) outputs(p *process, id int, both bool, dir string) (loss, grad []float64, err error) {
	name := filepath.Join(dir, "dump")
	if err := p.do("dump %d %s", id, name); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if loss, err = d.readFloats(r, d.elements()); err != nil || !both {
		return loss, nil, err
	}
	grad, err = d.readFloats(r, d.elements())
	return loss, grad, err
}
