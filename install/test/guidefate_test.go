package shiptest

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/markdown"
)

// fate is what became of a block of a page: it was walked, or there is a reason.
type fate struct {
	page  string
	block markdown.Block
	why   string
}

// Programs of others, which are not on the machine, and are not imitated.
var elsewhere = regexp.MustCompile(`(?m)^(?:[$#] )?(?:sudo )?(cosign|opa|rpm|kubectl|helm|docker|make) `)

// What is walked by others: TestNewcomer runs the commands, make helm-test renders the
// values of charts.
var (
	byNewcomer = regexp.MustCompile(`(?m)^make (demo|new-service) `)
	values     = regexp.MustCompile(`(?m)^(# values\.yaml|roleToRecipients:|extraEnv:)`)
)

// impossible says by which sign one sees that a block cannot be run here, and why.
var impossible = []struct {
	language string
	sign     *regexp.Regexp
	why      string
}{
	{"sh", elsewhere, "needs a program of others that is not here"},
	{"console", elsewhere, "needs a program of others that is not here"},
	{"", regexp.MustCompile(`^https://\S+\n$`), "is an address to be opened in a browser"},
	{"yaml", regexp.MustCompile(`(?m)^(onboarding|outputs):`), "is for tbot, which is not here"},
	{"yaml", regexp.MustCompile(`(?m)^(display_information|settings):`), "is to be pasted into a form of the service"},
	{"yaml", regexp.MustCompile(`^livenessProbe:`), "is a piece of a pod of one's own"},
	{"sh", regexp.MustCompile(`^teleport-\S+ start`), "runs until it is stopped; the unit starts the plugin"},
	{"", regexp.MustCompile(`[│▶]`), "is a drawing"},
}

// cannot is why a block cannot be run here, or empty.
func (w *walk) cannot(b markdown.Block) string {
	if byNewcomer.MatchString(b.Text) {
		return ""
	}
	for _, rule := range impossible {
		if rule.language == b.Language && rule.sign.MatchString(b.Text) {
			return rule.why
		}
	}
	return ""
}

var updateGuides = flag.Bool("guides.update", false, "write the list of the blocks that are not walked anew")

// mostUnwalked is the share of blocks that may have a reason, in percent.
const mostUnwalked = 15

// tally compares the list of the blocks that were not walked with the one that is kept.
func tally(t *testing.T, fates []fate) {
	t.Helper()
	const file = "testdata/unwalked.golden"
	var list []string
	for _, f := range fates {
		if f.why != "" {
			first, _, _ := strings.Cut(f.block.Text, "\n")
			list = append(list, fmt.Sprintf("%s: %s: %s\n", f.page, strings.TrimSpace(first), f.why))
		}
	}
	slices.Sort(list)
	t.Logf("%d of %d blocks were walked", len(fates)-len(list), len(fates))
	if len(list)*100 > len(fates)*mostUnwalked {
		t.Errorf("%d of %d blocks are not walked, which is more than %d %%", len(list), len(fates), mostUnwalked)
	}
	text := strings.Join(list, "")
	if *updateGuides {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != text {
		t.Errorf("not walked are\n%s\nand %s says (%v)\n%s", text, file, err, want)
	}
}
