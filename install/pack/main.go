// Command pack turns staged directories into archives that are the same, byte
// for byte, whenever, wherever and by whomever they are packed.
//
//	pack -mtime 1700000000 -out build/release build/stage/name ...
//
// Each directory becomes name.tar.gz with the directory's content, and
// SHA256SUMS lists all files there in the form that sha256sum --check reads. With the
// flag -key it is signed: SHA256SUMS.sig is for cosign and openssl. What
// differs between machines is left out: owners, times, the order of a
// directory, and all of the modes but whether a file can be executed.
package main

import (
	"archive/tar"
	"bytes"
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
	key := flag.String("key", "", "file with the key that signs SHA256SUMS, in PEM form")
	flag.Parse()
	if err := run(*out, *key, time.Unix(*mtime, 0).UTC(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// run packs each of the staged directories, and writes the sums of all that is in the
// directory out.
func run(out, key string, mtime time.Time, staged []string) error {
	if len(staged) == 0 {
		return errors.New("no directory to pack was named")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, dir := range staged {
		if err := archive(filepath.Join(out, filepath.Base(dir)+".tar.gz"), dir, mtime); err != nil {
			return fmt.Errorf("packing %s: %w", dir, err)
		}
	}
	sums, err := sum(out)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, sumsName), sums, 0o644); err != nil || key == "" {
		return err
	}
	signature, err := sign(key, sums)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, sumsName+".sig"), signature, 0o644)
}

const sumsName = "SHA256SUMS"

// sum gives the sums of all files in a directory, by their names.
func sum(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var sums bytes.Buffer
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), sumsName) {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("reading %s: %w", e.Name(), err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", hash.Sum(nil), e.Name())
	}
	return sums.Bytes(), nil
}

// archive writes the archive of dir to path.
func archive(path, dir string, mtime time.Time) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f, os.DirFS(dir), mtime)
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
