package shiptest

import (
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"teleport-plugins/install/markdown"
	"teleport-plugins/lib/sandbox/farend"
)

// sections is what the config has at the sandbox, that of buttons included.
func (w *walk) sections() map[string]any {
	config := farend.Join(w.far.Config())
	if able, ok := w.far.(farend.Presser); ok {
		config = farend.Join(config, map[string]any{"review": able.Review()})
	}
	return config
}

// addresses are the keys that differ between the service and its simulation.
var addresses = regexp.MustCompile(`^(url|api_url|api_endpoint|api_base|host|port|listen)$`)

// lead has a table of the config lead to the simulation, where it has one like it.
func (w *walk) lead(table, simulated map[string]any) {
	for key, value := range simulated {
		inner, both := table[key].(map[string]any)
		if is, ok := value.(map[string]any); ok && both {
			w.lead(inner, is)
			continue
		}
		switch _, has := table[key]; {
		case key == "ca_file":
			text, err := os.ReadFile(value.(string))
			if err != nil {
				w.t.Fatal(err)
			}
			if err := os.WriteFile(w.path("/etc/ssl/simulated.pem"), text, 0o644); err != nil {
				w.t.Fatal(err)
			}
			table[key] = "/etc/ssl/simulated.pem"
		case key == "url" && table["command"] != nil, key == "listen" && !has:
		case addresses.MatchString(key):
			table[key] = value
		}
	}
}

func (w *walk) configPath() string { return "/etc/teleport-" + w.service.Name + ".toml" }

// writeConfig takes a config, or sections of one in the place of those that are there,
// into the file, as an editor does, and has the plugin check it.
func (w *walk) writeConfig(text string) {
	w.t.Helper()
	tree := make(map[string]any)
	if _, err := toml.Decode(text, &tree); err != nil {
		w.t.Error(err)
		return
	}
	if !w.exists(w.configPath()) {
		w.t.Errorf("%s was never made", w.configPath())
		return
	}
	_, whole := tree["teleport"]
	w.lead(tree, w.sections())
	if whole {
		tree["teleport"].(map[string]any)["addr"] = w.sb.Cluster().Addr()
	}
	next := tree
	if !whole {
		next = make(map[string]any)
		for key, value := range w.config {
			next[key] = value
		}
		for key, value := range tree {
			next[key] = value
		}
	}
	f, err := os.OpenFile(w.path(w.configPath()), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(next); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
	first := w.config == nil
	w.config = next
	if !first {
		w.loads()
	}
}

// loads expects that the plugin takes the config, though not everything that the config
// names may be here.
func (w *walk) loads() {
	w.t.Helper()
	said, _ := w.try("teleport-" + w.service.Name + " check")
	contains(w.t, said, "ok    config "+w.configPath()+"\n")
}

// pasteInto is a command that waits for what is pasted.
var pasteInto = regexp.MustCompile(`(?m)^cat > ?(\S+)$`)

// pasted is what a block asks to be pasted: the secret that goes into the file, by the
// key of the guide's configs that names the file.
func (w *walk) pasted(block string) string {
	m := pasteInto.FindStringSubmatch(block)
	if m == nil {
		return ""
	}
	for _, b := range markdown.Blocks(w.text) {
		tree := make(map[string]any)
		if b.Language != "toml" {
			continue
		}
		if _, err := toml.Decode(b.Text, &tree); err != nil {
			w.t.Fatal(err)
		}
		if secret, named := secretAt(tree, w.sections(), m[1]); named {
			return secret + "\n"
		}
	}
	w.t.Errorf("no config of the guide names %s", m[1])
	return ""
}

// secretAt is the value that the simulation has where a config names the file.
func secretAt(tree, simulated map[string]any, file string) (secret string, named bool) {
	for key, value := range tree {
		inner, ok := value.(map[string]any)
		if ok {
			below, _ := simulated[key].(map[string]any)
			if secret, named := secretAt(inner, below, file); named {
				return secret, true
			}
		}
		if value == file {
			secret, _ := simulated[key].(string)
			return secret, true
		}
	}
	return "", false
}

// firstComment names the file that a block is.
var firstComment = regexp.MustCompile(`^# (\S+\.yaml)`)

// resources saves a block under the name in its first line and, where it shows
// resources, has the cluster take them as tctl does.
func (w *walk) resources(text string) {
	m := firstComment.FindStringSubmatch(text)
	if m == nil {
		w.t.Error("the block does not say which file it is")
		return
	}
	if strings.HasPrefix(m[1], "/") || strings.Contains(m[1], "..") {
		w.t.Errorf("%s is no place for a file of resources", m[1])
		return
	}
	dir := strings.TrimSpace(w.run("cat " + at))
	if err := os.WriteFile(w.path(path.Join(dir, m[1])), []byte(text), 0o644); err != nil {
		w.t.Error(err)
		return
	}
	w.shell("tctl create -f " + m[1])
}
