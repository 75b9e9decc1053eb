package shiptest

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"teleport-plugins/install/markdown"
	"teleport-plugins/lib/sandbox/cluster"
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
			if err := os.WriteFile(w.path("/etc/simulated.pem"), text, 0o644); err != nil {
				w.t.Fatal(err)
			}
			table[key] = "/etc/simulated.pem"
		case key == "url" && table["command"] != nil, key == "listen" && !has:
		case addresses.MatchString(key):
			table[key] = value
		}
	}
}

func (w *walk) configPath() string { return "/etc/teleport-" + w.service.Name + ".toml" }

// writeConfig takes a config, or sections of one in the place of those that are there,
// into the file, as an editor does. The first one stays; a later one is loaded, and stays
// if it is a step of a list, and no mere possibility.
func (w *walk) writeConfig(b markdown.Block) {
	w.t.Helper()
	tree := make(map[string]any)
	meta, err := toml.Decode(b.Text, &tree)
	if err != nil {
		w.t.Error(err)
		return
	}
	if !w.exists(w.configPath()) {
		w.t.Errorf("%s was never made", w.configPath())
		return
	}
	_, whole := tree["teleport"]
	w.lead(tree, w.sections())
	w.enrol(tree)
	if whole {
		tree["teleport"].(map[string]any)["addr"] = w.sb.Cluster().Addr()
	}
	if whole && w.config == nil {
		w.config = tree
		w.save(tree)
		w.share(tree, w.sections())
		return
	}
	next := tree
	if !whole {
		next = farend.Join(w.config)
		for _, key := range meta.Keys() {
			empty(next, tree, key)
		}
		next = farend.Join(next, tree)
	}
	w.save(next)
	w.loads()
	if b.Step {
		w.config = next
	} else {
		w.save(w.config) // it was one possibility among others
	}
}

// empty removes a section that is written anew, since its header stands in the text.
func empty(have, anew map[string]any, section []string) {
	inner, is := anew[section[0]].(map[string]any)
	below, both := have[section[0]].(map[string]any)
	switch {
	case is && len(section) == 1:
		delete(have, section[0])
	case is && both:
		empty(below, inner, section[1:])
	}
}

// enrol gives the people of the cluster the trait by which a config knows who presses, as
// their administrator does.
func (w *walk) enrol(tree map[string]any) {
	review, _ := tree["review"].(map[string]any)
	trait, _ := review[w.service.Name+"_user_id_trait"].(string)
	simulated, _ := w.sections()["review"].(map[string]any)
	if trait == "" {
		return
	}
	give := func(id, user string) {
		if slices.Contains([]string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave}, user) {
			w.sb.Cluster().AddUser(user, []string{"requester", cluster.ReviewerRole}, map[string][]string{trait: {id}})
		}
	}
	switch users := simulated["users"].(type) {
	case map[string]any:
		for id, user := range users {
			give(id, fmt.Sprint(user))
		}
	case map[string]string:
		for id, user := range users {
			give(id, user)
		}
	}
}

// edit fills in the example that the plugin has made, as its user does.
func (p *programs) edit(dir string, args []string) (string, error) {
	text, err := p.saved(dir, args[0])
	if err != nil {
		return "", err
	}
	tree := make(map[string]any)
	if _, err := toml.Decode(text, &tree); err != nil {
		return "", fmt.Errorf("reading the example: %w", err)
	}
	w := p.w
	w.config = farend.Join(tree, w.far.Config(), w.service.Routes(map[string][]string{"*": w.far.Places()[:1]}), map[string]any{
		"teleport": map[string]any{"addr": w.sb.Cluster().Addr(), "identity": "/var/lib/teleport/plugins/" + w.service.Name + "/identity"},
	})
	section := w.config[w.service.Name].(map[string]any)
	for key := range section {
		if file := path.Join("/var/lib/teleport/plugins", w.service.Name, key); w.exists(file) {
			section[key] = file
		}
	}
	w.save(w.config)
	return "", nil
}

// share gives both sides the same secret, where the guide has made one for the service.
func (w *walk) share(tree, simulated map[string]any) {
	for key, value := range tree {
		inner, _ := simulated[key].(map[string]any)
		if table, ok := value.(map[string]any); ok {
			w.share(table, inner)
			continue
		}
		file, _ := value.(string)
		if secret, ok := simulated[key].(string); ok && strings.HasPrefix(file, "/var/") && w.exists(file) {
			if err := os.WriteFile(w.path(file), []byte(secret+"\n"), 0); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// save writes a config into the file that is there.
func (w *walk) save(tree map[string]any) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(w.configPath()), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(tree); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
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
	if secret, ok := w.sections()[w.service.Name].(map[string]any)[path.Base(m[1])].(string); ok {
		return secret + "\n" // the file is called as the key
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
			if secret, ok := simulated[key].(string); ok {
				return secret, true
			}
			return "a-secret-of-something-that-is-not-simulated", true
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
