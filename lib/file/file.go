// Package file opens what people name as a file, and what may be something else: a
// pipe at whose other end nobody is, a folder, a device. Nothing here waits for ever.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	// maxBytes bounds what is read: a device can be without an end.
	maxBytes = 16 << 20
	// emptyTime is how long a pipe may be without anybody who writes into it, as where
	// a shell still starts that process; silentTime is how long somebody who has it
	// open may take to write all.
	emptyTime, silentTime = 2 * time.Second, 10 * time.Second
	// pause is how often a pipe without a writer is looked at.
	pause = 20 * time.Millisecond
)

// Fault says in words that follow the name of a file what it is, where that is nothing
// to read from or to write to.
type Fault string

// Error gives the words.
func (f Fault) Error() string { return string(f) }

// Read reads a file to its end. A pipe is taken where somebody writes into it. The
// error is a Fault or that of the system, which names the path; see Words.
func Read(path string) ([]byte, error) {
	f, err := open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, Fault("is a folder, not a file")
	case info.Mode()&fs.ModeNamedPipe != 0:
		return drain(f)
	}
	return all(f)
}

// drain reads a pipe. One into which nobody writes is at its end at once.
func drain(f *os.File) ([]byte, error) {
	for began := time.Now(); ; time.Sleep(pause) {
		content, err := all(f)
		if err != nil || len(content) > 0 {
			return content, err
		}
		if time.Since(began) > emptyTime {
			return nil, Fault("is a pipe, and nobody writes into it")
		}
	}
}

func all(f *os.File) ([]byte, error) {
	_ = f.SetReadDeadline(time.Now().Add(silentTime)) // what cannot have one is read at once
	content, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, Fault(fmt.Sprintf("is a pipe or a terminal, and its end did not come within %v", silentTime))
	case err != nil:
		return nil, err
	case len(content) > maxBytes:
		return nil, Fault(fmt.Sprintf("is larger than %d MiB", maxBytes>>20))
	}
	return content, nil
}

// Append opens a file to write at its end, and makes it if there is none. A pipe is
// taken where somebody reads it. The error is one for Words.
func Append(path string, mode fs.FileMode) (*os.File, error) {
	f, err := open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, Fault("is a folder, not a file")
	case errors.Is(err, fs.ErrNotExist):
		return nil, &worded{"cannot be made, since its folder does not exist", err}
	}
	return f, err
}

// open does not wait for the other end of a pipe.
func open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, mode)
	if !errors.Is(err, syscall.ENXIO) {
		return f, err
	}
	switch info, staterr := os.Stat(path); {
	case staterr != nil:
		return nil, staterr
	case info.Mode()&fs.ModeSocket != 0:
		return nil, Fault("is a socket, not a file")
	case info.Mode()&fs.ModeNamedPipe != 0:
		return nil, Fault("is a pipe, and nobody reads it")
	}
	return nil, err
}

// Words is what is wrong with a file, in words that follow its name.
func Words(err error) error {
	var fault Fault
	var said *worded
	var path *fs.PathError
	switch {
	case errors.As(err, &fault), errors.As(err, &said):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return &worded{"does not exist", err}
	case errors.Is(err, fs.ErrPermission):
		return &worded{"may not be opened by the user that runs this program", err}
	case errors.As(err, &path):
		return &worded{"cannot be opened or read: " + path.Err.Error(), err}
	}
	return &worded{"cannot be opened or read: " + err.Error(), err}
}

// worded is an error in words that follow the name of a file, which are all that is
// said.
type worded struct {
	words string
	cause error
}

func (w *worded) Error() string { return w.words }

func (w *worded) Unwrap() error { return w.cause }
