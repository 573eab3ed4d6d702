// Package digits holds the handwritten digits that the examples learn: the test set of Optical Recognition of Handwritten
// Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed
// under CC BY 4.0.
package digits

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
)

// Pixels is the number of pixels of a digit, 8 rows of 8; Levels is the number of values that one can have.
const (
	Pixels = 64
	Levels = 17
)

// Digit is one handwritten digit.
type Digit struct {
	Ink   [Pixels]uint8 // row by row, 0 to Levels-1
	Value int           // 0 to 9
}

//go:embed digits.csv.gz
var compressed []byte

// Load returns the digits. On each line of the file are the pixels and then the value.
func Load() ([]Digit, error) {
	zr, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	cr := csv.NewReader(zr)
	cr.FieldsPerRecord = Pixels + 1
	records, err := cr.ReadAll()
	if err != nil {
		return nil, err
	}
	digits := make([]Digit, len(records))
	for i, record := range records {
		for j, field := range record {
			v, err := strconv.ParseUint(field, 10, 8)
			if err != nil || j < Pixels && v >= Levels {
				return nil, fmt.Errorf("line %d, column %d: %q", i+1, j+1, field)
			}
			if j < Pixels {
				digits[i].Ink[j] = uint8(v)
			} else {
				digits[i].Value = int(v)
			}
		}
	}
	return digits, nil
}
