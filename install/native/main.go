// Command native makes the packages of Debian and of Red Hat from staged directories, as
// make release lays them out.
//
//	native -version 1.2.3 -arch amd64 -mtime 1700000000 -scripts install/native/scripts -out build/release stage/… …
//
// What a package installs, and where, is what the script install in the same directory
// does with --systemd.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// release is what all packages of a release have in common.
type release struct {
	version, arch, scripts, out string
	made                        time.Time
}

func main() {
	var r release
	flag.StringVar(&r.version, "version", "", "the version, without a v")
	flag.StringVar(&r.arch, "arch", "", "the architecture, in the words of Go")
	flag.StringVar(&r.scripts, "scripts", "", "directory of the scripts")
	flag.StringVar(&r.out, "out", ".", "directory of the packages")
	mtime := flag.Int64("mtime", 0, "time of every file, in seconds since 1970")
	flag.Parse()
	r.made = time.Unix(*mtime, 0).UTC()
	for _, dir := range flag.Args() {
		if err := r.pack(dir); err != nil {
			fmt.Fprintf(os.Stderr, "native: packing %s: %v\n", dir, err)
			os.Exit(1)
		}
	}
}

// pack makes both packages of one staged directory, which has one directory in it.
func (r release) pack(dir string) error {
	tops, err := filepath.Glob(filepath.Join(dir, "teleport-access-*"))
	if err != nil || len(tops) != 1 {
		return errors.Join(err, fmt.Errorf("there are %d plugins in it", len(tops)))
	}
	plugin := strings.TrimPrefix(filepath.Base(tops[0]), "teleport-access-")
	work, err := os.MkdirTemp("", "native")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for format, extension := range map[string]string{"deb": "_" + r.arch + ".deb", "rpm": "." + r.arch + ".rpm"} {
		if err := r.write(format, plugin, tops[0], work, filepath.Join(r.out, "teleport-access-"+plugin+"-v"+r.version+extension)); err != nil {
			return fmt.Errorf("as %s: %w", format, err)
		}
	}
	return nil
}

func (r release) write(format, plugin, top, work, path string) error {
	name := "teleport-" + plugin
	scripts := make(map[string]string)
	for _, script := range []string{"postinstall", "preremove", "postremove"} {
		text, err := os.ReadFile(filepath.Join(r.scripts, script))
		if err != nil {
			return err
		}
		scripts[script] = filepath.Join(work, script)
		if err := os.WriteFile(scripts[script], []byte(strings.ReplaceAll(string(text), "@PLUGIN@", plugin)), 0o755); err != nil {
			return err
		}
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: name, Arch: r.arch, Platform: "linux", Version: r.version, VersionSchema: "semver", Release: "1",
		Section: "net", Priority: "optional", License: "Apache-2.0", MTime: r.made,
		Maintainer:  "The maintainers of the plugins <noreply@example.com>",
		Description: "Carries Teleport access requests to where people are (" + plugin + ")",
		Overridables: nfpm.Overridables{
			Scripts: nfpm.Scripts{PostInstall: scripts["postinstall"], PreRemove: scripts["preremove"], PostRemove: scripts["postremove"]},
			RPM:     nfpm.RPM{BuildHost: "localhost"},
			Deb:     nfpm.Deb{Compression: "gzip"},
		},
	})
	put := func(source, destination string, mode os.FileMode) {
		info.Contents = append(info.Contents, &files.Content{
			Source: filepath.Join(top, source), Destination: destination,
			FileInfo: &files.ContentFileInfo{Mode: mode, MTime: r.made, Owner: "root", Group: "root"},
		})
	}
	put(name, "/usr/local/bin/"+name, 0o755)
	put(name+".service", "/usr/local/lib/systemd/system/"+name+".service", 0o644)
	documents, err := filepath.Glob(filepath.Join(top, "roles", "*.yaml"))
	if err != nil {
		return err
	}
	for _, role := range documents {
		put(filepath.Join("roles", filepath.Base(role)), "/usr/share/"+name+"/roles/"+filepath.Base(role), 0o644)
	}
	for _, document := range []string{"LICENSE", "README.md", "THIRD-PARTY-NOTICES", name + ".cdx.json"} {
		put(document, "/usr/share/doc/"+name+"/"+document, 0o644)
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(packager.Package(info, f), f.Close())
}
