package shiptest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The versions that make ship-test builds.
const (
	oldVersion = "1.2.2-ship"
	newVersion = "1.2.3"
)

func archivePath(t *testing.T, age, service, version, arch string) string {
	t.Helper()
	name := fmt.Sprintf("teleport-access-%s-v%s-linux-%s-bin.tar.gz", service, version, arch)
	return filepath.Join(need(t, "SHIP_DIR", "ship-test"), age, name)
}

// unpack unpacks an archive and returns its top directory.
func unpack(t *testing.T, age, service, version, arch string) string {
	t.Helper()
	dir := t.TempDir()
	output(t, "tar", "xzf", archivePath(t, age, service, version, arch), "-C", dir)
	return filepath.Join(dir, "teleport-access-"+service)
}

func TestShipArchives(t *testing.T) {
	dir := need(t, "SHIP_DIR", "ship-test")
	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = filepath.Join(dir, "new")
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("the sums do not hold: %v\n%s", err, out)
	}
	for _, service := range services() {
		for _, arch := range []string{"amd64", "arm64"} {
			top := unpack(t, "new", service, newVersion, arch)
			for _, name := range []string{
				"LICENSE", "THIRD-PARTY-NOTICES", "README.md", "install", "teleport-" + service, "teleport-" + service + ".service",
				"roles/access-plugin.yaml", "roles/bot.yaml", "roles/impersonator.yaml", "roles/preview-role.yaml",
			} {
				if info, err := os.Stat(filepath.Join(top, name)); err != nil || info.Size() == 0 {
					t.Errorf("%s for %s lacks %s: %v", service, arch, name, err)
				}
			}
			links(t, top)
			if text, _ := os.ReadFile(filepath.Join(top, "VERSION")); string(text) != "v"+newVersion+"\n" {
				t.Errorf("the file VERSION of %s for %s holds %q", service, arch, text)
			}
		}
	}
}

// links expects that every link from one page to another leads somewhere.
func links(t *testing.T, top string) {
	t.Helper()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	seen := 0
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		pages, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				seen++
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
					t.Errorf("a link of %s leads nowhere: %s", page, m[0])
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d links were found", seen)
	}
}

// The binaries of the other architecture run, and say the same.
func TestShipArm64(t *testing.T) {
	for _, service := range services() {
		name := "teleport-" + service
		native := filepath.Join(unpack(t, "new", service, newVersion, "amd64"), name)
		foreign := filepath.Join(unpack(t, "new", service, newVersion, "arm64"), name)
		contains(t, output(t, "file", "--brief", foreign), "aarch64", "statically linked", "stripped")
		version := output(t, "qemu-aarch64-static", foreign, "version")
		contains(t, version, name+" v"+newVersion+" git:"+name+"-v"+newVersion+"-")
		if want := output(t, native, "version"); version != want {
			t.Errorf("on arm64 the version is %q, on amd64 %q", version, want)
		}
		if got := output(t, "qemu-aarch64-static", foreign, "configure"); got == "" || got != output(t, native, "configure") {
			t.Errorf("%s configure says on arm64:\n%s", name, got)
		}
	}
}

func TestShipScriptsAreClean(t *testing.T) {
	for _, service := range services() {
		output(t, "shellcheck", "--shell=sh", filepath.Join(unpack(t, "new", service, newVersion, "amd64"), "install"))
	}
}

func TestShipUnits(t *testing.T) {
	for _, service := range services() {
		top := unpack(t, "new", service, newVersion, "amd64")
		unit := filepath.Join(top, "teleport-"+service+".service")
		// The threshold is in tenths.
		output(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("@PLUGIN@")) || bytes.Contains(text, []byte("@TITLE@")) {
			t.Errorf("the unit of %s has a gap:\n%s", service, text)
		}
		// The binary is looked for where it is not installed here.
		text = bytes.ReplaceAll(text, []byte("/usr/local/bin"), []byte(top))
		if err := os.WriteFile(unit, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if out := output(t, "systemd-analyze", "verify", unit); out != "" {
			t.Errorf("the unit of %s:\n%s", service, out)
		}
	}
}

// debian is a root directory with a minimal system of its own.
type debian struct {
	t    *testing.T
	root string
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	pristine := need(t, "DEBIAN", "ship-test")
	if os.Geteuid() != 0 {
		t.Skip("changing the root directory takes root")
	}
	d := &debian{t, filepath.Join(t.TempDir(), "debian")}
	output(t, "cp", "-a", pristine, d.root)
	return d
}

// try runs a shell line in the system.
func (d *debian) try(line string) (string, error) {
	out, err := exec.Command("chroot", d.root, "/bin/sh", "-c", line).CombinedOutput()
	return string(out), err
}

// run runs a shell line that must succeed.
func (d *debian) run(line string) string {
	d.t.Helper()
	out, err := d.try(line)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// bring unpacks an archive in the system, with the tools of the system.
func (d *debian) bring(age, service, version string) {
	d.t.Helper()
	output(d.t, "cp", archivePath(d.t, age, service, version, "amd64"), d.path("/root/plugin.tar.gz"))
	d.run("cd /root && rm -rf teleport-access-" + service + " && tar xzf plugin.tar.gz")
}

func (d *debian) path(p string) string { return filepath.Join(d.root, p) }

func (d *debian) exists(path string) bool {
	_, err := os.Lstat(d.path(path))
	return err == nil
}

// start starts the installed plugin as its user.
func (d *debian) start(service string) *exec.Cmd {
	d.t.Helper()
	user := "teleport-" + service
	cmd := exec.Command("chroot", d.root, "/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups",
		"/usr/local/bin/teleport-"+service, "start", "--config=/etc/teleport-"+service+".toml")
	cmd.Stderr = d.t.Output()
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// stop ends a plugin as systemd does; it has to say that this was on purpose.
func (d *debian) stop(cmd *exec.Cmd) {
	d.t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		d.t.Errorf("the plugin stopped with %v", err)
	}
}

func TestShipInstall(t *testing.T) {
	d := newDebian(t)
	for _, service := range services() {
		t.Run(service, func(t *testing.T) {
			i := &installation{&debian{t, d.root}, service}
			i.refusesOthersThanRoot()
			i.installs()
			i.repeats()
			i.leavesFilesAlone()
			i.worksAndIsUpgraded()
			i.isRemoved()
			i.goesBelowAnotherRoot()
		})
	}
}

// installation is the life of a plugin on a system.
type installation struct {
	*debian
	service string
}

func (i *installation) binary() string { return "teleport-" + i.service }

func (i *installation) script(args string) string {
	return "cd /root/teleport-access-" + i.service + " && ./install " + args
}

func (i *installation) config() string { return "/etc/" + i.binary() + ".toml" }

func (i *installation) stateDir() string { return "/var/lib/teleport/plugins/" + i.service }

func (i *installation) unit() string {
	return "/usr/local/lib/systemd/system/" + i.binary() + ".service"
}

func (i *installation) refusesOthersThanRoot() {
	i.bring("old", i.service, oldVersion)
	i.run("chmod 755 /root")
	out, err := i.try("cd /root/teleport-access-" + i.service + " && setpriv --reuid 65534 --clear-groups ./install")
	contains(i.t, out, "root is needed")
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		i.t.Errorf("without root the script ended with %v", err)
	}
	if out, err := i.try(i.script("--sytemd")); err == nil {
		i.t.Errorf("an unknown argument was taken:\n%s", out)
	}
}

func (i *installation) installs() {
	out := i.run(i.script(""))
	contains(i.t, out, "/usr/local/bin/"+i.binary(), i.binary()+" configure > "+i.config())
	if i.exists(i.unit()) {
		i.t.Error("a unit was installed that nobody asked for")
	}
	if got, want := i.run("stat -c '%a %U' "+i.stateDir()), "700 root\n"; got != want {
		i.t.Errorf("without --systemd the directory of the credentials is %q, want %q", got, want)
	}
	contains(i.t, i.run(i.script("--systemd")), "Created the user "+i.binary(), "systemctl enable --now "+i.binary())
	if got, want := i.run("stat -c '%a %U:%G' "+i.stateDir()), "700 "+i.binary()+":"+i.binary()+"\n"; got != want {
		i.t.Errorf("with --systemd the directory of the credentials is %q, want %q", got, want)
	}
	contains(i.t, i.run("cat "+i.unit()), "User="+i.binary())
	contains(i.t, i.run(i.binary()+" version"), "v"+oldVersion)
	if i.exists(i.config()) {
		i.t.Error("the script made a config")
	}
}

// tree lists all files of the system with their owners, modes and times of
// change, but for the binary and the unit, which are replaced.
func (i *installation) tree() string {
	return i.run("find /etc /usr /var /home -xdev ! -type d ! -name '" + i.binary() + "*' -printf '%p %u:%g %m %T@\\n' | sort")
}

func (i *installation) repeats() {
	before := i.tree()
	i.run(i.script("--systemd"))
	if after := i.tree(); after != before {
		i.t.Errorf("installing again changed the system from\n%s\nto\n%s", before, after)
	}
	if left := i.run("find /usr/local -name '.*'"); left != "" {
		i.t.Errorf("left behind: %s", left)
	}
}

// leavesFilesAlone brings a config and a unit of the administrator's, as the
// plugin before may have had.
func (i *installation) leavesFilesAlone() {
	i.run(i.binary() + " configure > " + i.config() + " && chmod 600 " + i.config())
	own := "/etc/systemd/system/" + i.binary() + ".service"
	i.run("mkdir -p /etc/systemd/system && echo '# mine' > " + own)
	before := i.run("stat -c '%a %U %Y' " + i.config() + "; cat " + i.config() + " " + own)
	// What the plugin's user may have put there is no command for root to copy.
	i.run("cd " + i.stateDir() + " && ln -s /etc/shadow shadow && touch 'x;id' && chmod 600 'x;id'")
	out := i.run(i.script("--systemd"))
	contains(i.t, out, own+" is yours", i.binary()+" cannot read "+i.config()+" yet")
	if strings.Contains(out, "shadow") || strings.Contains(out, "x;id") {
		i.t.Errorf("root is asked to open files of others:\n%s", out)
	}
	i.run("cd " + i.stateDir() + " && rm shadow 'x;id'")
	if after := i.run("stat -c '%a %U %Y' " + i.config() + "; cat " + i.config() + " " + own); after != before {
		i.t.Errorf("files of the administrator were changed from\n%s\nto\n%s", before, after)
	}
	i.run("rm " + own)
}

// writeConfig gives the plugin a config for the sandbox, readable as the script
// said it should be.
func (i *installation) writeConfig(write func(dir, service string) (string, error)) {
	i.t.Helper()
	path, err := write(i.path(i.stateDir()), i.service)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		i.t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(i.root), nil)
	if err := os.WriteFile(i.path(i.config()), text, 0o640); err != nil {
		i.t.Fatal(err)
	}
	i.run("chgrp " + i.binary() + " " + i.config() + " && chmod g+r " + i.config())
	i.run("chown " + i.binary() + " " + i.stateDir() + "/*")
}

func (i *installation) worksAndIsUpgraded() {
	sb := startSandbox(i.t)
	i.writeConfig(sb.WriteConfig)
	contains(i.t, i.run(i.binary()+" check"), "ok")
	running := i.start(i.service)
	deliver(i.t, sb, i.service)

	i.bring("new", i.service, newVersion)
	before := i.run("sha256sum " + i.config() + " " + i.stateDir() + "/*")
	if out := i.run(i.script("--systemd")); strings.Contains(out, "cannot read") {
		i.t.Errorf("a file that can be read is said not to be:\n%s", out)
	}
	if after := i.run("sha256sum " + i.config() + " " + i.stateDir() + "/*"); after != before {
		i.t.Errorf("the upgrade changed files from\n%s\nto\n%s", before, after)
	}
	contains(i.t, i.run(i.binary()+" version"), "v"+newVersion)
	exe, err := os.Readlink("/proc/" + strconv.Itoa(running.Process.Pid) + "/exe")
	if err != nil || !strings.HasSuffix(exe, " (deleted)") {
		i.t.Errorf("the plugin that ran before the upgrade runs %q, %v", exe, err)
	}
	deliver(i.t, sb, i.service)
	i.stop(running)

	running = i.start(i.service)
	deliver(i.t, sb, i.service)
	i.stop(running)
}

func (i *installation) isRemoved() {
	out := i.run(i.script("--uninstall"))
	contains(i.t, out, "Kept: "+i.config(), "Kept: "+i.stateDir(), "userdel "+i.binary())
	for _, gone := range []string{"/usr/local/bin/" + i.binary(), i.unit()} {
		if i.exists(gone) {
			i.t.Errorf("%s is still there", gone)
		}
	}
	if !i.exists(i.config()) || !i.exists(i.stateDir()+"/"+i.binary()+".identity") {
		i.t.Error("the config or the identity is gone")
	}
	i.run(i.script("--uninstall"))
}

func (i *installation) goesBelowAnotherRoot() {
	i.run("rm -rf /tmp/dest && install -d -o nobody /tmp/dest")
	before := i.tree()
	i.run("cd /root/teleport-access-" + i.service + " && DESTDIR=/tmp/dest setpriv --reuid 65534 --clear-groups ./install --systemd")
	for _, path := range []string{"/usr/local/bin/" + i.binary(), i.unit(), i.stateDir()} {
		if !i.exists("/tmp/dest" + path) {
			i.t.Errorf("%s is not below DESTDIR", path)
		}
	}
	if after := i.tree(); after != before || i.exists("/usr/local/bin/"+i.binary()) {
		i.t.Error("DESTDIR did not keep the script from the system")
	}
}
