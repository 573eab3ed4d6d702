package main

import (
	"reflect"

	"github.com/gofocal/focal/internal/coef"
)

// constants are those of package coef for an element type, as float64, which is exact for either.
type constants struct {
	coef.Layout
	table coef.Table[float64]
}

var (
	constants32 = &constants{rounded(coef.Layout32), widened(coef.F32)}
	constants64 = &constants{coef.Layout64, coef.F64}
)

// widened returns a table of float32 as one of float64.
func widened(t coef.Table[float32]) (w coef.Table[float64]) {
	from, to := reflect.ValueOf(t), reflect.ValueOf(&w).Elem()
	for i := range from.NumField() {
		switch f, x := from.Field(i), to.Field(i); f.Kind() {
		case reflect.Slice:
			x.Set(reflect.MakeSlice(x.Type(), f.Len(), f.Len()))
			fallthrough
		case reflect.Array:
			for k := range f.Len() {
				x.Index(k).SetFloat(f.Index(k).Float())
			}
		default:
			x.SetFloat(f.Float())
		}
	}
	return w
}

// rounded returns a layout whose bounds are float32.
func rounded(l coef.Layout) coef.Layout {
	l.NearLogit, l.FarLogit = float64(float32(l.NearLogit)), float64(float32(l.FarLogit))
	return l
}
