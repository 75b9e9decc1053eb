package docs_test

import (
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/sentences"
)

func gathered(t *testing.T) []sentences.Sentence {
	t.Helper()
	list, err := sentences.Gather(root)
	if err != nil || len(list) < 150 {
		t.Fatalf("found %d sentences, error %v", len(list), err)
	}
	return list
}

// The table of a service that has none yet is written with its first release.
func TestTheTableOfSentencesIsTrue(t *testing.T) {
	text := read(t, "install/SENTENCES.md").text
	listed := slices.DeleteFunc(gathered(t), func(s sentences.Sentence) bool { return !strings.Contains(text, "\n## "+s.Group+"\n") })
	if want := sentences.Table(listed); !strings.HasSuffix(text, ":\n"+want) {
		t.Error("install/SENTENCES.md is not what the plugins say; run go run ./install/sentences/write install/SENTENCES.md")
	}
}

// Whatever must be done is said with the sentence, or in a table of troubleshooting.
func TestEverySentenceThatAsksSaysWhatToDo(t *testing.T) {
	cells := says(pages(t))
	for _, s := range gathered(t) {
		explained := func(cell string) bool { return covers(s.Text, cell) }
		if s.Asks && !s.Complete() && len(parts(s.Text, 8)) > 0 && !slices.ContainsFunc(cells, explained) {
			t.Errorf("%s: nothing says what to do about %q", s.Group, s.Text)
		}
	}
}
