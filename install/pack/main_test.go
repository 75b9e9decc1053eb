package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var mtime = time.Unix(1_700_000_000, 0).UTC()

// What differs between two checkouts: the modes a umask leaves, and times.
func TestPackedBytesDependOnContentOnly(t *testing.T) {
	here := fstest.MapFS{
		"top/plugin":  {Data: []byte("binary"), Mode: 0o755, ModTime: time.Unix(1, 0)},
		"top/README":  {Data: []byte("text"), Mode: 0o644, ModTime: time.Unix(2, 0)},
		"top/roles/a": {Data: []byte("role"), Mode: 0o640},
	}
	there := fstest.MapFS{
		"top/roles/a": {Data: []byte("role"), Mode: 0o664},
		"top/README":  {Data: []byte("text"), Mode: 0o600},
		"top/plugin":  {Data: []byte("binary"), Mode: 0o700},
	}
	if !bytes.Equal(packed(t, here), packed(t, there)) {
		t.Error("the same content gave two archives")
	}
	there["top/README"].Data = []byte("other")
	if bytes.Equal(packed(t, here), packed(t, there)) {
		t.Error("other content gave the same archive")
	}
}

func TestPackedEntries(t *testing.T) {
	data := packed(t, fstest.MapFS{
		"top/plugin": {Data: []byte("binary"), Mode: 0o700},
		"top/README": {Data: []byte("text"), Mode: 0o600},
	})
	var got []string
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(zip)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(mtime) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s: time %v, owner %d:%d %q", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname)
		}
		got = append(got, fmt.Sprintf("%o %s", h.Mode, h.Name))
	}
	if want := "755 top/,644 top/README,755 top/plugin"; strings.Join(got, ",") != want {
		t.Errorf("packed %q, want %q", got, want)
	}
}

func TestSumsListEveryArchive(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "release")
	staged := []string{filepath.Join(dir, "b-v1"), filepath.Join(dir, "a-v1")}
	for _, s := range staged {
		if err := os.MkdirAll(filepath.Join(s, "top"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(out, "", mtime, staged); err != nil {
		t.Fatal(err)
	}
	var want string
	for _, name := range []string{"a-v1.tar.gz", "b-v1.tar.gz"} {
		data, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name)
	}
	got, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("sums are\n%swant\n%s", got, want)
	}
}

func TestWhatIsNotPacked(t *testing.T) {
	link := fstest.MapFS{"top/link": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink | 0o777}}
	if err := write(io.Discard, link, mtime); err == nil {
		t.Error("a link was packed")
	}
	if err := run(t.TempDir(), "", mtime, nil); err == nil {
		t.Error("nothing was packed without a word")
	}
	if err := run(t.TempDir(), "", mtime, []string{filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("a directory that is not there was packed")
	}
}

func packed(t *testing.T, files fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, files, mtime); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
