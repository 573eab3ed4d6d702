package report

import (
	"maps"
	"slices"

	"github.com/gofocal/focal/cmd/focal/internal/export"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// A Record is the median of one unit of one benchmark on one machine, for other programs.
type Record struct {
	Machine   string   `json:"machine"`
	CPU       string   `json:"cpu"`
	GOOS      string   `json:"goos"`
	GOARCH    string   `json:"goarch"`
	Emulated  bool     `json:"emulated"`
	Commit    string   `json:"commit"`
	Package   string   `json:"package"`
	Benchmark string   `json:"benchmark"`
	Op        string   `json:"op"`
	Type      string   `json:"type"`
	Path      string   `json:"path"`
	N         int      `json:"n"`
	C         int      `json:"c"`
	Gamma     string   `json:"gamma"`
	Workers   int      `json:"workers"`
	Clock     string   `json:"clock"`
	Unit      string   `json:"unit"`
	Samples   int      `json:"samples"`
	Median    float64  `json:"median"`
	Lo        *float64 `json:"lo"` // of the interval of 95 % confidence
	Hi        *float64 `json:"hi"`
}

func records(runs []*results.Run, names []string) (all []Record) {
	for i, r := range runs {
		for _, m := range r.Results {
			for _, unit := range slices.Sorted(maps.Keys(m.Values)) {
				s, _ := m.Summary(unit)
				all = append(all, Record{
					Machine: names[i], CPU: r.Config["cpu"], GOOS: r.Config["goos"], GOARCH: r.Config["goarch"], Emulated: r.Emulated(), Commit: r.Config["commit"],
					Package: m.Package, Benchmark: m.Name,
					Op: m.Param("op"), Type: m.Param("type"), Path: m.Param("path"), N: m.Int("n"), C: m.Int("c"), Gamma: m.Param("gamma"),
					Workers: m.Int("workers"), Clock: m.Param("clock"),
					Unit: unit, Samples: len(m.Values[unit]), Median: s.Center, Lo: export.Number(s.Lo), Hi: export.Number(s.Hi),
				})
			}
		}
	}
	return all
}
