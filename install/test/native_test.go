package shiptest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// packagePath is where a package is; its name ends as packages do.
func packagePath(t *testing.T, age, service, version, ending string) string {
	t.Helper()
	return filepath.Join(need(t, "SHIP_DIR", "ship-test"), age, "teleport-access-"+service+"-v"+version+ending)
}

// Debian's packages are installed, upgraded and removed by Debian's own program. What they
// leave on the system is what ./install --systemd leaves there.
func TestShipDeb(t *testing.T) {
	d := newDebian(t)
	for _, service := range services() {
		t.Run(service, func(t *testing.T) {
			i := &installation{&debian{t, d.root}, service}
			dpkg := func(age, version string) {
				output(t, "cp", packagePath(t, age, service, version, "_amd64.deb"), i.path("/root/plugin.deb"))
				i.run("dpkg --install /root/plugin.deb")
				contains(t, i.run(i.binary()+" version"), "v"+version)
			}
			dpkg("old", oldVersion)
			if got, want := i.run("stat -c '%a %U:%G' "+i.stateDir()), "700 "+i.binary()+":"+i.binary()+"\n"; got != want {
				t.Errorf("the directory of the credentials is %q, want %q", got, want)
			}
			contains(t, i.run("cat "+i.unit()), "User="+i.binary())
			if i.exists(i.config()) {
				t.Error("the package made a config")
			}
			i.run(i.binary() + " configure > " + i.config() + " && touch " + i.stateDir() + "/identity")
			dpkg("new", newVersion)
			listed := i.run("dpkg --listfiles " + i.binary())
			for _, name := range []string{"access-plugin.yaml", "THIRD-PARTY-NOTICES", i.binary() + ".cdx.json", "LICENSE", "README.md"} {
				contains(t, listed, "/"+name+"\n")
			}
			i.run("dpkg --remove " + i.binary())
			for _, path := range []string{"/usr/local/bin/" + i.binary(), i.unit(), "/usr/share/" + i.binary()} {
				if i.exists(path) {
					t.Errorf("%s is left", path)
				}
			}
			for _, path := range []string{i.config(), i.stateDir() + "/identity"} {
				if !i.exists(path) {
					t.Errorf("%s is gone", path)
				}
			}
		})
	}
}

// The packages of Red Hat hold the same files as those of Debian.
func TestShipRpm(t *testing.T) {
	for _, service := range services() {
		for _, arch := range []string{"amd64", "arm64"} {
			rpm, deb := t.TempDir(), t.TempDir()
			output(t, "sh", "-c", "rpm2cpio '"+packagePath(t, "new", service, newVersion, "."+arch+".rpm")+"' | (cd '"+rpm+"' && cpio --quiet --no-absolute-filenames -idm)")
			output(t, "dpkg-deb", "--extract", packagePath(t, "new", service, newVersion, "_"+arch+".deb"), deb)
			list := func(dir string) string {
				return output(t, "sh", "-c", "cd '"+dir+"' && find . -type f | sort | xargs -I {} sh -c 'stat --format=%a {}; sha256sum {}'")
			}
			if got, want := list(rpm), list(deb); got != want || strings.Count(want, "\n") < 8 {
				t.Errorf("%s for %s holds\n%s\nand not\n%s", service, arch, got, want)
			}
		}
	}
}

// The bill of materials names the modules that are in the binary, and the notices have
// the terms of each.
func TestShipBills(t *testing.T) {
	for _, service := range services() {
		top := unpack(t, "new", service, newVersion, "amd64")
		f, err := os.Open(filepath.Join(top, "teleport-"+service+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bom cyclonedx.BOM
		if err := cyclonedx.NewBOMDecoder(f, cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		notices, err := os.ReadFile(filepath.Join(top, "THIRD-PARTY-NOTICES"))
		if err != nil {
			t.Fatal(err)
		}
		modules := output(t, "sh", "-c", "go version -m '"+filepath.Join(top, "teleport-"+service)+"' | awk '$1 == \"dep\" {print $2 \" \" $3}'")
		listed := make(map[string]bool)
		for _, c := range *bom.Components {
			listed[c.Name+" "+c.Version] = true
		}
		for module := range strings.Lines(modules) {
			if module = strings.TrimSpace(module); !listed[module] {
				t.Errorf("%s is in teleport-%s and not in its bill of materials", module, service)
			}
			contains(t, string(notices), "\n"+module+" (")
		}
		if len(listed) < 20 {
			t.Errorf("teleport-%s is made of %d modules", service, len(listed))
		}
		if got := bom.Metadata.Component; got.Version != "v"+newVersion || got.Name != "teleport-"+service {
			t.Errorf("the bill of materials is that of %s %s", got.Name, got.Version)
		}
	}
}
