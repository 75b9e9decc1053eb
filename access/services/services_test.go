package services_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/farend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whoever brings a far end is listed, under the name of the folder.
func TestEveryFolderIsListed(t *testing.T) {
	var names, folders []string
	for _, s := range services.All() {
		names = append(names, s.Name)
	}
	found, err := filepath.Glob("../*/farend")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		folders = append(folders, filepath.Base(filepath.Dir(f)))
	}
	slices.Sort(names)
	if slices.Sort(folders); !slices.Equal(names, folders) {
		t.Errorf("listed are %q, and the folders are %q", names, folders)
	}
}

// What each simulated service must be, before any plugin comes near it.
func TestFarEndsAreWhatTheyShould(t *testing.T) {
	for _, s := range services.All() {
		t.Run(s.Name, func(t *testing.T) {
			far := s.Simulate(farend.Options{Places: 2})
			places := far.Places()
			if len(places) < 5 || s.Methods.Post == "" || s.Methods.Edit == "" || len(s.Refusals) == 0 {
				t.Fatalf("the places are %q, the methods %+v, the refusals %q", places, s.Methods, s.Refusals)
			}
			shown := make(map[string]bool)
			for _, ch := range far.Panel(0).Channels {
				shown[ch.ID] = true
			}
			for _, name := range places {
				if !shown[far.Place(name)] {
					t.Errorf("the panel does not show %s", name)
				}
			}
			if far.Place(farend.Nowhere) != farend.Nowhere {
				t.Error("there is a place nowhere")
			}
			if _, err := far.Adopt(far.Place(places[0]), "0123-req", "*ID*: 0123-req\n*Status*: ⏳ PENDING", 1); err != nil {
				t.Fatal(err)
			}
			seen := far.Panel(0).Sights()
			if len(seen) != 1 || seen[0].Request != "0123-req" || seen[0].State != "PENDING" || seen[0].Place != far.Place(places[0]) {
				t.Fatalf("what was announced is seen as %+v", seen)
			}
			if err := far.Remove(seen[0].Place, seen[0].ID); err != nil {
				t.Error(err)
			}
			if left := far.Panel(0).Sights(); len(left) > 0 && !left[0].Deleted {
				t.Errorf("what was removed is seen as %+v", left)
			}
			before := far.Token()
			if far.RenewToken(); far.Token() == before || before == "" {
				t.Errorf("the token is %q, and was %q", far.Token(), before)
			}
			if parts, err := s.Parts(t.TempDir()); err != nil || parts.Service == nil {
				t.Errorf("its smallest config gives %+v, %v", parts, err)
			}
		})
	}
}

// Switches do what they say.
func TestSwitches(t *testing.T) {
	for _, s := range services.All() {
		far := s.Simulate(farend.Options{})
		for i, one := range far.Panel(0).Switches {
			able := far.(farend.Switcher)
			for _, on := range []bool{!one.On, one.On} {
				if err := able.Switch(one.ID, on); err != nil || far.Panel(0).Switches[i].On != on {
					t.Errorf("%s: %s is not %v, error %v", s.Name, one.ID, on, err)
				}
			}
			if able.Switch("nothing", true) == nil {
				t.Errorf("%s has a switch for nothing", s.Name)
			}
		}
	}
}

// The demonstration has a panel for each service, and a config for its plugin.
func TestDemoHasEveryService(t *testing.T) {
	sb, err := sandbox.Start(sandbox.Options{Services: services.All()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	st := sb.State(0)
	for i, s := range services.All() {
		if shown := st.Services[s.Name]; st.Order[i] != s.Name || shown.Title != s.Title || shown.Accent == "" || len(shown.Channels) < 3 {
			t.Errorf("%s is shown as %+v", s.Name, shown)
		}
		if _, err := sb.WriteConfig(t.TempDir(), s.Name); err != nil {
			t.Error(err)
		}
	}
}

// The names of services stand in their folders, in what is shipped and in
// documents. Elsewhere are the list here, and one line.
func TestServicesAreNamedInTheirFolders(t *testing.T) {
	var names, forms []string
	ordinary := []string{"email"} // words that are about more than the service
	for _, s := range services.All() {
		names = append(names, s.Name)
		if slices.Contains(ordinary, s.Name) {
			forms = append(forms, "access/"+s.Name, "teleport-"+s.Name)
			continue
		}
		forms = append(forms, s.Name)
	}
	named := regexp.MustCompile("(?i)" + strings.Join(forms, "|"))
	skipped := append([]string{".git", "build", "docker", "testdata"}, names...)
	var lines []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skipped, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains([]string{".go", ".js", ".css", ".html", ".mk", ".sh", ".tpl", "", ".txt", ".in"}, filepath.Ext(path)) || strings.HasSuffix(path, "/survivors.txt"):
			return nil
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if named.MatchString(line) {
				lines = append(lines, path+": "+strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if most := len(names) + 2; len(lines) > most {
		t.Errorf("%d lines name a service, and at most %d may:\n%s", len(lines), most, strings.Join(lines, "\n"))
	}
}
