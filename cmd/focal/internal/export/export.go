// Package export writes records for other programs.
package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/jszwec/csvutil"
)

// Write writes a slice of structs as "json", an array of objects, or as "csv" with a header. The json tags name the fields in
// both.
func Write(w io.Writer, format string, records any) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(records)
	case "csv":
		out := csv.NewWriter(w)
		encoder := csvutil.NewEncoder(out)
		encoder.Tag = "json"
		if err := encoder.Encode(records); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	}
	return fmt.Errorf("no format %q", format)
}

// Number is v, or nothing if it is not finite: JSON has no such numbers.
func Number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
