package oracle

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// MPFR are values that MPFR made, at the logits and exponents that gen/oracle/oracle.c chooses.
type MPFR struct {
	Gammas []float64
	Points []Point
}

// A Point is the values at one logit.
type Point struct {
	U  float64
	At []Values64 // by index of the exponent: loss, gradient, Hessian and sigmoid
}

// MPFRFile is where the values are, seen from the root of the repository.
const MPFRFile = "testdata/oracle64.bin.gz"

// ReadMPFR reads a file of values.
func ReadMPFR(name string) (*MPFR, error) {
	z, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(zr)
	if err != nil {
		return nil, err
	}
	return parseMPFR(b)
}

// parseMPFR reads the format that gen/oracle/oracle.c describes.
func parseMPFR(b []byte) (*MPFR, error) {
	const magic = "focal64\n"
	if len(b) < len(magic)+8 || string(b[:len(magic)]) != magic {
		return nil, errors.New("oracle: not a file of values")
	}
	b = b[len(magic):]
	nu, ng := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	if want := 8 * (ng + nu*(1+2+8*ng)); uint64(len(b)) != want {
		return nil, fmt.Errorf("oracle: %d bytes follow the counts %d and %d, want %d", len(b), nu, ng, want)
	}
	float := func() float64 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b))
		b = b[8:]
		return v
	}
	pair := func() Real {
		hi, e := math.Frexp(float())
		return Real{DD{hi, math.Ldexp(float(), -e)}, e}
	}
	o := &MPFR{Gammas: make([]float64, ng), Points: make([]Point, nu)}
	for i := range o.Gammas {
		o.Gammas[i] = float()
	}
	for i := range o.Points {
		p := &o.Points[i]
		p.U = float()
		s := pair()
		p.At = make([]Values64, ng)
		for g := range p.At {
			at := &p.At[g]
			at.Value[Sigmoid], at.Mag[Sigmoid] = s, s
			for q := Loss; q <= Hess; q++ {
				at.Value[q] = pair()
				at.Mag[q] = at.Value[q]
			}
			at.Mag[Hess] = pair()
		}
	}
	return o, nil
}
