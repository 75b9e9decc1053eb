package document

import (
	"embed"
	"fmt"
	"strings"
)

var (
	// Schema is the JSON Schema of an event.
	//
	//go:embed event.json
	Schema string
	// AnswerSchema is that of an answer.
	//
	//go:embed answer.json
	AnswerSchema string
)

//go:embed examples/*.json
var examples embed.FS

// Examples names the examples of events.
func Examples() (names []string) {
	files, _ := examples.ReadDir("examples") // is there
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	return names
}

// Example is the text of an example.
func Example(name string) ([]byte, error) {
	text, err := examples.ReadFile("examples/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("there is no example %q: %w", name, err)
	}
	return text, nil
}
