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
	child.Status
}

// plugins runs plugins.
type plugins struct {
	ctx    context.Context
	stop   context.CancelFunc
	output func(source, line string)
	// changed is called when a plugin has started or ended.
	changed func()

	speaking sync.Mutex // held while output is called
	mu       sync.Mutex
	running  []runningPlugin
	closed   bool
	waits    sync.WaitGroup
}

type runningPlugin struct {
	name string
	*child.Child
}

func newPlugins(output func(source, line string), changed func()) *plugins {
	ctx, stop := context.WithCancel(context.Background())
	return &plugins{ctx: ctx, stop: stop, output: output, changed: changed}
}

// StartPlugin writes the config of a plugin into dir and keeps the plugin
// running with it until Close. The plugin is given as the path of its binary,
// whose name is teleport-<service>, or as <service>=<path>. Given twice, it runs
// as two replicas.
func (s *Sandbox) StartPlugin(plugin, dir string) error {
	name, path := parsePlugin(plugin)
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
	return s.plugins.start(name, path, "start", "-c", config)
}

// parsePlugin finds the service's name in what StartPlugin takes.
func parsePlugin(plugin string) (service, path string) {
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
	name := p.freeName(service)
	c := &child.Child{
		Path: path, Args: args,
		Output: func(line string) { p.say(name, line) },
		Event:  func(sentence string) { p.say(name, sentence); p.changed() },
	}
	p.running = append(p.running, runningPlugin{name, c})
	p.waits.Go(func() { c.Run(p.ctx) })
	return nil
}

// freeName is the service's name, with a number if need be. p.mu is held.
func (p *plugins) freeName(service string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(p.running, func(r runningPlugin) bool { return r.name == name })
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

func (p *plugins) list() []Plugin {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Plugin, 0, len(p.running))
	for _, r := range p.running {
		out = append(out, Plugin{r.name, r.Status()})
	}
	return out
}

// kill kills a plugin as a crash does.
func (p *plugins) kill(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.running {
		if r.name == name {
			if err := r.Kill(); err != nil {
				return refusal(http.StatusConflict, "%v", err)
			}
			return nil
		}
	}
	return notFound("the sandbox runs no plugin %q", name)
}
