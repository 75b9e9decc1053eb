// Command write puts the table of the sentences into the document that is named, in
// place of all that stands below its first line that ends in a colon:
//
//	go run ./install/sentences/write install/SENTENCES.md
package main

import (
	"fmt"
	"os"
	"strings"

	"teleport-plugins/install/sentences"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name the document to write; got %q", args)
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	list, err := sentences.Gather(".")
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(string(text), ":\n")
	if err := os.WriteFile(args[0], []byte(head+":\n"+sentences.Table(list)), 0o644); err != nil {
		return fmt.Errorf("writing the document: %w", err)
	}
	return nil
}
