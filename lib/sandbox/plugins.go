package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"teleport-plugins/lib/sandbox/child"
)

// Plugin is a plugin that the sandbox runs as a program of its own.
type Plugin struct {
	// Name is the service's, with a number behind it for further replicas.
	Name string `json:"name"`
	// Service is the one whose plugin it is.
	Service string `json:"service"`
	child.Status
	Readiness
}

// plugins runs plugins.
type plugins struct {
	ctx    context.Context
	stop   context.CancelFunc
	output func(source, line string)
	// heard is called with each line that a plugin writes, happened with what becomes of
	// it, and changed after that.
	heard, happened func(plugin, text string)
	changed         func()

	speaking sync.Mutex // held while output is called
	mu       sync.Mutex
	running  []*runningPlugin
	closed   bool
	waits    sync.WaitGroup
}

// runningPlugin is a program that is kept running, and how it is run.
type runningPlugin struct {
	name, service string
	*child.Child
	stop  context.CancelFunc
	ended chan struct{}
	words
}

func newPlugins(s *Sandbox) *plugins {
	ctx, stop := context.WithCancel(context.Background())
	return &plugins{ctx: ctx, stop: stop, output: s.opts.Output, heard: s.pluginSays, happened: s.pluginIs, changed: s.changes.tell}
}

// StartPlugin writes the config of a plugin into dir and keeps the plugin
// running with it until Close. The plugin is given as the path of its binary,
// whose name is teleport-<service>, or as <service>=<path>. Given twice, it runs
// as two replicas.
func (s *Sandbox) StartPlugin(plugin, dir string) error {
	name, path := ParsePlugin(plugin)
	_, err := s.service(name)
	if err != nil {
		return fmt.Errorf("starting the plugin %s: %w", plugin, err)
	}
	if path, err = exec.LookPath(path); err != nil {
		return fmt.Errorf("starting the plugin %s: %w", plugin, err)
	}
	config, err := s.WriteConfig(dir, name)
	if err != nil {
		return err
	}
	return s.plugins.start(name, path, "start", "-c", config, "--diag-addr", "127.0.0.1:0")
}

// ParsePlugin finds the service's name in what StartPlugin takes, and the path.
func ParsePlugin(plugin string) (service, path string) {
	if name, path, found := strings.Cut(plugin, "="); found && !strings.ContainsRune(name, filepath.Separator) {
		return name, path
	}
	return strings.TrimPrefix(filepath.Base(plugin), "teleport-"), plugin
}

func (p *plugins) start(service, path string, args ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("starting %s: the sandbox is closed", path)
	}
	ctx, stop := context.WithCancel(p.ctx)
	r := &runningPlugin{name: p.freeName(service), service: service, stop: stop, ended: make(chan struct{})}
	r.Child = &child.Child{
		Path: path, Args: args,
		Output: func(line string) { r.hear(line); p.heard(r.name, line); p.say(r.name, line) },
		Event: func(sentence string) {
			if r.Status().PID == 0 { // of one that starts, the first words may be here already
				r.forget()
			}
			p.happened(r.name, sentence)
			p.say(r.name, sentence)
			p.changed()
		},
	}
	p.running = append(p.running, r)
	p.waits.Go(func() { defer close(r.ended); defer stop(); r.Run(ctx) })
	return nil
}

// scale has so many replicas of a service's plugin run, all with the config of the first.
func (p *plugins) scale(service string, n int) error {
	have := p.of(service)
	if len(have) == 0 {
		return refusal(http.StatusConflict, "the sandbox does not run the plugin of %s itself", service)
	}
	for len(have) < n {
		if err := p.start(service, have[0].Path, have[0].Args...); err != nil {
			return err
		}
		have = p.of(service)
	}
	for _, r := range have[n:] {
		r.stop()
		<-r.ended
		p.mu.Lock()
		p.running = slices.DeleteFunc(p.running, func(o *runningPlugin) bool { return o == r })
		p.mu.Unlock()
		p.changed()
	}
	return nil
}

// of are the replicas of a service's plugin.
func (p *plugins) of(service string) (list []*runningPlugin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.running {
		if r.service == service {
			list = append(list, r)
		}
	}
	return list
}

// freeName is the service's name, with a number if need be. p.mu is held.
func (p *plugins) freeName(service string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(p.running, func(r *runningPlugin) bool { return r.name == name })
	}
	name := service
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", service, n)
	}
	return name
}

func (p *plugins) say(name, line string) {
	p.speaking.Lock()
	defer p.speaking.Unlock()
	p.output(name, line)
}

// close ends all plugins and waits until they have ended.
func (p *plugins) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.waits.Wait()
}

func (p *plugins) all() []*runningPlugin {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.running)
}

func (p *plugins) list() []Plugin {
	out := []Plugin{}
	for _, r := range p.all() {
		out = append(out, Plugin{r.name, r.service, r.Status(), r.readiness()})
	}
	return out
}

// find finds a plugin by its name.
func (p *plugins) find(name string) (*runningPlugin, error) {
	all := p.all()
	i := slices.IndexFunc(all, func(r *runningPlugin) bool { return r.name == name })
	if i < 0 {
		return nil, notFound("the sandbox runs no plugin %q", name)
	}
	return all[i], nil
}

// kill kills a plugin as a crash does.
func (p *plugins) kill(name string) error {
	r, err := p.find(name)
	if err != nil {
		return err
	}
	if err := r.Kill(); err != nil {
		return refusal(http.StatusConflict, "%v", err)
	}
	return nil
}
