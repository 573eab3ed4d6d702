package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// A process is a worker: a program that runs peers, one command a line. README.md describes the protocol.
type process struct {
	name string
	info string // what it says of itself
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

// errRefused is an answer, not a failure: the peer cannot do what is asked.
type errRefused struct{ reason string }

func (e errRefused) Error() string { return e.reason }

// start runs a worker; unless cpu is negative, on that one alone.
func start(name string, cpu int, env, args []string) (*process, error) {
	if cpu >= 0 {
		args = append([]string{"taskset", "-c", strconv.Itoa(cpu)}, args...)
	}
	if os.Geteuid() == 0 { // others on the machine disturb less
		args = append([]string{"nice", "-n", "-10"}, args...)
	}
	p := &process{name: name, cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	greeting, err := p.answer()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), p.stop())
	}
	var ok bool
	if p.info, ok = strings.CutPrefix(greeting, "ready "); !ok {
		return nil, errors.Join(fmt.Errorf("%s: its first line is %q, want ready and what it is", name, greeting), p.stop())
	}
	return p, nil
}

func (p *process) stop() error {
	if err := p.in.Close(); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *process) answer() (string, error) {
	if p.out.Scan() {
		return p.out.Text(), nil
	}
	if err := p.out.Err(); err != nil {
		return "", err
	}
	return "", io.ErrUnexpectedEOF
}

// ask sends a command and returns the answer.
func (p *process) ask(format string, args ...any) (string, error) {
	command := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		return "", fmt.Errorf("%s: %s: %w", p.name, command, err)
	}
	answer, err := p.answer()
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", p.name, command, err)
	}
	if reason, ok := strings.CutPrefix(answer, "no "); ok {
		return "", errRefused{reason}
	}
	return answer, nil
}

// do sends a command whose answer is ok.
func (p *process) do(format string, args ...any) error {
	answer, err := p.ask(format, args...)
	if err == nil && answer != "ok" {
		err = fmt.Errorf("%s: answered %q to %s, want ok", p.name, answer, fmt.Sprintf(format, args...))
	}
	return err
}
