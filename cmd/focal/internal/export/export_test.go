package export

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	type record struct {
		Name  string   `json:"name"`
		Value *float64 `json:"value"`
	}
	records := []record{{"a, \"b\" <c>", Number(1.5)}, {"d", Number(math.Inf(1))}}
	for format, want := range map[string]string{
		"csv": "name,value\n\"a, \"\"b\"\" <c>\",1.5\nd,\n",
		"json": `[
  {
    "name": "a, \"b\" <c>",
    "value": 1.5
  },
  {
    "name": "d",
    "value": null
  }
]
`,
	} {
		var b strings.Builder
		require.NoError(t, Write(&b, format, records))
		assert.Equal(t, want, b.String())
	}
	assert.EqualError(t, Write(&strings.Builder{}, "xml", records), `no format "xml"`)
}
