// Package seal writes what others keep for us, and hand back, so that nobody else can
// make it. Everybody can read it.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrForged says that a text was not sealed with the secret.
var ErrForged = errors.New("it is not sealed with the secret")

// Write seals a value, in letters and digits and the signs - _ and a full stop.
func Write(secret string, v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("writing what is to be sealed: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	return text + "." + mac(secret, text), nil
}

// Read reads what Write wrote with the same secret. Any other text is ErrForged.
func Read(secret, sealed string, into any) error {
	text, sum, _ := strings.Cut(sealed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !hmac.Equal([]byte(sum), []byte(mac(secret, text))) || json.Unmarshal(raw, into) != nil {
		return ErrForged
	}
	return nil
}

func mac(secret, text string) string {
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
