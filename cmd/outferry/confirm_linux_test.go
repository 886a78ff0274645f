package main

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns a pseudo terminal: what a person types into, and what a command reads from.
func terminal(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Close() })
	return person, command
}

func TestAPersonTypesTheNameToConfirm(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	person, command := terminal(t)
	fmt.Fprintln(person, "yes")
	r.doWith(command, "reset").want(t, 3, "Type "+r.name, "offsets.unconfirmed")
	if r.record() == nil {
		t.Fatal("it was reset without the name")
	}
	fmt.Fprintln(person, r.name)
	r.doWith(command, "reset").want(t, 0, "removed")
}
