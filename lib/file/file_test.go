package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"teleport-plugins/lib/file"
)

// at is the path of something new in a folder of the test.
func at(t *testing.T, name string, make func(path string) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := make(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func pipe(path string) error { return syscall.Mkfifo(path, 0o600) }

func folder(path string) error { return os.Mkdir(path, 0o700) }

func TestWhatIsNoFileIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	read := func(path string) error { _, err := file.Read(path); return err }
	write := func(path string) error { _, err := file.Append(path, 0o600); return err }
	for _, c := range []struct {
		path string
		do   func(string) error
		want string
	}{
		{at(t, "pipe", pipe), read, "is a pipe, and nobody writes into it"},
		{at(t, "pipe", pipe), write, "is a pipe, and nobody reads it"},
		{at(t, "folder", folder), read, "is a folder, not a file"},
		{at(t, "folder", folder), write, "is a folder, not a file"},
		{socket, read, "is a socket, not a file"},
		{"/dev/zero", read, "is larger than 16 MiB"},
		{filepath.Join(t.TempDir(), "none"), read, "does not exist"},
		{filepath.Join(t.TempDir(), "none", "x"), write, "cannot be made, since its folder does not exist"},
		{socket + "/x", read, "cannot be opened or read: not a directory"},
	} {
		t.Run(filepath.Base(c.path)+": "+c.want, func(t *testing.T) {
			t.Parallel()
			if err := c.do(c.path); err == nil || file.Words(err).Error() != c.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// What the system said stays within.
func TestWordsKeepTheCause(t *testing.T) {
	_, err := file.Read(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(file.Words(err), fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// As with the shell's <(…), and with a pipe that is written to a moment later.
func TestPipesWithAWriterAreRead(t *testing.T) {
	text := strings.Repeat("x", 200_000) // more than a pipe holds
	path := at(t, "pipe", pipe)
	go func() { _ = os.WriteFile(path, []byte(text), 0o600) }()
	if got, err := file.Read(path); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.WriteString(text)
		_ = w.Close()
	}()
	if got, err := file.Read(fmt.Sprintf("/dev/fd/%d", r.Fd())); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := file.Read(os.DevNull); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// What is appended to a pipe arrives at who reads it.
func TestPipesWithAReaderAreWritten(t *testing.T) {
	path := at(t, "pipe", pipe)
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f, err := file.Append(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("line"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if n, err := reader.Read(got); err != nil || string(got[:n]) != "line" {
		t.Errorf("%q, %v", got[:n], err)
	}
}
