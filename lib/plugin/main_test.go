package plugin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	spy "go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/outbound"
)

// command runs a command of the desk's plugin.
func command(i Integration, args ...string) (code int, stdout string) {
	var out strings.Builder
	code = Run(i, args, &out, io.Discard)
	return code, out.String()
}

func TestCommands(t *testing.T) {
	i := integrationOf(&desk{})
	for name, tc := range map[string]struct {
		args []string
		code int
		out  string // a pattern
	}{
		"none":                      {nil, 0, `^$`},
		"configure":                 {[]string{"configure"}, 0, `^\[desk\]\n$`},
		"version":                   {[]string{"version"}, 0, `^teleport-desk v0\.0\.0-dev ` + regexp.QuoteMeta(runtime.Version()) + `\n$`},
		"the flag for version":      {[]string{"--version"}, 0, `^teleport-desk v0\.0\.0-dev ` + regexp.QuoteMeta(runtime.Version()) + `\n$`},
		"an unknown command":        {[]string{"dance"}, 1, `^$`},
		"an unknown flag":           {[]string{"start", "--dance"}, 1, `^$`},
		"start without a config":    {[]string{"start", "-c", "/nowhere/at/all.toml"}, 1, `^$`},
		"check without a config":    {[]string{"check", "-c", "/nowhere/at/all.toml"}, 1, `FAIL\s+config /nowhere/at/all\.toml`},
		"an old flag is no fault":   {[]string{"start", "--pid-file=x", "-c", "/nowhere/at/all.toml"}, 1, `^$`},
		"a flag of another command": {[]string{"version", "--diag-addr=:1"}, 1, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := command(i, tc.args...); code != tc.code || !regexp.MustCompile(tc.out).MatchString(out) {
				t.Errorf("exit code %d, want %d; printed %q", code, tc.code, out)
			}
		})
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWhatCannotBePrintedIsAFault(t *testing.T) {
	r := newRig(t)
	for _, args := range [][]string{{"configure"}, {"version"}, {"--version"}, {"check", "-c", r.config}} {
		if code := Run(integrationOf(r.desk), args, full{}, io.Discard); code != 1 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

func TestTheVersionNamesTheSource(t *testing.T) {
	defer func(before string) { gitref = before }(gitref)
	gitref = "abc123"
	if got := versionLine("teleport-desk"); !strings.Contains(got, " git:abc123 go") {
		t.Errorf("got %q", got)
	}
}

func TestUserAgent(t *testing.T) {
	i := Integration{Name: "desk"}
	if got := i.userAgent(); got != "teleport-desk/"+Version() {
		t.Errorf("got %q", got)
	}
	i.UserAgent = func(version string) string { return "Desk (" + version + ")" }
	if got := i.userAgent(); got != "Desk ("+Version()+")" {
		t.Errorf("got %q", got)
	}
}

// Faults that are found before there is anything to run give exit code 1.
func TestStartFails(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(r *rig)
		args   []string
	}{
		"an unreadable config":          {func(r *rig) { r.writeText("[teleport\n") }, nil},
		"an address that cannot be had": {func(*rig) {}, []string{"--diag-addr=192.0.2.1:1"}},
		"refused credentials": {func(r *rig) {
			r.desk.check = func(context.Context) error { return refusedToken() }
		}, nil},
		"an environment that is not clear": {func(r *rig) { r.Setenv(failFastVariable, "perhaps") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tc.change(r)
			if code, _ := command(integrationOf(r.desk), append([]string{"start", "-c", r.config}, tc.args...)...); code != 1 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// A guide names a log file where the plugin may not write, under systemd and in
// containers; that is no reason to tell nobody.
func TestALogThatCannotBeOpenedGoesToStderr(t *testing.T) {
	r := newRig(t)
	r.write("first", "[log]", `output = "/nowhere/at/all.log"`)
	before := os.Stderr
	defer func() { os.Stderr = before }()
	file, err := os.Create(r.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	os.Stderr = file
	code := make(chan int, 1)
	go func() {
		c, _ := command(integrationOf(r.desk), "start", "-c", r.config)
		code <- c
	}()
	r.until("the plugin is ready", r.logged("Plugin is ready"))
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	if want := "ERROR  The log file cannot be opened; the log goes to stderr file:/nowhere/at/all.log error:\"the log file cannot be made, since its folder does not exist\""; !strings.Contains(r.log(), want) {
		t.Errorf("the log does not say %s:\n%s", want, r.log())
	}
}

func TestFailFast(t *testing.T) {
	for value, want := range map[string]bool{"": false, "true": true, "1": true, "false": false, "0": false} {
		if on, err := failFast(value); on != want || err != nil {
			t.Errorf("%q: got %v, %v", value, on, err)
		}
	}
	if _, err := failFast("perhaps"); err == nil || !strings.Contains(err.Error(), `"perhaps"; set it to true or false`) {
		t.Errorf("got %v", err)
	}
}

// The whole program: it serves its health, obeys signals of the process, and ends
// with exit code 0.
// Those who know Teleport's own plugin look for these sentences.
func TestSentencesOfTheDocumentedGuides(t *testing.T) {
	r := newRig(t)
	r.write("first", "[log]", "output = \""+r.logFile+"\"")
	code := make(chan int, 1)
	go func() {
		c, _ := command(integrationOf(r.desk), "start", "-d", "-c", r.config)
		code <- c
	}()
	r.until("the plugin is ready", r.logged("Plugin is ready"))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.until("the new session has caught up", func() bool { return strings.Count(r.log(), "Caught up with the access requests") == 2 })
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	log := r.log()
	if n := strings.Count(log, "INFO   Plugin is ready"); n != 1 {
		t.Errorf("%d times ready", n)
	}
	rest := log
	for _, sentence := range []string{
		"DEBUG  DEBUG logging enabled", "DEBUG  Starting Desk API health check", "DEBUG  Desk API health check finished ok",
		"DEBUG  Checking Teleport server version", "DEBUG  Starting a request watcher", "DEBUG  Watcher connected", "INFO   Plugin is ready",
	} {
		_, after, found := strings.Cut(rest, sentence)
		if !found {
			t.Fatalf("no %q in its place in the log:\n%s", sentence, log)
		}
		rest = after
	}
}

func TestAHealthCheckThatFailsDoesNotFinishOK(t *testing.T) {
	r := newRig(t)
	r.desk.with(func() { r.desk.check = func(context.Context) error { return errors.New("the desk is away") } })
	r.session()
	if log := r.log(); !strings.Contains(log, "Starting Desk API health check") || strings.Contains(log, "finished ok") {
		t.Errorf("the log says:\n%s", log)
	}
}

func TestStart(t *testing.T) {
	r := newRig(t)
	r.write("first", "[log]", "output = \""+r.logFile+"\"")
	code := make(chan int, 1)
	go func() {
		c, _ := command(integrationOf(r.desk), "start", "-d", "-c", r.config, "--diag-addr=127.0.0.1:0",
			"--pid-file=/nowhere/pid", "--insecure-no-tls") // of old unit files
		code <- c
	}()
	serving := regexp.MustCompile(`Serving health and metrics address:"?([0-9.:]+)`)
	r.until("health is served", func() bool { return serving.MatchString(r.log()) })
	address := serving.FindStringSubmatch(r.log())[1]
	r.until("the plugin is ready", func() bool { status, _ := get(t, address, "/readyz"); return status == http.StatusOK })
	_, text := get(t, address, "/metrics")
	for _, want := range []string{
		`info{plugin="desk",version="` + Version() + `"} 1`, `deliveries_total{action="check",outcome="ok"} 1`,
		`call_duration_seconds_count{action="check"} 1`, `streams_total 1`,
	} {
		if !strings.Contains(text, "\nteleport_plugin_"+want+"\n") {
			t.Errorf("no sample %q in %s", want, text)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.until("the config is reloaded", r.logged("The config was reloaded"))
	if status, _ := get(t, address, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d after a reload", status)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if c := <-code; c != 0 || !r.logged("The plugin has shut down")() {
		t.Errorf("exit code %d\n%s", c, r.log())
	}
}

// get asks over a connection of its own, so that none is left behind.
func get(t *testing.T, address, path string) (status int, text string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Serve is start within a process, until its context ends.
func TestServe(t *testing.T) {
	r := newRig(t)
	core, logs := spy.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ended <- Serve(ctx, integrationOf(r.desk), r.config, zap.New(core)) }()
	r.until("the plugin is connected", func() bool { return logs.FilterMessageSnippet("Caught up").Len() > 0 })
	cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	r.writeText("[teleport\n")
	if err := Serve(t.Context(), integrationOf(r.desk), r.config, zap.NewNop()); err == nil {
		t.Error("a broken config is served")
	}
}

// A service that refuses less than the token knows the token.
func TestARefusalOfLessThanTheTokenIsNoReasonToStop(t *testing.T) {
	r := newRig(t)
	r.desk.check = func(context.Context) error {
		return &outbound.Error{Kind: outbound.Refused, Scope: outbound.TheMethod, Op: "check", Code: "missing_scope"}
	}
	r.start(true)
	r.stop()
}
