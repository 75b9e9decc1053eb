// Command strict reads Kubernetes objects, in YAML, from its standard input, and ends
// with an error for what Kubernetes does not know: a field, a type or a kind. Objects of
// the operator of Prometheus are passed over.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	if err := read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(in io.Reader) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("learning the kinds: %w", err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the objects: %w", err)
		}
		if foreign(string(text)) {
			continue
		}
		if _, _, err := decoder.Decode(text, nil, nil); err != nil {
			return fmt.Errorf("%w, in:\n%s", err, text)
		}
	}
}

// foreign reports whether a document has no object, or one that the operator of
// Prometheus defines.
func foreign(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "apiVersion:") {
			return strings.HasPrefix(line, "apiVersion: monitoring.coreos.com/")
		}
	}
	return true
}
