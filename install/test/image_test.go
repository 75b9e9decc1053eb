package shiptest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hardened are the restrictions under which the images have to work.
var hardened = []string{"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host"}

// imageUser is the number of the user and the group of the images.
const imageUser = 65532

func imageName(t *testing.T, service string) string {
	t.Helper()
	return "teleport-plugin-" + service + ":" + need(t, "IMAGE_TAG", "image-test")
}

// docker runs a command of the container engine that must succeed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, "docker", args...)
}

func TestImageDescription(t *testing.T) {
	tag := need(t, "IMAGE_TAG", "image-test")
	for _, service := range services() {
		for _, arch := range []string{"amd64", "arm64"} {
			var images []struct {
				Architecture, Os string
				Config           struct {
					User       string
					Entrypoint []string
					Cmd        []string
					Labels     map[string]string
				}
			}
			text := docker(t, "image", "inspect", imageName(t, service)+"-"+arch)
			if err := json.Unmarshal([]byte(text), &images); err != nil {
				t.Fatal(err)
			}
			i := images[0]
			if i.Architecture != arch || i.Os != "linux" {
				t.Errorf("the image of %s for %s is for %s on %s", service, arch, i.Os, i.Architecture)
			}
			if i.Config.User != "65532:65532" || len(i.Config.Cmd) > 0 ||
				strings.Join(i.Config.Entrypoint, " ") != "/usr/local/bin/teleport-plugin" {
				t.Errorf("the image of %s for %s is set to %+v", service, arch, i.Config)
			}
			if got := strings.ReplaceAll(i.Config.Labels["org.opencontainers.image.version"], "+", "_"); got != tag {
				t.Errorf("the label of %s for %s says version %q, the tag %q", service, arch, got, tag)
			}
		}
	}
}

// What is in the image: the binary, the authorities, and nothing else.
func TestImageContent(t *testing.T) {
	for _, service := range services() {
		container := strings.TrimSpace(docker(t, "create", imageName(t, service)))
		defer docker(t, "rm", container)
		list, err := exec.Command("sh", "-c", "docker export "+container+" | tar -t").Output()
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for name := range strings.FieldsSeq(string(list)) {
			// The engine puts its own mount points into every container.
			if strings.HasSuffix(name, "/") || strings.HasPrefix(name, "dev/") || name == ".dockerenv" ||
				name == "etc/hostname" || name == "etc/hosts" || name == "etc/resolv.conf" || name == "etc/mtab" {
				continue
			}
			files = append(files, name)
		}
		if got, want := strings.Join(files, " "), "etc/ssl/certs/ca-certificates.crt usr/local/bin/teleport-plugin"; got != want {
			t.Errorf("the image of %s holds %s, want %s", service, got, want)
		}
	}
}

func TestImageVersion(t *testing.T) {
	qemu, err := exec.LookPath("qemu-aarch64-static")
	for _, service := range services() {
		args := append([]string{"run", "--rm"}, hardened...)
		native := docker(t, append(args, imageName(t, service), "version")...)
		contains(t, native, "teleport-"+service+" v")
		if err != nil {
			t.Log("the arm64 image was not run: qemu-aarch64-static is not installed")
			continue
		}
		foreign := docker(t, append(args, "--platform=linux/arm64", "--entrypoint=/qemu", "--volume="+qemu+":/qemu:ro",
			imageName(t, service)+"-arm64", "/usr/local/bin/teleport-plugin", "version")...)
		if last(foreign) != last(native) {
			t.Errorf("the arm64 image says %q, the other %q", foreign, native)
		}
	}
}

// last is the last line of a text; the engine may warn before it.
func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestImageDelivers(t *testing.T) {
	for _, service := range services() {
		t.Run(service, func(t *testing.T) {
			image := imageName(t, service)
			sb := startSandbox(t)
			dir := t.TempDir()
			config, err := sb.WriteConfig(dir, service)
			if err != nil {
				t.Fatal(err)
			}
			give(t, dir)
			args := append([]string{"run", "--detach", "--volume=" + dir + ":" + dir + ":ro"}, hardened...)
			container := strings.TrimSpace(docker(t, append(args, image, "start", "--config", config)...))
			defer docker(t, "rm", "--force", container)
			deliver(t, sb, service)
			docker(t, "stop", "--time=30", container)
			if code := strings.TrimSpace(docker(t, "inspect", "--format={{.State.ExitCode}}", container)); code != "0" {
				t.Errorf("the stopped container ended with %s:\n%s", code, docker(t, "logs", container))
			}
			contains(t, docker(t, "logs", container), "has shut down")
		})
	}
}

// give makes the user of the images the owner of a directory and its files.
func give(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("giving the config to the user of the image takes root")
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, imageUser, imageUser)
	})
	if err != nil {
		t.Fatal(err)
	}
}
