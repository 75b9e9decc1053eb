package config_test

import (
	"strings"
	"testing"
)

// A file without its headings, as copied from a page, is explained in one answer.
func TestAFileWithoutItsHeadings(t *testing.T) {
	const lost = "the headings of the sections are missing, so that these keys have no effect; write each on a line of its own before its keys: "
	for name, c := range map[string]struct{ text, want string }{
		"all are missing": {
			"addr = \"a:1\"\nidentity = \"/id\"\ntoken = \"" + planted + "\"\n\"*\" = \"all\"\noutput = \"stderr\"\n",
			"config.toml:1: " + lost + "[log] with output; [role_to_recipients] with \"*\"; [service] with token; [teleport] with addr, identity\n",
		},
		"one section is there": {
			"api_url = \"https://x\"\ntoken = \"" + planted + "\"\n[teleport]\nidentity = \"/id\"\n",
			"config.toml:1: " + lost + "[service] with api_url, token\n",
		},
		"a section that is there": {
			"addr = \"a:1\"\nidentity = \"/id\"\n" + minimal,
			"config.toml:1: addr: this key is unknown and has no effect; did you mean teleport.addr\n" +
				"config.toml:2: identity: this key is unknown and has no effect; did you mean teleport.identity\n",
		},
		"a slip": {
			"output = \"stderr\"\n" + minimal,
			"config.toml:1: output: this key is unknown and has no effect; did you mean log.output\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, report, err := load(t, c.text)
			got := messages(report.Warnings)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if err != nil && strings.Contains(err.Error(), planted) {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}
