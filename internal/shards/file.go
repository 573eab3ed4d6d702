package shards

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// The file of a part is JSON, so other programs can read it. Sums of rows are strings, since JSON has neither infinities nor
// NaN; partial sums are in their binary encoding, as base64. The checksum is that of everything within "part" without white
// space between its tokens.
const (
	format  = "focal-part"
	version = 3
)

type envelope struct {
	Format  string          `json:"format"`
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"`
	Part    json.RawMessage `json:"part"`
}

type fileOfPart struct {
	settings
	Shards  []fileShard `json:"shards"`
	Skipped []Skipped   `json:"skipped"`
	Rows    []fileRow   `json:"rows"`
}

type fileShard struct {
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
	Classes int    `json:"classes"`
	Targets bool   `json:"targets"`
	Partial []byte `json:"partial"`
}

type fileRow struct {
	Row
	Sum string `json:"sum"`
}

// checksum returns the checksum of a JSON value.
func checksum(value []byte) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return "", err
	}
	sum := sha256.Sum256(compact.Bytes())
	return hex.EncodeToString(sum[:]), nil
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (p *Part) MarshalBinary() ([]byte, error) {
	f := fileOfPart{settings: p.settings, Shards: []fileShard{}, Skipped: append([]Skipped{}, p.Skipped...), Rows: []fileRow{}}
	for _, s := range p.Shards {
		b, err := s.Partial.MarshalBinary()
		if err != nil {
			return nil, err
		}
		f.Shards = append(f.Shards, fileShard{s.Name, s.Rows, s.Classes, s.Targets, b})
	}
	for _, r := range p.Rows {
		f.Rows = append(f.Rows, fileRow{r, formatFloat(r.Sum)})
	}
	part, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	sum, err := checksum(part)
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(envelope{format, version, sum, part}, "", " ")
	return append(b, '\n'), err
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. Anything but what MarshalBinary may return is an error, and
// leaves p as it was.
func (p *Part) UnmarshalBinary(b []byte) error {
	var e envelope
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&e); err != nil {
		return fmt.Errorf("is no part, or a damaged one: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("is no part: it goes on after the end")
	}
	switch {
	case e.Format != format:
		return fmt.Errorf("is no part: its format is %q, want %q", e.Format, format)
	case e.Version != version:
		return fmt.Errorf("is a part of version %d, want %d", e.Version, version)
	}
	part, err := decode(e)
	if err != nil {
		return fmt.Errorf("is a damaged part: %w", err)
	}
	*p = *part
	return nil
}

func decode(e envelope) (*Part, error) {
	sum, err := checksum(e.Part)
	switch {
	case err != nil:
		return nil, err
	case sum != e.SHA256:
		return nil, fmt.Errorf("its checksum is %s, want %s", sum, e.SHA256)
	}
	var f fileOfPart
	d := json.NewDecoder(bytes.NewReader(e.Part))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if f.Quality != "" && !slices.Contains(qualities, f.Quality) {
		return nil, fmt.Errorf("its quality of scores is %q", f.Quality)
	}
	if err := f.settings.options().Check(); err != nil {
		return nil, err
	}
	p := &Part{settings: f.settings, Skipped: append([]Skipped(nil), f.Skipped...)}
	for i, s := range f.Shards {
		shard := Shard{Name: s.Name, Rows: s.Rows, Classes: s.Classes, Targets: s.Targets}
		if err := shard.Partial.UnmarshalBinary(s.Partial); err != nil {
			return nil, fmt.Errorf("shard %s: %w", s.Name, err)
		}
		if i > 0 && s.Name <= f.Shards[i-1].Name {
			return nil, fmt.Errorf("shard %s is there twice, or not in order", s.Name)
		}
		if err := p.Total.Merge(shard.Partial); err != nil { // the total is not stored
			return nil, fmt.Errorf("shard %s: %w", s.Name, err)
		}
		p.Shards = append(p.Shards, shard)
	}
	for _, r := range f.Rows {
		if r.Row.Sum, err = strconv.ParseFloat(r.Sum, 64); err != nil {
			return nil, fmt.Errorf("row %d of %s: its sum is %q", r.Row.Row, r.Shard, r.Sum)
		}
		p.Rows = append(p.Rows, r.Row)
	}
	return p, p.check()
}
