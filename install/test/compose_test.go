package shiptest

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose is the program that reads the compose file, in either of its forms.
func compose(t *testing.T) []string {
	t.Helper()
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("the compose file was not tested: neither 'docker compose' nor docker-compose is installed")
	}
	return []string{"docker-compose"}
}

// freePort is a port of the loopback interface on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The compose file has every service.
func TestComposeHasEveryService(t *testing.T) {
	text, err := os.ReadFile("../../docker/compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image   string
			Command []string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range names() {
		s := file.Services[name]
		if s.Image != "teleport-plugin-"+name+":${TAG:-0.0.0-dev}" || len(s.Command) != 3 || s.Command[2] != "/sandbox/teleport-"+name+".toml" {
			t.Errorf("%s is started as %+v", name, s)
		}
	}
}

// The file as it lies in the source shows a request in every service.
func TestImageCompose(t *testing.T) {
	tag := need(t, "IMAGE_TAG", "image-test")
	program := compose(t)
	t.Setenv("TAG", tag)
	t.Setenv("PORT", freePort(t))
	project := append(program[1:], "--project-name", "shiptest", "--file", "../../docker/compose.yml")
	run := func(args ...string) string {
		return output(t, program[0], append(project[:len(project):len(project)], args...)...)
	}
	run(append([]string{"up", "--detach", "sandbox"}, services()...)...)
	defer run("down", "--volumes")

	page := sandboxPage{"127.0.0.1:" + os.Getenv("PORT")}
	eventually(t, "the page of the sandbox answers", page.answers)
	id := page.request(t, `{"user":"alice@example.com","roles":["demo-role"],"reason":"a test"}`)
	for _, service := range services() {
		eventually(t, service+" shows the request", func() bool { return page.says(t, service, id) })
	}
	run("stop")
	for _, service := range services() {
		container := strings.TrimSpace(run("ps", "--quiet", service))
		if code := strings.TrimSpace(docker(t, "inspect", "--format={{.State.ExitCode}}", container)); code != "0" {
			t.Errorf("%s stopped with %s", service, code)
		}
	}
}
