// Command pack turns staged directories into archives that are the same, byte
// for byte, whenever, wherever and by whomever they are packed.
//
//	pack -mtime 1700000000 -out build/release build/stage/name ...
//
// Each directory becomes name.tar.gz with the directory's content, and
// SHA256SUMS lists them all in the form that sha256sum --check reads. What
// differs between machines is left out: owners, times, the order of a
// directory, and all of the modes but whether a file can be executed.
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	mtime := flag.Int64("mtime", 0, "time of every file, in seconds since 1970")
	out := flag.String("out", ".", "directory of the archives and of SHA256SUMS")
	flag.Parse()
	if err := run(*out, time.Unix(*mtime, 0).UTC(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// run packs each of the staged directories, and writes their sums.
func run(out string, mtime time.Time, staged []string) error {
	if len(staged) == 0 {
		return errors.New("no directory to pack was named")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, dir := range staged {
		name := filepath.Base(dir) + ".tar.gz"
		sum, err := archive(filepath.Join(out, name), dir, mtime)
		if err != nil {
			return fmt.Errorf("packing %s: %w", dir, err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sum, name)
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// archive writes the archive of dir to path, and returns its SHA-256 sum.
func archive(path, dir string, mtime time.Time) (sum []byte, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	if err := write(io.MultiWriter(f, hash), os.DirFS(dir), mtime); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}

// write packs all of a file system, in lexical order.
func write(w io.Writer, files fs.FS, mtime time.Time) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(zip)
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		return add(t, files, path, entry, mtime)
	})
	return errors.Join(err, t.Close(), zip.Close())
}

// add packs one directory or file.
func add(t *tar.Writer, files fs.FS, path string, entry fs.DirEntry, mtime time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: path, Mode: 0o644, ModTime: mtime, Format: tar.FormatUSTAR}
	switch {
	case info.IsDir():
		header.Typeflag, header.Name, header.Mode = tar.TypeDir, path+"/", 0o755
		return t.WriteHeader(header)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a directory", path)
	case info.Mode()&0o100 != 0:
		header.Mode = 0o755
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(t, f)
	return err
}
