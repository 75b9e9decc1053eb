package helm_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/sandbox/farend"
)

// chart is that of a plugin, with the values that Helm calls its test values: the
// least that it needs.
type chart struct {
	farend.Service
	dir string
}

func charts() (list []chart) {
	for _, s := range services.All() {
		list = append(list, chart{s, filepath.Join("..", "..", "access", s.Name, "chart")})
	}
	return list
}

// annotation is something that the chart says of its plugin.
func (c chart) annotation(t *testing.T, name string) string {
	t.Helper()
	var about struct{ Annotations map[string]string }
	c.decode(t, "Chart.yaml", &about)
	return about.Annotations[name]
}

// way is how the plugin reaches its service, of several the first one: the section of the
// values, and its credential's name there and file.
type way struct{ Section, Value, File string }

// ways are all of them. Charts with one have no list.
func (c chart) ways(t *testing.T) (list []way) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(c.annotation(t, "ways")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		list = []way{{c.Name, c.annotation(t, "credentialValue"), c.annotation(t, "credentialFile")}}
	}
	return list
}

// value is the name of a value that begins with what the chart calls the credential.
func (c chart) value(t *testing.T, suffix string) string {
	t.Helper()
	first := c.ways(t)[0]
	return first.Section + "." + first.Value + suffix
}

var required = []string{"teleport.address=teleport.example.com:443", "teleport.identitySecretName=identity"}

// runHelm runs the program on a chart, with the least values unless bare, and with
// those that are set.
func runHelm(t *testing.T, c chart, bare bool, values []string, command ...string) (string, error) {
	t.Helper()
	program := os.Getenv("HELM")
	if program == "" {
		t.Skip("the charts were not rendered, for want of the program helm; run make helm-test")
	}
	args := append(slices.Clone(command), c.dir)
	if !bare {
		args = append(args, "--values", filepath.Join(c.dir, "ci", "least-values.yaml"))
	}
	for _, v := range values {
		args = append(args, "--set", v)
	}
	out, err := exec.Command(program, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.New(string(exit.Stderr) + string(out))
	}
	return string(out), err
}

// known makes sure that Kubernetes knows all that is in the objects.
func known(t *testing.T, text string) {
	t.Helper()
	program := os.Getenv("STRICT")
	if program == "" {
		return
	}
	cmd := exec.Command(program)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

type object map[string]any

// at follows keys and indices into an object; it is nil where there is nothing.
func (o object) at(path ...any) any {
	var v any = map[string]any(o)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// render gives the objects of a chart by their kinds, of several the first.
func render(t *testing.T, c chart, values ...string) map[string]object {
	t.Helper()
	text, err := runHelm(t, c, false, append(values, required...), "template", "rel")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// parse gives the objects of a text by their kinds, of several the first.
func parse(t *testing.T, text string) map[string]object {
	t.Helper()
	known(t, text)
	objects := make(map[string]object)
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o map[string]any
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if kind, ok := o["kind"].(string); ok && objects[kind] == nil {
			objects[kind] = o
		}
	}
}

func TestChartsAreClean(t *testing.T) {
	for _, c := range charts() {
		if _, err := runHelm(t, c, false, required, "lint", "--strict"); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// readsConfig makes sure that the plugin reads the rendered config without a warning,
// with the files that are mounted beside it, and returns its text.
func (c chart) readsConfig(t *testing.T, objects map[string]object, files ...string) (text string) {
	t.Helper()
	text, _ = objects["ConfigMap"].at("data", "teleport-"+c.Name+".toml").(string)
	dir := t.TempDir()
	text = strings.NewReplacer("/var/lib/teleport/plugins/"+c.Name, dir, "/var/lib/tbot", dir).Replace(text)
	for _, file := range files {
		if !strings.Contains(text, filepath.Join(dir, file)) {
			t.Errorf("%s is not in the config:\n%s", file, text)
		}
		write(t, filepath.Join(dir, file), map[bool]string{true: "xapp-0123456789-secret", false: c.Simulate(farend.Options{}).Token()}[file == c.annotation(t, "appTokenFile")])
	}
	path := filepath.Join(dir, "config.toml")
	write(t, path, text)
	report, err := config.Load(path, c.New())
	if err == nil {
		err = report.Strict()
	}
	if err != nil || len(report.Warnings) > 0 {
		t.Errorf("the config gives %v, warnings %v:\n%s", err, report.Warnings, text)
	}
	return text
}

// The rendered config is one that the plugin reads without a warning, with the
// credentials where the chart mounts them.
func TestPluginReadsTheRenderedConfig(t *testing.T) {
	for _, c := range charts() {
		name := c.Name
		t.Run(name, func(t *testing.T) {
			c.readsConfig(t, render(t, c), "teleport-identity/auth_id", c.ways(t)[0].File)
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The switched-on section of reviews is read as well, with the app-level token where
// the chart mounts it.
func TestPluginReadsTheRenderedReviewSection(t *testing.T) {
	for _, c := range charts() {
		t.Run(c.Name, func(t *testing.T) {
			if !c.Presses() {
				t.Skip("the plugin hears no presses")
			}
			token := c.annotation(t, "appTokenFile")
			values := []string{
				"review.enabled=true", "review." + c.Name + "UserIdTrait=uid", "review.submitAs=plugin", "review.reason=deny",
				"review.roles={editor,staging-*}", "review.reviewers.editor={alice@example.com}",
			}
			files := []string{"teleport-identity/auth_id", c.annotation(t, "credentialFile")}
			if token != "" {
				if _, err := runHelm(t, c, false, append(values, required...), "template", "rel"); err == nil || !strings.Contains(err.Error(), "review.appTokenFromSecret") {
					t.Errorf("without an app-level token: %v", err)
				}
				values, files = append(values, "review.appTokenFromSecret=app"), append(files, token)
			}
			objects := render(t, c, values...)
			if token != "" {
				sources := object{"s": objects["Deployment"].at("spec", "template", "spec", "volumes", 1, "projected", "sources")}
				if got := sources.at("s", 2, "secret", "name"); got != "app" {
					t.Errorf("the app-level token is from %v", got)
				}
			}
			text := c.readsConfig(t, objects, files...)
			for _, without := range [][2]string{{"review." + c.Name + "UserIdTrait=", "who a person is"}, {"review.reviewers=null", "review.reviewers"}} {
				if _, err := runHelm(t, c, false, append(append(values, without[0]), required...), "template", "rel"); err == nil || !strings.Contains(err.Error(), without[1]) {
					t.Errorf("with %s: %v", without[0], err)
				}
			}
			closed, _ := render(t, c, append(values, "review.roles=null")...)["ConfigMap"].at("data", "teleport-"+c.Name+".toml").(string)
			if !strings.Contains(closed, "\nroles = []\n") {
				t.Errorf("roles that name nothing are all roles:\n%s", closed)
			}
			for _, want := range []string{"[review]", `roles = ["editor","staging-*"]`, "[review.reviewers]", `editor = ["alice@example.com"]`} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in:\n%s", want, text)
				}
			}
		})
	}
}

// The credentials are mounted where the config looks for them, as one directory
// that follows the secrets.
func TestMountedCredentials(t *testing.T) {
	for _, c := range charts() {
		name := c.Name
		pod := object(render(t, c)["Deployment"].at("spec", "template", "spec").(map[string]any))
		mount := object{"m": pod.at("containers", 0, "volumeMounts", 1)}
		if mount.at("m", "mountPath") != "/var/lib/teleport/plugins/"+name || mount.at("m", "subPath") != nil {
			t.Errorf("%s: the credentials are mounted by %v", name, mount)
		}
		sources := object{"s": pod.at("volumes", 1, "projected", "sources")}
		if got := sources.at("s", 0, "secret", "name"); got != "identity" {
			t.Errorf("%s: the identity is from %v", name, got)
		}
		if got := sources.at("s", 1, "secret", "items", 0, "path"); got != c.ways(t)[0].File {
			t.Errorf("%s: the credential is mounted as %v", name, got)
		}
	}
}

// What the restricted profile of the Pod Security Standards asks for, and more.
func TestPodIsRestricted(t *testing.T) {
	for _, c := range charts() {
		pod := object(render(t, c)["Deployment"].at("spec", "template", "spec").(map[string]any))
		for _, want := range []struct {
			value any
			path  []any
		}{
			{true, []any{"securityContext", "runAsNonRoot"}},
			{65532, []any{"securityContext", "runAsUser"}},
			{"RuntimeDefault", []any{"securityContext", "seccompProfile", "type"}},
			{false, []any{"containers", 0, "securityContext", "allowPrivilegeEscalation"}},
			{true, []any{"containers", 0, "securityContext", "readOnlyRootFilesystem"}},
			{"ALL", []any{"containers", 0, "securityContext", "capabilities", "drop", 0}},
			{false, []any{"automountServiceAccountToken"}},
			{"/healthz", []any{"containers", 0, "livenessProbe", "httpGet", "path"}},
			{"/readyz", []any{"containers", 0, "readinessProbe", "httpGet", "path"}},
		} {
			if got := pod.at(want.path...); got != want.value {
				t.Errorf("%s: %v is %v, want %v", c.Name, want.path, got, want.value)
			}
		}
	}
}

func TestSecretIsMadeOnlyFromAValue(t *testing.T) {
	for _, c := range charts() {
		if o := render(t, c); o["Secret"] != nil {
			t.Errorf("%s: a secret was made although one was named: %v", c.Name, o["Secret"])
		}
		o := render(t, c, c.value(t, "=xoxb-1"), c.value(t, "FromSecret="), c.value(t, "SecretPath=key"))
		if got := o["Secret"].at("metadata", "name"); got != "rel-teleport-plugin-"+c.Name+"-secret" {
			t.Errorf("the secret is named %v", got)
		}
		if got := o["Secret"].at("data", "key"); got != "eG94Yi0x" {
			t.Errorf("%s: the secret holds %v", c.Name, got)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range charts() {
		o := render(t, c, "existingCASecretName=ca", "failFast=true", "podDisruptionBudget.enabled=true",
			"extraEnv[0].name=HTTPS_PROXY", "extraEnv[0].value=http://proxy", "image.tag=1.2.3+x", "imagePullSecrets[0].name=pull",
			"podAnnotations.a=old", "annotations.deployment.b=c", "labels.team=access", "podLabels.tier=one", "priorityClassName=high",
			"image.digest=sha256:"+strings.Repeat("a", 64), "serviceAccount.create=true", "service.enabled=true", "podMonitor.enabled=true",
			"serviceMonitor.enabled=true", "serviceMonitor.labels.release=prometheus", "networkPolicy.enabled=true",
			"networkPolicy.from[0].namespaceSelector.matchLabels.name=monitoring", "topologySpreadConstraints[0].maxSkew=1",
			"topologySpreadConstraints[0].topologyKey=zone", "topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway")
		name := "rel-teleport-plugin-" + c.Name
		for _, want := range []struct {
			kind  string
			value any
			path  []any
		}{
			{"PodDisruptionBudget", name, []any{"metadata", "name"}},
			{"PodDisruptionBudget", "access", []any{"metadata", "labels", "team"}},
			{"ServiceAccount", name, []any{"metadata", "name"}},
			{"Service", name + "-diag", []any{"metadata", "name"}},
			{"Service", 8081, []any{"spec", "ports", 0, "port"}},
			{"Service", c.Name, []any{"spec", "selector", "app.kubernetes.io/name"}},
			{"ServiceMonitor", "prometheus", []any{"metadata", "labels", "release"}},
			{"ServiceMonitor", "diag", []any{"spec", "selector", "matchLabels", "teleport-plugin/port"}},
			{"PodMonitor", "diag", []any{"spec", "podMetricsEndpoints", 0, "port"}},
			{"NetworkPolicy", 8081, []any{"spec", "ingress", 0, "ports", 0, "port"}},
			{"NetworkPolicy", "monitoring", []any{"spec", "ingress", 0, "from", 0, "namespaceSelector", "matchLabels", "name"}},
		} {
			value := want.value
			if value == c.Name {
				value = "teleport-plugin-" + c.Name
			}
			if got := o[want.kind].at(want.path...); got != value {
				t.Errorf("%s: %s has %v at %v, want %v", c.Name, want.kind, got, want.path, value)
			}
		}
		text, err := yaml.Marshal(map[string]any(o["Deployment"]))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"TELEPORT_PLUGIN_FAIL_FAST", "/etc/ssl/certs:/etc/teleport-plugin/ca", "HTTPS_PROXY",
			"teleport-plugin-" + c.Name + ":1.2.3_x@sha256:" + strings.Repeat("a", 64), "name: pull", "a: old", "b: c", "tier: one",
			"team: access", "priorityClassName: high", "serviceAccountName: " + name, "topologyKey: zone",
		} {
			if !bytes.Contains(text, []byte(want)) {
				t.Errorf("%s: %q is not in:\n%s", c.Name, want, text)
			}
		}
	}
}

// reviews reports whether a chart has a port on which presses come.
func (c chart) reviews(t *testing.T) bool {
	t.Helper()
	var values struct{ Review map[string]any }
	c.decode(t, "values.yaml", &values)
	_, listens := values.Review["listen"]
	return listens
}

// Those who read metrics need not be those from whom presses come. Unless the latter are
// named, nobody but the former is let in.
func TestWhoReachesThePortOfButtons(t *testing.T) {
	for _, c := range charts() {
		settings := []string{"networkPolicy.enabled=true", "networkPolicy.from[0].podSelector.matchLabels.app=prometheus"}
		if c.reviews(t) {
			settings = append(settings, "review.enabled=true", "review.listen=:8444", "review.url=https://plugin.example.com", "review.appTokenFromSecret=s", "review."+c.Name+"UserIdTrait=uid")
		}
		for app, further := range map[string][]string{
			"prometheus": nil,
			"gateway":    {"networkPolicy.reviewFrom[0].podSelector.matchLabels.app=gateway"},
		} {
			got := make(map[any]any) // who reaches each port
			policy := render(t, c, append(settings, further...)...)["NetworkPolicy"]
			rules, _ := policy.at("spec", "ingress").([]any)
			for i := range rules {
				got[policy.at("spec", "ingress", i, "ports", 0, "port")] = policy.at("spec", "ingress", i, "from", 0, "podSelector", "matchLabels", "app")
			}
			want := map[any]any{8081: "prometheus"}
			if c.reviews(t) {
				want[8444] = app
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s, %q: %v, want %v", c.Name, further, got, want)
			}
		}
	}
}

// With tbot beside it the plugin reads the identity that tbot writes, and needs no secret
// with one.
func TestTbot(t *testing.T) {
	for _, c := range charts() {
		o := render(t, c, "teleport.identitySecretName=", "tbot.enabled=true", "tbot.token=join", "tbot.clusterName=example.com", "tbot.image.tag=18.1.0")
		c.readsConfig(t, o, "identity", c.ways(t)[0].File)
		var tbot struct {
			Proxy      string `yaml:"proxy_server"`
			Onboarding struct{ Token string }
			Outputs    []struct{ Destination struct{ Path string } }
		}
		text, _ := o["ConfigMap"].at("data", "tbot.yaml").(string)
		if err := yaml.Unmarshal([]byte(text), &tbot); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if tbot.Proxy != "teleport.example.com:443" || tbot.Onboarding.Token != "join" || len(tbot.Outputs) != 1 {
			t.Errorf("%s: tbot reads:\n%s", c.Name, text)
		}
		pod := object(o["Deployment"].at("spec", "template", "spec").(map[string]any))
		// One that is started before the plugin, and goes on beside it.
		if got := pod.at("initContainers", 0, "restartPolicy"); got != "Always" {
			t.Errorf("%s: tbot has the restart policy %v", c.Name, got)
		}
		if got := pod.at("initContainers", 0, "volumeMounts", 2, "mountPath"); got != tbot.Outputs[0].Destination.Path {
			t.Errorf("%s: tbot writes to %v, which has %v", c.Name, tbot.Outputs, got)
		}
	}
}

// enabled are the values that choose the first of several ways, with a login.
func (c chart) enabled(t *testing.T) []string {
	t.Helper()
	all := c.ways(t)
	if len(all) == 1 {
		return nil
	}
	return []string{all[0].Section + ".enabled=true", all[0].Section + ".username=x"}
}

// Of several ways the first that is enabled counts, one has to be, and some need no
// credential.
func TestWays(t *testing.T) {
	for _, c := range charts() {
		all := c.ways(t)
		if len(all) == 1 {
			continue
		}
		first, last := all[0], all[len(all)-1]
		for _, tc := range []struct {
			values []string
			want   way
		}{
			{[]string{last.Section + ".enabled=true", last.Section + "." + last.Value + "FromSecret=other"}, first},
			{[]string{first.Section + ".enabled=false", last.Section + ".enabled=true", last.Section + "." + last.Value + "FromSecret=other", last.Section + ".domain=mg.example.com"}, last},
		} {
			o := render(t, c, tc.values...)
			if text := c.readsConfig(t, o, tc.want.File); !strings.Contains(text, "\n["+tc.want.Section+"]\n") {
				t.Errorf("%s with %q:\n%s", c.Name, tc.values, text)
			}
		}
		o := render(t, c, first.Section+".username=", c.value(t, "FromSecret="))
		if text := c.readsConfig(t, o); o["Secret"] != nil || strings.Contains(text, first.File) {
			t.Errorf("%s has a credential where none is needed: %v\n%s", c.Name, o["Secret"], text)
		}
		old := render(t, c, "roleToRecipients=null", "delivery.recipients={a@example.com}", "volumes[0].name=extra")
		if text := c.readsConfig(t, old, first.File); !strings.Contains(text, `"*" = ["a@example.com"]`) {
			t.Errorf("%s with the old name of the recipients:\n%s", c.Name, text)
		}
		if _, err := runHelm(t, c, false, append([]string{first.Section + ".enabled=false"}, required...), "template", "rel"); err == nil || !strings.Contains(err.Error(), "set enabled to true") {
			t.Errorf("%s without a way: %v", c.Name, err)
		}
	}
}

// Only an address needs what signs events, and one of the value config is signed as well.
func TestEndpointsAreSigned(t *testing.T) {
	for _, c := range charts() {
		if text := c.read(t, "values.yaml"); !strings.Contains(text, "\nendpoints: {}\n") {
			continue
		}
		program := []string{"endpoints.run.command={/bin/true}", "roleToRecipients.*=run"}
		render := func(values ...string) map[string]object {
			t.Helper()
			text, err := runHelm(t, c, true, append(values, required...), "template", "rel")
			if err != nil {
				t.Fatal(err)
			}
			return parse(t, text)
		}
		if text := c.readsConfig(t, render(program...)); strings.Contains(text, "secret") {
			t.Errorf("a program is given a secret:\n%s", text)
		}
		signed := c.readsConfig(t, render(append(program, c.value(t, "FromSecret=creds"), "config.endpoints.far.url=https://far.example.com")...), c.ways(t)[0].File)
		if strings.Count(signed, "secret = ") != 1 || strings.Contains(signed, "\n["+c.Name+"]\n") {
			t.Errorf("it has the config:\n%s", signed)
		}
		if _, err := runHelm(t, c, true, append(required[:2:2], append(program, "endpoints.far.url=https://far.example.com")...), "template", "rel"); err == nil || !strings.Contains(err.Error(), c.value(t, "FromSecret")) {
			t.Errorf("an address without a secret: %v", err)
		}
	}
}

// Values that cannot work are refused, in words that say what to do.
func TestRefusedValues(t *testing.T) {
	for _, c := range charts() {
		for _, test := range []struct {
			bare   bool
			values []string
			want   string
		}{
			{true, c.enabled(t), c.value(t, "FromSecret")},
			{false, []string{"tbot.enabled=true", "tbot.clusterName=c", "tbot.image.tag=18.1.0"}, "tbot.token is empty"},
			{false, []string{"tbot.enabled=true", "tbot.clusterName=c", "tbot.token=t"}, "tbot.image.tag is empty"},
			{false, []string{"teleport.identitySecretName="}, "tbot.enabled"},
			{false, []string{"serviceMonitor.enabled=true"}, "set service.enabled"},
			{false, []string{"image.digest=latest"}, "digest"},
			{false, []string{"config.teleport.adrr=x"}, "adrr"},
			{false, []string{"config.delivery.lease=1"}, "lease"},
			{false, []string{"crd.create=true"}, "crd.create"},
			{false, []string{"teleport.address="}, "teleport.address is empty"},
			{false, []string{"teleport.adress=x"}, "adress"},
			{false, []string{"log.severity=loud"}, "severity"},
			{true, append(c.enabled(t), c.value(t, "=x"), "roleToRecipients.a=b"), `roleToRecipients`},
		} {
			_, err := runHelm(t, c, test.bare, append(required[:2:2], test.values...), "template", "rel")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s with %q gives %v, want %q in it", c.Name, test.values, err, test.want)
			}
		}
	}
}
