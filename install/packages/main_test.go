package main

import (
	"os"
	"strings"
	"testing"
)

func repository(t *testing.T) graph {
	t.Helper()
	g, err := read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(g["lib/plugin"]) == 0 {
		t.Fatal("lib/plugin imports nothing; the packages were not read")
	}
	return g
}

func TestTheDrawingIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../access/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), begin)
	drawn, _, _ := strings.Cut(rest, end)
	if want := repository(t).drawing(); drawn != want {
		t.Errorf("the drawing in access/README.md is not what the packages import; run go run ./install/packages access/README.md\n%s", want)
	}
}

func TestNothingImportsUpward(t *testing.T) {
	g := repository(t)
	for path, imports := range g {
		for _, imported := range imports {
			from, to := general(path), general(imported)
			switch {
			case part(to) > part(from):
				t.Errorf("%s imports %s, which is there to try it", path, imported)
			case strings.HasPrefix(path, "lib/") && strings.HasPrefix(imported, "access/"):
				t.Errorf("%s imports %s; what all services share knows none of them", path, imported)
			case strings.HasPrefix(from, "access/<service>") && strings.HasPrefix(to, "access/<service>") &&
				strings.Split(path, "/")[1] != strings.Split(imported, "/")[1]:
				t.Errorf("%s imports %s of another service", path, imported)
			}
		}
	}
}

// A small module, drawn by hand.
func TestDrawing(t *testing.T) {
	g := graph{
		"lib/a":                            {},
		"lib/b":                            {"lib/a"},
		"lib/c":                            {"lib/a", "lib/b"},
		"lib/sandbox":                      {"lib/c"},
		"access/one":                       {"lib/c"},
		"access/two":                       {"lib/a", "lib/c"},
		"access/two/cmd/teleport-two":      {"access/two"},
		"access/two/twoapi":                {"lib/sandbox"},
		"access/testdata/board":            {"lib/a"},
		"access/e2e/harness":               {"access/services", "lib/sandbox"},
		"access/services":                  {"access/one/farend", "access/two/farend"},
		"access/one/farend":                {"access/one"},
		"access/one/cmd/teleport-one":      {"access/one"},
		"access/services/cmd/teleport-all": {"access/services"},
	}
	want := `the plugins
  access/<service>/cmd/teleport-<service>  ▶ access/<service>
  access/<service>                         ▶ c
  lib/c                                    ▶ b
  lib/b                                    ▶ a
  lib/a

the sandbox
  access/services/cmd/teleport-all         ▶ access/services
  access/services                          ▶ access/<service>/farend
  access/<service>/<service>api            ▶ sandbox
  access/<service>/farend                  ▶ access/<service>
  lib/sandbox                              ▶ c

what tries the plugins in the sandbox
  access/e2e/harness                       ▶ access/services  sandbox
`
	if got := g.drawing(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
