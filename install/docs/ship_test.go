package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// A release says which plugin it is, as Teleport's own do.
func TestReleasesAreStamped(t *testing.T) {
	shows(t, root, "git", "rev-parse", "HEAD")
	for _, i := range integrations() {
		for _, target := range []string{"stage-", "image-"} {
			said := shows(t, root, "make", "-n", "VERSION=1.2.3", "ARCH=amd64", target+i.Name)
			stamp := regexp.MustCompile(`plugin\.version=1\.2\.3 -X [a-z/-]+plugin\.gitref=teleport-` + i.Name + `-v1\.2\.3-[0-9a-f]{9}'`)
			if !stamp.MatchString(said) {
				t.Errorf("%s%s does not match %s:\n%s", target, i.Name, stamp, said)
			}
		}
	}
}

func TestEveryPluginIsBuiltInItsFolder(t *testing.T) {
	for _, i := range integrations() {
		if said := shows(t, root, "make", "-n", "-C", "access/"+i.Name); !strings.Contains(said, "build/teleport-"+i.Name) {
			t.Errorf("make in access/%s does\n%s", i.Name, said)
		}
	}
}

// Credentials are where Teleport's guides put them, and can be seen there.
func TestCredentialsAreWhereTheGuidesPutThem(t *testing.T) {
	for _, i := range integrations() {
		if want := "identity = \"/var/lib/teleport/plugins/" + i.Name + "/identity\""; !strings.Contains(i.Example, want) {
			t.Errorf("the example of %s does not say %s", i.Name, want)
		}
	}
	unit := read(t, "install/systemd/teleport-plugin.service.in").text
	for _, path := range []string{"BindPaths=/var/lib/teleport/plugins/@PLUGIN@\n", "BindReadOnlyPaths=-/var/lib/teleport/plugins/api-credentials\n"} {
		if !strings.Contains(unit, path) {
			t.Errorf("the unit lacks %s", path)
		}
	}
}
