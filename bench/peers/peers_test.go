package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatistics(t *testing.T) {
	nan := math.NaN()
	require.Equal(t, 2.0, median([]float64{3, nan, 1, 2}))
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	require.Equal(t, 7.0, median([]float64{7}))
	require.True(t, math.IsNaN(median([]float64{nan})))
	require.Equal(t, 0.25, spread([]float64{1, 1.5, 2, 2.5, 3}))
	require.Equal(t, 3.0, ratio([]float64{3, 60, 6, nan}, []float64{1, 20, 1, 1}), "the ratios of the rounds, not of the medians")
}

func TestUlpError(t *testing.T) {
	for _, c := range []struct {
		typ  string
		got  float64
		want pair
		err  float64
	}{
		{"f32", 1, pair{1, 0}, 0},
		{"f32", 1 + 0x1p-23, pair{1, 0}, 1},
		{"f32", 1, pair{1, -0x1p-60}, 0x1p-36}, // just below a power of two the spacing is half
		{"f32", 0, pair{0x1p-149, 0}, 1},
		{"f32", 0, pair{}, 0},
		{"f64", 1 + 0x1p-52, pair{1, 0x1p-54}, 0.75},
		{"f64", 0x1p-1074, pair{}, 1},
		{"f64", math.NaN(), pair{1, 0}, math.Inf(1)},
		{"f64", math.Inf(1), pair{1, 0}, math.Inf(1)},
	} {
		require.Equal(t, c.err, ulpError(c.typ, c.got, c.want), "%v", c)
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		v    float64
		text string
	}{
		{0, "0"}, {0.0123, "0.0123"}, {0.3031, "0.303"}, {1.006, "1.01"}, {15.02, "15.0"}, {99.96, "100.0"}, {154.6, "155"},
		{823100, "823,100"}, {5.91e7, "5.9·10⁷"}, {math.Inf(1), "∞"}, {math.NaN(), "–"},
	} {
		require.Equal(t, c.text, figure(c.v))
	}
	require.Equal(t, "1.8×", times(1.84))
	require.Equal(t, "1234×", times(1234.2))
	require.Equal(t, "–", times(math.NaN()))
}

func TestTable(t *testing.T) {
	require.Equal(t, "| γ     |  ns | why |\n|-------|----:|-----|\n| focal |   1 |     |\n| b     |  22 | no  |\n",
		table{{"γ", "ns", "why"}, {"focal", "1", ""}, {"b", "22", "no"}}.String())
}

// example has focal and one C peer, which is three times as slow and 1.5 times as wrong.
func example() *results {
	r := &results{machine: [][2]string{{"date", "2030-01-01"}}, workers: [][2]string{{"focal", "go"}}}
	for _, typ := range types {
		for _, op := range []string{"loss", "both"} {
			r.cells = append(r.cells,
				&cell{threads: 1, shape: usual, typ: typ, gamma: 2, op: op, peer: "focal", ns: []float64{1, 2, 1}},
				&cell{threads: 1, shape: usual, typ: typ, gamma: 2, op: op, peer: "highway", ns: []float64{3, 6, math.NaN()}},
				&cell{threads: 1, shape: usual, typ: typ, gamma: 2, op: op, peer: "vek", reason: "no, \"never\""})
		}
		for _, output := range []string{"loss", "grad"} {
			r.accuracy = append(r.accuracy,
				accuracy{peer: "focal", typ: typ, gamma: 2, output: output, limit: 20, worst: 2, mean: 0.5, at: -1.5},
				accuracy{peer: "highway", typ: typ, gamma: 2, output: output, limit: 20, worst: 3, mean: 1, at: 0.1},
				accuracy{peer: "vek", typ: typ, gamma: 2, output: output, limit: 20, worst: math.Inf(1), mean: math.Inf(1)})
		}
	}
	return r
}

func TestResultsAreKept(t *testing.T) {
	dir := t.TempDir()
	r := example()
	require.NoError(t, r.write(dir))
	back, err := readResults(dir)
	require.NoError(t, err)
	require.Equal(t, r.accuracy, back.accuracy)
	require.Equal(t, r.machine, back.machine)
	require.Len(t, back.cells, len(r.cells))
	require.Equal(t, r.cells[2], back.cells[2])
	require.Equal(t, 3.0, back.ratio(back.cells[1]))
}

func TestAims(t *testing.T) {
	rows := map[string][]string{}
	table, why := example().aims()
	for _, row := range table {
		rows[row[0]] = row[1:]
	}
	require.Equal(t, []string{"≥\u00a02×", "3.0×", "met"}, rows["fastest accurate C or C++, loss"])
	require.Equal(t, []string{"≥\u00a08×", "–"}, rows["onnxruntime, best graph, loss"][:2])
	require.Equal(t, "not measured", rows["onnxruntime, best graph, loss"][2])
	const what = "error of the most accurate peer, f32, x to ±20, against ours"
	require.Equal(t, []string{"≥\u00a02×", "1.50×", "missed"}, rows[what])
	require.Contains(t, why, "- **"+what+"**, 1.50×: loss of Highway")
	require.NotContains(t, why, "fastest accurate")
}

func TestDocuments(t *testing.T) {
	r := example()
	for _, text := range []string{documentText, readmeText} {
		s, err := r.execute(text)
		require.NoError(t, err)
		require.Contains(t, s, "Highway")
		require.NotContains(t, s, "| NaN")
	}
	s, err := r.execute(documentText)
	require.NoError(t, err)
	require.Contains(t, s, "no, \"never\"")

	const begin, end = "<!-- part: begin -->\n", "<!-- part: end -->\n"
	got, err := replacePart([]byte("a\n"+begin+"old\n"+end+"b\n"), "part", "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+begin+"new\n"+end+"b\n", string(got))
	_, err = replacePart([]byte(begin), "part", "new\n")
	require.Error(t, err)
}

func TestPeersAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range peers {
		require.False(t, seen[p.id], p.id)
		seen[p.id] = true
	}
	require.Equal(t, "focal", peers[0].id)
}
