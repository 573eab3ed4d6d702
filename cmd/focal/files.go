package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofocal/focal/cmd/focal/internal/output"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

// What all commands do with the names of files, each of which may be "-".

// expand replaces patterns by the files that match, as shells do where there is one. What exists is no pattern.
func expand(names []string) (files []string, err error) {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil || !strings.ContainsAny(name, "*?[") {
			files = append(files, name)
			continue
		}
		found, err := filepath.Glob(name)
		if err != nil {
			return nil, usagef("%s: is no file, and no pattern: %w", name, err)
		}
		if len(found) == 0 {
			return nil, usagef("%s: no file matches", name)
		}
		files = append(files, found...)
	}
	return files, nil
}

// isStandard reports whether a name stands for a standard stream: "-", or what systems call 0, the input, or 1, the output.
func isStandard(name string, stream int) bool {
	system := []string{"/dev/stdin", "/dev/stdout"}[stream]
	return name == "-" || slices.Contains([]string{system, fmt.Sprint("/dev/fd/", stream), fmt.Sprint("/proc/self/fd/", stream)}, name)
}

// open is the shards.Opener of the command.
func (e *env) open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	if !isStandard(name, 0) {
		var size int64
		file, err := within(e.ctx, func() (file io.ReadCloser, err error) {
			file, size, err = npyfile.OpenFile(name)
			return file, err
		}, func(file io.ReadCloser) { file.Close() })
		if err != nil {
			return nil, 0, err
		}
		return file, size, nil
	}
	if f, ok := e.stdin.(*os.File); ok {
		info, err := f.Stat()
		if at, e := f.Seek(0, io.SeekCurrent); err == nil && e == nil && at == 0 && info.Mode().IsRegular() {
			return f, info.Size(), nil
		}
	}
	// To close the standard input does not end reading from it, as an interrupt must.
	r, w := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(w, struct{ io.Reader }{e.stdin}, make([]byte, 1<<20))
		w.CloseWithError(err)
	}()
	return r, -1, nil
}

// readFile returns all of an input. It ends with the context.
func (e *env) readFile(name string) ([]byte, error) {
	file, _, err := e.open(e.ctx, name)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(e.ctx, func() { file.Close() })()
	defer file.Close()
	return io.ReadAll(file)
}

// create begins to write an output.
func (e *env) create(name string) (*output.File, error) {
	if isStandard(name, 1) {
		return output.To(name, e.stdout), nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return within(e.ctx, func() (*output.File, error) { return output.Create(name) }, (*output.File).Discard)
	}
	if err := e.ctx.Err(); err != nil {
		return nil, err
	}
	return output.Create(name) // here: the program might end before another goroutine discards it
}

// within opens something, or ends with the context: a pipe waits for its other end. What is opened later is discarded.
func within[T any](ctx context.Context, open func() (T, error), discard func(T)) (T, error) {
	type opened struct {
		file T
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		file, err := open()
		done <- opened{file, err}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				discard(o.file)
			}
		}()
		var none T
		return none, ctx.Err()
	}
}

// output writes what write writes to the named file, or to stdout if there is no name.
func (e *env) output(name string, write func(io.Writer) error) error {
	if name == "" {
		return write(e.stdout)
	}
	file, err := e.create(name)
	if err != nil {
		return err
	}
	defer file.Discard()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Finish(); err != nil {
		return err
	}
	return file.Publish()
}

// remarks returns where a command says what it says beside its outputs, none of which it may mix with.
func (e *env) remarks(outputs ...string) io.Writer {
	if slices.ContainsFunc(outputs, func(name string) bool { return isStandard(name, 1) }) {
		return e.stderr
	}
	return e.stdout
}

// checkNames returns an error if an output would replace an input or another output, or if two inputs are the standard
// input.
func checkNames(outputs []string, inputs ...string) error {
	standard := 0
	for _, in := range inputs {
		if isStandard(in, 0) {
			if standard++; standard > 1 {
				return usagef("the standard input is read twice")
			}
		}
	}
	for i, out := range outputs {
		if out == "" {
			continue
		}
		for _, in := range inputs {
			if in != "" && !isStandard(out, 1) && !isStandard(in, 0) && sameFile(out, in) {
				return usagef("%s is both an input and an output", out)
			}
		}
		for _, other := range outputs[:i] {
			if other == "" {
				continue
			}
			if isStandard(out, 1) && isStandard(other, 1) || !isStandard(out, 1) && !isStandard(other, 1) && sameFile(out, other) {
				return usagef("%s is written twice", out)
			}
		}
	}
	return nil
}

// sameFile reports whether two names are those of one file, which need not exist. A device is nothing that can be replaced.
func sameFile(a, b string) bool {
	if x, err := os.Stat(a); err == nil {
		y, err := os.Stat(b)
		return err == nil && x.Mode().IsRegular() && os.SameFile(x, y)
	}
	x, err1 := os.Stat(filepath.Dir(a))
	y, err2 := os.Stat(filepath.Dir(b))
	return err1 == nil && err2 == nil && os.SameFile(x, y) && filepath.Base(a) == filepath.Base(b)
}
