package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// SigningSecrets are secrets that calls are signed with, each whsec_ and 24 to 64 bytes
// in base64: one, or several while one takes the place of another.
type SigningSecrets struct{ list []Secret }

// TypeName is what the reference calls it.
func (SigningSecrets) TypeName() string { return "secret or list of secrets" }

// UnmarshalTOML takes a string or a list of strings.
func (s *SigningSecrets) UnmarshalTOML(raw any) error {
	items, ok := raw.([]any)
	if !ok {
		items = []any{raw}
	}
	s.list = nil
	for _, item := range items {
		var one Secret
		if err := one.UnmarshalTOML(item); err != nil {
			return err
		}
		if one.IsSet() {
			s.list = append(s.list, one)
		}
	}
	return nil
}

// IsSet tells whether there is a secret.
func (s SigningSecrets) IsSet() bool { return len(s.list) > 0 }

// Read gives the secrets as they are now. The errors never hold one.
func (s SigningSecrets) Read() (texts []string, err error) {
	for _, secret := range s.list {
		text, err := secret.Read()
		if err == nil {
			err = wellFormed(text)
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// Validate reads each secret once.
func (s *SigningSecrets) Validate(f *Faults) {
	for i := range s.list {
		s.list[i].Validate(f)
		if text, err := s.list[i].Read(); err == nil {
			if err := wellFormed(text); err != nil {
				f.Add("", err.Error(), "make one with: echo whsec_$(openssl rand -base64 32)")
			}
		}
	}
}

// wellFormed looks whether a secret is of the form that it must have.
func wellFormed(secret string) error {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case !ok:
		return errors.New("the secret does not begin with whsec_")
	case err != nil:
		return errors.New("what follows whsec_ in the secret is not base64")
	case len(key) < 24 || len(key) > 64:
		return fmt.Errorf("the secret has %d bytes, and not between 24 and 64", len(key))
	}
	return nil
}
