package shiptest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// programs are those that a user has beside the plugin: tctl, tsh and, as no systemd runs
// in a directory, systemctl. What stands in their places on the machine hands the command
// line to this process, which does the real thing at the simulated cluster.
type programs struct {
	w        *walk
	listener net.Listener
	notify   *net.UnixConn
	serving  sync.WaitGroup

	mu    sync.Mutex
	users []string // that were created
	unit  *exec.Cmd
	ended chan struct{} // closed once the unit's process is gone
	said  lockedBuffer
}

// caller is a program on the machine. It needs nothing but bash.
const caller = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/%s
printf '%%s\0' "$(($# + 2))" "${0##*/}" "$PWD" "$@" >&3
read -r code <&3
cat <&3
exit "$code"
`

// lockedBuffer is what a process says.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps what is said.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is all that was said.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// bringPrograms puts the programs on the machine.
func (w *walk) bringPrograms() *programs {
	w.t.Helper()
	p := &programs{w: w}
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		w.t.Fatal(err)
	}
	// The install script asks systemd where this is.
	w.run("mkdir -p /run/systemd/system /run/walk && echo /root >" + at)
	socket := w.path("/run/walk/notify")
	if p.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		w.t.Fatal(err)
	}
	w.run("chmod 0666 /run/walk/notify")
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	for _, name := range []string{"tctl", "tsh", "systemctl", "editor"} {
		p.put(name, fmt.Sprintf(caller, port))
	}
	p.put("sudo", "#!/bin/sh\nexec \"$@\"\n")
	p.serving.Go(p.serve)
	w.t.Cleanup(p.close)
	return p
}

func (p *programs) put(name, script string) {
	if err := os.WriteFile(p.w.path("/usr/bin/"+name), []byte(script), 0o755); err != nil {
		p.w.t.Fatal(err)
	}
}

func (p *programs) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.serving.Wait()
	_ = p.notify.Close()
}

// log is what the plugin has said under the unit.
func (p *programs) log() string { return p.said.String() }

// running is how many units run.
func (p *programs) running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		return 1
	}
	return 0
}

// serve answers the programs, one after another, until the listener is closed.
func (p *programs) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.answer(c)
	}
}

func (p *programs) answer(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	next := func() string {
		word, _ := r.ReadString(0)
		return strings.TrimSuffix(word, "\x00")
	}
	n, _ := strconv.Atoi(next())
	words := make([]string, n)
	for i := range words {
		words[i] = next()
	}
	said, err := p.run(words)
	code := 0
	if err != nil {
		code, said = 1, "ERROR: "+err.Error()
	}
	_, _ = fmt.Fprintf(c, "%d\n", code)
	if said != "" {
		_, _ = io.WriteString(c, said+"\n")
	}
}

// run is one call of a program: its name, the directory, and its arguments.
func (p *programs) run(words []string) (said string, err error) {
	if len(words) < 3 {
		return "", fmt.Errorf("%q lacks a command", words)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name, dir, args := words[0], words[1], words[2:]
	for _, c := range []struct {
		words []string
		do    func(dir string, args []string) (string, error)
	}{
		{[]string{"tctl", "create", "-f"}, p.create},
		{[]string{"tctl", "auth", "sign"}, p.sign},
		{[]string{"tctl", "users", "update"}, p.update},
		{[]string{"tsh", "request", "create"}, p.ask},
		{[]string{"systemctl"}, p.systemctl},
		{[]string{"editor"}, p.edit},
	} {
		if n := len(c.words) - 1; name == c.words[0] && len(args) >= n && slices.Equal(args[:n], c.words[1:]) {
			return c.do(dir, args[n:])
		}
	}
	return "", fmt.Errorf("%s has no such command: %q", name, args)
}

// flags are the arguments of the form --name=value, or --name.
func flags(args []string) map[string]string {
	list := make(map[string]string)
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		list[name] = value
	}
	return list
}

// inside is the path, on this machine, of a file that a program names.
func (p *programs) inside(dir, file string) string {
	if !path.IsAbs(file) {
		file = path.Join(dir, file)
	}
	return p.w.path(file)
}

// sign writes an identity, as tctl does for a user that exists.
func (p *programs) sign(dir string, args []string) (string, error) {
	f := flags(args)
	if !slices.Contains(p.users, f["user"]) {
		return "", fmt.Errorf("user %q does not exist", f["user"])
	}
	ttl, err := time.ParseDuration(f["ttl"])
	if err != nil {
		return "", fmt.Errorf("--ttl: %w", err)
	}
	if f["format"] != "" && f["format"] != "file" {
		return "", fmt.Errorf("--format=%s is not imitated", f["format"])
	}
	return "", p.w.sb.Cluster().IssueIdentity(p.inside(dir, f["out"]), f["user"], ttl)
}

// systemctl starts and stops the unit as systemd would.
func (p *programs) systemctl(_ string, args []string) (string, error) {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--quiet" || a == "--now" })
	if len(args) == 0 {
		return "", fmt.Errorf("a command is missing")
	}
	if args[0] == "daemon-reload" {
		return "", nil
	}
	want := "teleport-" + p.w.service.Name
	if len(args) != 2 || strings.TrimSuffix(args[1], ".service") != want {
		return "", fmt.Errorf("there is no unit of this name: %q", args)
	}
	unit, err := os.ReadFile(p.w.path("/usr/local/lib/systemd/system/" + want + ".service"))
	if err != nil {
		return "", fmt.Errorf("the unit cannot be read: %w", err)
	}
	switch args[0] {
	case "cat":
		return string(unit), nil
	case "is-active":
		if !p.alive() {
			return "", fmt.Errorf("inactive")
		}
		return "", nil
	case "disable", "stop":
		p.stop()
		return "", nil
	case "enable", "start", "restart":
		p.stop()
		return "", p.start(string(unit))
	case "reload":
		return "", p.reload()
	}
	return "", fmt.Errorf("systemctl %s is not imitated", args[0])
}

func (p *programs) alive() bool {
	if p.unit == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

var setting = regexp.MustCompile(`(?m)^(ExecStart|User)=(.*)$`)

// start runs the command of the unit as its user, and waits until it says that it is
// ready.
func (p *programs) start(unit string) error {
	set := make(map[string]string)
	for _, m := range setting.FindAllStringSubmatch(unit, -1) {
		set[m[1]] = m[2]
	}
	args := []string{
		p.w.root, "/usr/bin/env", "-i", "NOTIFY_SOCKET=/run/walk/notify", "/usr/bin/setpriv",
		"--reuid", set["User"], "--regid", set["User"], "--clear-groups",
	}
	p.unit = exec.Command("chroot", append(args, strings.Fields(set["ExecStart"])...)...)
	p.unit.Stdout, p.unit.Stderr = &p.said, &p.said
	if err := p.unit.Start(); err != nil {
		return fmt.Errorf("starting the unit: %w", err)
	}
	ended, unitProcess := make(chan struct{}), p.unit
	p.ended = ended
	p.serving.Go(func() {
		_ = unitProcess.Wait()
		close(ended)
	})
	return p.hears("READY=1")
}

// hears waits for a word of the plugin to systemd.
func (p *programs) hears(word string) error {
	deadline := time.Now().Add(patience)
	for buf := make([]byte, 4096); time.Now().Before(deadline); {
		_ = p.notify.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _ := p.notify.Read(buf)
		if strings.Contains(string(buf[:n]), word) {
			return nil
		}
		if !p.alive() {
			return fmt.Errorf("job for the unit failed:\n%s", p.said.String())
		}
	}
	return fmt.Errorf("the unit does not say %s:\n%s", word, p.said.String())
}

func (p *programs) reload() error {
	if !p.alive() {
		return fmt.Errorf("the unit is not active")
	}
	if err := p.unit.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reloading the unit: %w", err)
	}
	return p.hears("READY=1")
}

func (p *programs) stop() {
	if p.alive() {
		_ = p.unit.Process.Signal(syscall.SIGTERM)
		<-p.ended
	}
	p.unit = nil
}

// saved is a file of the machine.
func (p *programs) saved(dir, file string) (string, error) {
	text, err := os.ReadFile(filepath.Clean(p.inside(dir, file)))
	if err != nil {
		return "", fmt.Errorf("reading %s: no such file in %s", file, dir)
	}
	return string(text), nil
}
