package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/farend"
)

// setUp is a set-up that something is wrong with. What is expected of the commands is
// whole: what they say beyond it is a false accusation. In sentences, words in braces
// stand for what differs from run to run, as site.stands has it, and … for any text.
type setUp struct {
	name string
	// world describes the world, where that is to be another one.
	world harness.Options
	// spoil spoils the set-up.
	spoil func(s *site)
	// check are the lines of the command check that are neither ok nor skipped.
	check []string
	// start are the warnings and errors of the command start, with their fields.
	start []string
	// stays says that start goes on, since what is wrong may pass; ready is what its
	// readiness says then. Without it, start ends with exit code 1.
	stays bool
	ready string
	// waits is how long start waits for an answer before it says that there is none. What
	// it waits for it says as soon as all else.
	waits time.Duration
}

// promised is how soon each command is to say what is wrong.
const promised = 5 * time.Second

// site is a set-up on its way to be tried.
type site struct {
	*world
	service farend.Service
	// tree is the config, which is written to path after it was spoilt; raw, if not nil,
	// changes its text.
	tree map[string]any
	raw  func(text string) string
	path string
	// env and args are for both commands, and those that follow for one alone.
	env, args            []string
	checkArgs, startArgs []string
	// stand is what words in braces stand for.
	stand map[string]string
}

// newSite is a set-up with which nothing is wrong.
func newSite(t *testing.T, name string, o harness.Options) *site {
	t.Helper()
	o.Service, o.Halted = name, true
	w := start(t, o)
	service, err := harness.Find(name)
	w.must(err)
	dir := t.TempDir()
	s := &site{world: w, service: service, path: filepath.Join(dir, "config.toml")}
	s.tree = map[string]any{"teleport": map[string]any{"addr": w.Cluster.Addr(), "identity": filepath.Join(dir, "identity")}}
	for name, section := range w.Service().Config() {
		s.tree[name] = maps.Clone(section.(map[string]any))
	}
	maps.Copy(s.tree, service.Routes(map[string][]string{"*": {w.channel()}}))
	w.must(w.Cluster.IssueIdentity(filepath.Join(dir, "identity"), w.User(), 24*time.Hour))
	api := w.Service().URL()
	s.stand = map[string]string{
		"dir": dir, "addr": w.Cluster.Addr(), "name": name, "title": service.Title, "api": api, "plugin user": w.User(),
		"api host": regexp.MustCompile(`//([^/]+)`).FindStringSubmatch(api)[1], "channel": w.channel(),
	}
	return s
}

// stands has a word in braces stand for a text.
func (s *site) stands(word, text string) { s.stand[word] = text }

// teleport is the section [teleport] of the config, and own that of the service.
func (s *site) teleport() map[string]any { return s.tree["teleport"].(map[string]any) }
func (s *site) own() map[string]any      { return s.tree[s.service.Name].(map[string]any) }

// beside is a path in the folder of the config.
func (s *site) beside(name string) string { return filepath.Join(filepath.Dir(s.path), name) }

// file writes a file beside the config.
func (s *site) file(name, text string) (path string) {
	s.Helper()
	s.must(os.WriteFile(s.beside(name), []byte(text), 0o600))
	return s.beside(name)
}

// write writes the config, unless something else is at its place.
func (s *site) write() {
	s.Helper()
	var text bytes.Buffer
	s.must(toml.NewEncoder(&text).Encode(s.tree))
	if _, err := os.Lstat(s.path); err == nil {
		return
	}
	if s.raw == nil {
		s.raw = func(text string) string { return text }
	}
	s.must(os.WriteFile(s.path, []byte(s.raw(text.String())), 0o600))
}

// pattern is an expression for an expected sentence.
func (s *site) pattern(sentence string) *regexp.Regexp {
	for word, text := range s.stand {
		sentence = strings.ReplaceAll(sentence, "{"+word+"}", text)
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(sentence), "…", ".+") + "$")
}

// several goes before a sentence that may be said several times, about different things.
const several = "each "

// compare compares what was said with what is expected, in any order.
func (s *site) compare(command string, said, expected []string) {
	s.Helper()
	left := slices.Clone(said)
	for _, e := range expected {
		e, several := strings.CutPrefix(e, several)
		i := slices.IndexFunc(left, s.pattern(e).MatchString)
		if i < 0 {
			s.Errorf("%s does not say\n\t%s", command, e)
			continue
		}
		left = slices.Delete(left, i, i+1)
		if several {
			left = slices.DeleteFunc(left, s.pattern(e).MatchString)
		}
	}
	for _, line := range left {
		s.Errorf("%s says beyond what is wrong\n\t%s", command, line)
	}
}

// tried runs both commands.
func (s *site) tried(row setUp, usual []string) {
	s.Helper()
	s.write()
	s.checked(row, usual)
	s.started(row)
}

// checked runs the command check. What it notes where nothing is wrong is usual.
func (s *site) checked(row setUp, usual []string) {
	s.Helper()
	path, err := harness.Binary(s.service.Name)
	s.must(err)
	var out bytes.Buffer
	cmd := exec.CommandContext(s.Context(), path, slices.Concat([]string{"check", "-c", s.path}, s.args, s.checkArgs)...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	_ = cmd.Run() // its exit code tells
	if took := time.Since(began); took > promised {
		s.Errorf("check took %v", took)
	}
	var said []string
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		skipped := strings.HasPrefix(line, "skip ") && strings.HasSuffix(line, ", see above") && len(row.check) > 0
		if !skipped && !strings.HasPrefix(line, "ok ") && !slices.Contains(usual, line) {
			said = append(said, line)
		}
	}
	code := 0
	for _, line := range row.check {
		line = strings.TrimPrefix(line, several)
		if strings.HasPrefix(line, "FAIL ") || strings.HasPrefix(line, "ERROR ") {
			code = 1
		}
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		s.Errorf("check ends with %d, and not with %d", got, code)
	}
	s.compare("check", said, row.check)
	s.Logf("check says\n%s", out.String())
}

// grave finds the warnings and errors of a log, without the place in the source.
var grave = regexp.MustCompile(`^((?:WARN|ERROR) .*?)(?: \S+/\S+\.go:\d+)?$`)

// started runs the command start.
func (s *site) started(row setUp) {
	s.Helper()
	path, err := harness.Binary(s.service.Name)
	s.must(err)
	if s.startArgs == nil {
		s.startArgs = []string{"--diag-addr", "127.0.0.1:0"}
	}
	r := harness.NewReplica(path, slices.Concat([]string{"start", "-c", s.path}, s.args, s.startArgs)...)
	r.Setenv(s.env...)
	began := time.Now()
	s.must(r.Start())
	defer r.Kill() //nolint:errcheck // it is over
	if row.waits >= promised {
		soon, cancel := context.WithTimeout(s.Context(), promised)
		defer cancel()
		if _, err := r.Logged(soon, "has not answered for 3s; still waiting", began); err != nil {
			s.Errorf("it is not said soon what is waited for: %v", err)
		}
	}
	code := 1
	if row.stays {
		s.awaited(r, row)
		code = 0
	}
	if took := time.Since(began); row.stays && took > promised+row.waits {
		s.Errorf("start took %v", took)
	}
	if r.Running() && row.stays {
		_, _, err = r.Stop()
		s.must(err)
	}
	got, err := r.Wait()
	s.must(err)
	if took := time.Since(began); !row.stays && took > promised {
		s.Errorf("start took %v", took)
	}
	if got != code {
		s.Errorf("start ends with %d, and not with %d", got, code)
	}
	var said []string
	for _, line := range r.Logs() {
		if m := grave.FindStringSubmatch(line.Text); m != nil {
			said = append(said, m[1])
		}
	}
	s.compare("start", said, row.start)
	s.Logf("start says\n%s", r.LogText())
}

// awaited waits until the plugin has said all that is expected.
func (s *site) awaited(r *harness.Replica, row setUp) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 2*promised+row.waits)
	defer cancel()
	for ctx.Err() == nil && r.Running() {
		ready, words, err := r.Readiness(ctx)
		healthy := ready == (row.ready == "") || strings.HasPrefix(row.ready, "note ")
		if err == nil && healthy && s.contains(strings.Split(words, "\n"), row.ready) && s.logged(r, row.start) {
			return
		}
		select {
		case <-ctx.Done():
			s.Errorf("it does not come; its readiness is\n%s", words)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// contains reports whether one of the lines is as expected; nothing is expected always.
func (s *site) contains(lines []string, expected string) bool {
	if expected == "" {
		return true
	}
	p := s.pattern(expected)
	return slices.ContainsFunc(lines, func(line string) bool {
		line, _, _ = strings.Cut(line, " (since ")
		return p.MatchString(line)
	})
}

func (s *site) logged(r *harness.Replica, expected []string) bool {
	var lines []string
	for _, line := range r.Logs() {
		if m := grave.FindStringSubmatch(line.Text); m != nil {
			lines = append(lines, m[1])
		}
	}
	return !slices.ContainsFunc(expected, func(e string) bool { return !s.contains(lines, strings.TrimPrefix(e, several)) })
}

// usual is what check notes where nothing is wrong.
func usual(t *testing.T, service string) (notes []string) {
	t.Helper()
	s := newSite(t, service, harness.Options{})
	s.write()
	path, err := harness.Binary(service)
	s.must(err)
	out, err := exec.CommandContext(t.Context(), path, "check", "-c", s.path).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "note ") {
			notes = append(notes, strings.TrimSuffix(line, "\n"))
		}
	}
	return notes
}

// Whatever is wrong with a set-up: check and start say in one sentence what it is, and
// accuse nothing else.
func TestBrokenSetUpsExplainThemselves(t *testing.T) {
	binary(t)
	if testing.Short() {
		t.Skip("starts hundreds of processes, each of which ends at once")
	}
	names := sectioned()
	notes := make(map[string][]string)
	for _, name := range names {
		notes[name] = usual(t, name)
	}
	rows := slices.Concat(identitySetUps(), configSetUps(), fileSetUps(), waySetUps(), rightSetUps())
	for i, row := range rows {
		tryRow(t, names[i%len(names)], row, notes)
	}
	count := len(rows)
	for _, name := range names {
		own := slices.Concat(serviceSetUps(), ownSetUps(t, name))
		count += len(own)
		for _, row := range own {
			tryRow(t, name, row, notes)
		}
	}
	if count < 100 {
		t.Errorf("only %d set-ups were tried", count)
	}
}

// sectioned are the services with one section for the service, which holds its address
// and its token. One with sections that are named by the operator tries its own set-ups.
func sectioned() []string {
	return slices.DeleteFunc(harness.Services(), func(name string) bool {
		service, err := harness.Find(name)
		return err != nil || service.Least()[name] == nil
	})
}

func tryRow(t *testing.T, service string, row setUp, notes map[string][]string) {
	t.Helper()
	t.Run(fmt.Sprintf("%s: %s", service, row.name), func(t *testing.T) {
		t.Parallel()
		s := newSite(t, service, row.world)
		row.spoil(s)
		s.tried(row, notes[service])
	})
}
