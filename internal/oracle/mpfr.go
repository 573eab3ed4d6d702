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

// TargetsFile has the values for soft targets and scores.
const TargetsFile = "testdata/targets64.bin.gz"

// A Kind is the loss of a TargetPoint.
type Kind uint32

const (
	SoftTarget Kind = iota
	Varifocal
	Aligned
	QualityFocal
	kinds
)

// A TargetPoint is the values at one logit and one target, or score.
type TargetPoint struct {
	Kind               Kind
	X, T, Gamma, Alpha float64
	Value              [Hess + 1]Real
}

// ReadMPFR reads a file of values.
func ReadMPFR(name string) (*MPFR, error) {
	b, err := unpacked(name)
	if err != nil {
		return nil, err
	}
	return parseMPFR(b)
}

// ReadTargets reads a file of values for soft targets and scores.
func ReadTargets(name string) ([]TargetPoint, error) {
	b, err := unpacked(name)
	if err != nil {
		return nil, err
	}
	return parseTargets(b)
}

func unpacked(name string) ([]byte, error) {
	z, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zr)
}

// values is what is left of a file.
type values []byte

func (b *values) integer() uint32 {
	v := binary.LittleEndian.Uint32(*b)
	*b = (*b)[4:]
	return v
}

func (b *values) float() float64 {
	v := math.Float64frombits(binary.LittleEndian.Uint64(*b))
	*b = (*b)[8:]
	return v
}

func (b *values) pair() Real {
	hi, e := math.Frexp(b.float())
	return Real{DD{hi, math.Ldexp(b.float(), -e)}, e}
}

// parseMPFR reads the format that gen/oracle/oracle.c describes.
func parseMPFR(file []byte) (*MPFR, error) {
	const magic = "focal64\n"
	if len(file) < len(magic)+8 || string(file[:len(magic)]) != magic {
		return nil, errors.New("oracle: not a file of values")
	}
	b := values(file[len(magic):])
	nu, ng := uint64(b.integer()), uint64(b.integer())
	if want := 8 * (ng + nu*(1+2+8*ng)); uint64(len(b)) != want {
		return nil, fmt.Errorf("oracle: %d bytes follow the counts %d and %d, want %d", len(b), nu, ng, want)
	}
	o := &MPFR{Gammas: make([]float64, ng), Points: make([]Point, nu)}
	for i := range o.Gammas {
		o.Gammas[i] = b.float()
	}
	for i := range o.Points {
		p := &o.Points[i]
		p.U = b.float()
		s := b.pair()
		p.At = make([]Values64, ng)
		for g := range p.At {
			at := &p.At[g]
			at.Value[Sigmoid], at.Mag[Sigmoid] = s, s
			for q := Loss; q <= Hess; q++ {
				at.Value[q] = b.pair()
				at.Mag[q] = at.Value[q]
			}
			at.Mag[Hess] = b.pair()
		}
	}
	return o, nil
}

// parseTargets reads the format that gen/oracle/targets.c describes.
func parseTargets(file []byte) ([]TargetPoint, error) {
	const magic = "focalt64"
	if len(file) < len(magic)+4 || string(file[:len(magic)]) != magic {
		return nil, errors.New("oracle: not a file of values for targets")
	}
	b := values(file[len(magic):])
	n := uint64(b.integer())
	if want := n * (4 + 4*8 + 3*16); uint64(len(b)) != want {
		return nil, fmt.Errorf("oracle: %d bytes follow the count %d, want %d", len(b), n, want)
	}
	points := make([]TargetPoint, n)
	for i := range points {
		p := &points[i]
		*p = TargetPoint{Kind: Kind(b.integer()), X: b.float(), T: b.float(), Gamma: b.float(), Alpha: b.float()}
		if p.Kind >= kinds {
			return nil, fmt.Errorf("oracle: record %d is of kind %d, want less than %d", i, p.Kind, kinds)
		}
		for q := range p.Value {
			p.Value[q] = b.pair()
		}
	}
	return points, nil
}

// at returns what the package's own formulas have for a point, and for quality focal loss what QualityAt says of d.
func (p *TargetPoint) at() (v Values64, parts float64) {
	wPos, wNeg := Real{one, 0}, Real{one, 0}
	switch {
	case p.Kind == QualityFocal:
		v = qualityAt(p.X, p.T, p.Gamma, wPos)
		return v, qualityParts(&v, p.Gamma)
	case p.Kind == Varifocal:
		wPos, wNeg = realOf(p.T), realOf(p.T)
	case p.Alpha >= 0:
		wPos, wNeg = realOf(p.Alpha), Real{twoSum(1, -p.Alpha), 0}
	}
	return Soft64At(p.X, p.T, p.Gamma, wPos, wNeg), 0
}

// TargetAt returns the values of a point for results of either type, with the units of the terms' magnitudes, and what QualityAt says.
func TargetAt[T float32 | float64](p *TargetPoint) (v Exact[T], parts float64) {
	w, parts := p.at()
	copy(w.Value[:], p.Value[:])
	return exactOf[T](&w), parts
}
