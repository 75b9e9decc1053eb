package shiptest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a Debian system that systemd has booted, in a container.
type machine struct {
	t         *testing.T
	container string
}

func bootMachine(t *testing.T) *machine {
	t.Helper()
	root := need(t, "DEBIAN_SYSTEMD", "ship-test")
	if exec.Command("docker", "info").Run() != nil {
		t.Skip("the units were not started: no container engine answers to 'docker info'")
	}
	image := strings.TrimSpace(output(t, "sh", "-c", "tar -C '"+root+"' -c . | docker import -"))
	t.Cleanup(func() { docker(t, "rmi", image) })
	container := strings.TrimSpace(docker(t, "run", "--detach", "--network=host", "--cap-add=SYS_ADMIN",
		"--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined", "--env=container=docker",
		"--tmpfs=/run", "--tmpfs=/tmp", "--volume=/sys/fs/cgroup:/sys/fs/cgroup", image, "/lib/systemd/systemd"))
	t.Cleanup(func() { docker(t, "rm", "--force", container) })
	m := &machine{t, container}
	eventually(t, "systemd has booted", func() bool {
		state, _ := m.try("systemctl is-system-running")
		return state == "running" || state == "degraded"
	})
	return m
}

// try runs a shell line in the machine and returns what it says.
func (m *machine) try(line string) (string, error) {
	out, err := exec.Command("docker", "exec", m.container, "/bin/sh", "-c", line).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a shell line that must succeed.
func (m *machine) run(line string) string {
	m.t.Helper()
	out, err := m.try(line)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", line, err, out, m.journal())
	}
	return out
}

func (m *machine) journal() string {
	out, _ := m.try("journalctl --no-pager -n 50")
	return out
}

// property asks systemd about a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return m.run("systemctl show --value --property=" + name + " " + unit)
}

func (m *machine) becomes(unit, property, value string) {
	m.t.Helper()
	eventually(m.t, unit+" has "+property+"="+value, func() bool { return m.property(unit, property) == value })
}

// TestShipSystemd runs the units as they are shipped, with all of their
// restrictions, on the systemd of Debian 12.
func TestShipSystemd(t *testing.T) {
	m := bootMachine(t)
	for _, service := range services() {
		t.Run(service, func(t *testing.T) {
			s := &supervised{&machine{t, m.container}, service, "teleport-" + service}
			s.install()
			t.Parallel() // what follows is mostly waiting
			sb := startSandbox(t)
			s.configure(sb.WriteConfig)
			s.starts()
			deliver(t, sb, service)
			s.reloads()
			deliver(t, sb, service)
			s.isStartedAgain()
			deliver(t, sb, service)
			s.stopsOnPurpose()
			s.takesCredentials()
			deliver(t, sb, service)
			s.triesAgainWithABadConfig()
		})
	}
}

// supervised is a plugin under systemd.
type supervised struct {
	*machine
	service string
	unit    string
}

func (s *supervised) install() {
	// An agent of Teleport's on the same machine lets nobody into its directory.
	s.run("mkdir -p -m 0700 /var/lib/teleport && mkdir -p /root/" + s.service)
	docker(s.t, "cp", archivePath(s.t, "new", s.service, newVersion, "amd64"), s.container+":/root/plugin.tar.gz")
	s.run("cd /root && tar xzf plugin.tar.gz && teleport-access-" + s.service + "/install --systemd")
}

func (s *supervised) configure(write func(dir, service string) (string, error)) {
	s.t.Helper()
	dir := s.t.TempDir()
	path, err := write(dir, s.service)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	state := "/var/lib/teleport/plugins/" + s.service
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), dir, state)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	docker(s.t, "cp", path, s.container+":/etc/"+s.unit+".toml")
	beside, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range beside {
		if f.Name() != filepath.Base(path) {
			docker(s.t, "cp", filepath.Join(dir, f.Name()), s.container+":"+state+"/")
		}
	}
	// As the script says, where it says so.
	s.run("chgrp " + s.unit + " /etc/" + s.unit + ".toml && chmod 0640 /etc/" + s.unit + ".toml")
	s.run("chown " + s.unit + " " + state + "/*")
	// A watchdog that one can wait for; all else is as shipped.
	edit := "/etc/systemd/system/" + s.unit + ".service.d"
	s.run("mkdir -p " + edit + " && printf '[Service]\\nWatchdogSec=5s\\n' >" + edit + "/watchdog.conf && systemctl daemon-reload")
}

// starts expects that the plugin tells when it is ready, and runs as its user.
func (s *supervised) starts() {
	s.run("systemctl enable --now " + s.unit)
	s.becomes(s.unit, "ActiveState", "active")
	if user := s.run("stat -c %U /proc/" + s.property(s.unit, "MainPID")); user != s.unit {
		s.t.Errorf("the plugin runs as %s", user)
	}
	if enabled := s.property(s.unit, "UnitFileState"); enabled != "enabled" {
		s.t.Errorf("the unit is %s", enabled)
	}
}

// reloads expects the same process to go on.
func (s *supervised) reloads() {
	before := s.property(s.unit, "MainPID")
	s.run("systemctl reload " + s.unit)
	s.becomes(s.unit, "ActiveState", "active")
	if after := s.property(s.unit, "MainPID"); after != before {
		s.t.Errorf("the reload changed the process from %s to %s", before, after)
	}
	eventually(s.t, "the plugin says that it has reloaded", func() bool {
		return strings.Contains(s.run("journalctl --no-pager --unit="+s.unit), "config was reloaded")
	})
}

func (s *supervised) isStartedAgain() {
	before := s.property(s.unit, "MainPID")
	s.run("kill -KILL " + before)
	s.becomes(s.unit, "NRestarts", "1")
	s.becomes(s.unit, "ActiveState", "active")

	// A process that hangs is as good as dead; the watchdog sees it.
	s.run("kill -STOP " + s.property(s.unit, "MainPID"))
	s.becomes(s.unit, "NRestarts", "2")
	s.becomes(s.unit, "ActiveState", "active")
	contains(s.t, s.run("journalctl --no-pager --unit="+s.unit), "Watchdog timeout")
}

func (s *supervised) stopsOnPurpose() {
	s.run("systemctl stop " + s.unit)
	if state, result := s.property(s.unit, "ActiveState"), s.property(s.unit, "Result"); state != "inactive" || result != "success" {
		s.t.Errorf("the stopped unit is %s with %s", state, result)
	}
}

// takesCredentials has systemd itself hand over a file that is open to root alone.
func (s *supervised) takesCredentials() {
	if out, err := s.try("systemd-run --quiet --wait --pipe -p User=nobody -p LoadCredential=a:/etc/hostname sh -c 'cat $CREDENTIALS_DIRECTORY/a'"); err != nil {
		s.t.Logf("systemd hands over no credentials in this container: %s", out)
		s.run("systemctl start " + s.unit)
		return
	}
	config, store := "/etc/"+s.unit+".toml", "/etc/credstore/"+s.unit
	identity := s.run(`sed -n 's/^identity *= *"\(.*\)"/\1/p' ` + config)
	s.run("mkdir -p -m 0700 /etc/credstore && mv " + identity + " " + store + " && chown root:root " + store + " && chmod 0600 " + store)
	edit := "/etc/systemd/system/" + s.unit + ".service.d"
	s.run("printf '[Service]\\nLoadCredential=identity:" + store + "\\n' >" + edit + "/credentials.conf && systemctl daemon-reload")
	s.run("sed -i 's#" + identity + "#/run/credentials/" + s.unit + ".service/identity#' " + config)
	s.run("systemctl start " + s.unit)
	s.becomes(s.unit, "ActiveState", "active")
}

// triesAgainWithABadConfig expects a fault to be seen but not to be the end.
func (s *supervised) triesAgainWithABadConfig() {
	s.run("systemctl stop " + s.unit + "; echo nonsense >>/etc/" + s.unit + ".toml; systemctl start --no-block " + s.unit)
	s.becomes(s.unit, "SubState", "auto-restart")
	if status := s.property(s.unit, "ExecMainStatus"); status != "1" {
		s.t.Errorf("with a bad config the plugin ended with %s", status)
	}
	s.run("systemctl stop " + s.unit)
}
