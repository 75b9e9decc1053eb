// Command bill says what a binary is made of: it writes a bill of materials in the form
// of CycloneDX, and the notices of the third parties whose code is in it.
//
//	bill -binary teleport-NAME -version v1.2.3 -sbom teleport-NAME.cdx.json -notices THIRD-PARTY-NOTICES
//
// Both are made from what the compiler has stamped into the binary and from the sources
// that it was compiled of, and are the same for the same binary.
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	var f files
	flag.StringVar(&f.binary, "binary", "", "the binary")
	flag.StringVar(&f.version, "version", "", "the version of the release")
	flag.StringVar(&f.sbom, "sbom", "", "where the bill of materials goes")
	flag.StringVar(&f.notices, "notices", "", "where the notices go")
	flag.Parse()
	if err := f.write(); err != nil {
		fmt.Fprintln(os.Stderr, "bill:", err)
		os.Exit(1)
	}
}

type files struct{ binary, version, sbom, notices string }

func (f files) write() error {
	info, err := buildinfo.ReadFile(f.binary)
	if err != nil {
		return fmt.Errorf("reading what the binary is made of: %w", err)
	}
	parts, err := locate(info.Deps)
	if err != nil {
		return err
	}
	var sbom, notices bytes.Buffer
	if err := bill(&sbom, filepath.Base(f.binary), f.version, info, parts); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	if err := notice(&notices, filepath.Base(f.binary), info.GoVersion, parts); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(f.sbom, sbom.Bytes(), 0o644), os.WriteFile(f.notices, notices.Bytes(), 0o644))
}

// part is a module, and the directory of its source.
type part struct {
	Path, Version, Sum string
	Dir                string
}

// locate finds the sources of modules.
func locate(deps []*debug.Module) (parts []part, err error) {
	args := []string{"mod", "download", "-json"}
	for _, d := range deps {
		if d.Replace != nil {
			d = d.Replace
		}
		args = append(args, d.Path+"@"+d.Version)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("finding the sources: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p part
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("finding the sources: %w", err)
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.Path, b.Path) })
	return parts, nil
}

// bill writes the bill of materials.
func bill(w io.Writer, name, version string, info *buildinfo.BuildInfo, parts []part) error {
	b := cyclonedx.NewBOM()
	b.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: name, Type: cyclonedx.ComponentTypeApplication, Name: name, Version: version,
	}}
	components := []cyclonedx.Component{{
		BOMRef: "std", Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, p := range parts {
		url := "pkg:golang/" + p.Path + "@" + p.Version
		components = append(components, cyclonedx.Component{
			BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: p.Path, Version: p.Version, PackageURL: url,
			Properties: &[]cyclonedx.Property{{Name: "go:sum", Value: p.Sum}},
		})
	}
	b.Components = &components
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(b, cyclonedx.SpecVersion1_5) //nolint:wrapcheck // its caller says what was done
}

// legal are the names of files with terms.
var legal = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright|patents)([.-].*)?$`)

// notice writes the terms of all modules. A module without any is an error: it may not be
// passed on.
func notice(w io.Writer, name, compiler string, parts []part) error {
	fmt.Fprintf(w, "%s contains the Go standard library (%s) and the modules below, under these terms.\n", name, compiler)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("finding the standard library: %w", err)
	}
	for _, p := range append([]part{{Path: "The Go standard library", Dir: strings.TrimSpace(string(root))}}, parts...) {
		entries, err := os.ReadDir(p.Dir)
		if err != nil {
			return fmt.Errorf("reading the source of %s: %w", p.Path, err)
		}
		found := false
		for _, e := range entries {
			if e.IsDir() || !legal.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(p.Dir, e.Name()))
			if err != nil {
				return fmt.Errorf("reading the terms of %s: %w", p.Path, err)
			}
			found = true
			fmt.Fprintf(w, "\n%s\n%s (%s)\n\n%s\n", strings.Repeat("-", 80), strings.TrimSpace(p.Path+" "+p.Version), e.Name(), bytes.TrimSpace(text))
		}
		if !found {
			return fmt.Errorf("%s has no terms under which it could be passed on", p.Path)
		}
	}
	return nil
}
