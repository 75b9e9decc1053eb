package config

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

// environmentWarnings says which variables, of those that libraries read by
// themselves, cannot be understood: a proxy that is none would be passed by without
// a word, or looked up under its scheme as a name. The values are not shown, since the
// address of a proxy may hold a password.
func environmentWarnings() (warnings []Problem) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if value := os.Getenv(name); value != "" && !proxyAddress(value) {
			warnings = append(warnings, Problem{
				File: "environment", Key: name, What: "this is not the address of a proxy, so that calls fail or go past it",
				Do: "write for example http://proxy.example.com:3128, or remove the variable",
			})
		}
	}
	return warnings
}

// proxyAddress tells whether a text is an address as net/http takes it, which may
// lack its scheme.
func proxyAddress(text string) bool {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, strings.ToLower(u.Scheme))
}
