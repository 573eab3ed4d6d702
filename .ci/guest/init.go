// Command init is the first and only program of the machine that .ci/bochs boots. It runs /test, with the arguments and the
// environment that the files /args and /env hold, a line each, says how that ended, and restarts the machine.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	status, err := run()
	if err != nil {
		fmt.Println("guest:", err)
	}
	fmt.Printf("\nguest: status %d\n", status)
	drain() // what is on its way to the serial port would be lost
	fmt.Println("guest: no restart:", syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART))
}

func run() (status int, err error) {
	for _, m := range []struct{ kind, dir string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := errors.Join(os.MkdirAll(m.dir, 0o777), syscall.Mount(m.kind, m.dir, m.kind, 0, "")); err != nil {
			return 1, fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	arguments, err := lines("/args")
	if err != nil {
		return 1, err
	}
	environment, err := lines("/env")
	if err != nil {
		return 1, err
	}
	test := exec.Command("/test", arguments...)
	test.Dir = "/package"
	test.Env = environment
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	fmt.Println("guest: begin")
	err = test.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	if err != nil { // a signal ended it, or it could not be started
		return 1, err
	}
	return 0, nil
}

// drain waits until the serial port has sent all output: tcdrain.
func drain() {
	const tcsbrk = 0x5409
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, os.Stdout.Fd(), tcsbrk, 1); err != 0 {
		fmt.Println("guest: tcdrain:", err)
		time.Sleep(2 * time.Second)
	}
}

func lines(file string) ([]string, error) {
	b, err := os.ReadFile(file)
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' }), err
}
