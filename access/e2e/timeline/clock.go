package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// hourAhead builds the plugin for a machine whose clock is an hour ahead: its
// standard library is the usual one but for time.Now, which tells the wall clock
// wrong and the monotonic clock right. Tools that bend the clock from outside do
// not reach a static binary.
func (w *World) hourAhead() (path string, err error) {
	dir := filepath.Join(os.TempDir(), "teleport-plugins-hour-ahead")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making a directory for the binary with the wrong clock: %w", err)
	}
	overlay, err := wrongClock(dir)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "teleport-"+w.service)
	cmd := exec.CommandContext(w.ctx, "go", "build", "-overlay", overlay, "-o", path,
		fmt.Sprintf("teleport-plugins/access/%s/cmd/teleport-%s", w.service, w.service))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the plugin with the wrong clock: %w: %s", err, out)
	}
	return path, nil
}

// What time.Now does with the wall clock it was told.
const (
	rightClock = "sec, nsec, mono := runtimeNow()\n"
	aheadClock = "sec, nsec, mono := runtimeNow()\n\tsec += 3600\n"
)

// wrongClock writes the changed source, and the file that tells the compiler.
func wrongClock(dir string) (overlay string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("finding the standard library: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("reading the standard library: %w", err)
	}
	changed := bytes.ReplaceAll(text, []byte(rightClock), []byte(aheadClock))
	if bytes.Equal(changed, text) {
		return "", errors.New("time.Now of this Go release is not the known one")
	}
	replacement := filepath.Join(dir, "time.go")
	if err := os.WriteFile(replacement, changed, 0o600); err != nil {
		return "", fmt.Errorf("writing the wrong clock: %w", err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	return overlay, nil
}
