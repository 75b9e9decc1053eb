package docs_test

import (
	"strings"
	"testing"

	"teleport-plugins/access/services"
)

// Each guide goes all the way, in the same commands: install, roles, identity, check,
// service, removal. None has a unit of its own beside the one that is shipped.
func TestGuidesGoAllTheWay(t *testing.T) {
	for _, s := range services.All() {
		guide := read(t, "access/"+s.Name+"/README.md").text
		at := 0
		for _, step := range []string{
			"```sh\ntar xzf teleport-access-NAME-v1.2.3-linux-amd64-bin.tar.gz\ncd teleport-access-NAME\nsudo ./install --systemd\n```\n",
			"```sh\ntctl create -f roles/access-plugin.yaml\n```\n",
			"tctl auth sign --user=access-plugin-NAME --format=file \\\n  --out=/var/lib/teleport/plugins/NAME/identity --ttl=8760h\n" +
				"chown teleport-NAME /var/lib/teleport/plugins/NAME/identity\n```\n",
			"```sh\nteleport-NAME configure > /etc/teleport-NAME.toml\nchgrp teleport-NAME /etc/teleport-NAME.toml\nchmod 0640 /etc/teleport-NAME.toml\n```\n",
			"teleport-NAME check",
			"```sh\nsystemctl enable --now teleport-NAME\n```\n",
			"`sudo ./install --uninstall`",
			"```sh\ntsh request create --nowait --roles=editor --reason=\"a try\"\n```\n",
		} {
			step = strings.ReplaceAll(step, "NAME", s.Name)
			i := strings.Index(guide[at:], step)
			if i < 0 {
				t.Errorf("the guide of %s lacks, after what comes before it: %s", s.Name, step)
				continue
			}
			at += i
		}
		for _, link := range []string{"#from-a-package", "#the-image", "#the-charts"} {
			if !strings.Contains(guide, "](../../install/README.md"+link+")") {
				t.Errorf("the guide of %s does not lead to %s", s.Name, link)
			}
		}
		if strings.Contains(guide, "[Unit]") {
			t.Errorf("the guide of %s has a unit of its own", s.Name)
		}
	}
}
