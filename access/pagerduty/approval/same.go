package approval

import "golang.org/x/text/unicode/norm"

// Same reports whether two addresses or names are the same, byte for byte but for
// the case of ASCII letters. Unicode's folding would be too kind: it takes the
// KELVIN SIGN for a k, and with it one person for another.
func Same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Normal reports whether a text is written as Unicode composes it (NFC). One that
// is not can look like another, and names nobody.
func Normal(text string) bool { return norm.NFC.IsNormalString(text) }
