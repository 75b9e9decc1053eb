package config_test

import (
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

func TestSigningSecrets(t *testing.T) {
	const one = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	next := "whsec_" + strings.Repeat("QUJD", 12)
	for name, tc := range map[string]struct {
		raw   any
		want  []string
		fault string
	}{
		"none":           {"", nil, ""},
		"one":            {one, []string{one}, ""},
		"a list":         {[]any{one, "", next}, []string{one, next}, ""},
		"24 bytes":       {"whsec_" + strings.Repeat("QUJD", 8), []string{"whsec_" + strings.Repeat("QUJD", 8)}, ""},
		"23 bytes":       {"whsec_" + strings.Repeat("QUJD", 7) + "QUI=", nil, "has 23 bytes"},
		"66 bytes":       {"whsec_" + strings.Repeat("QUJD", 22), nil, "has 66 bytes"},
		"another form":   {"hunter2", nil, "does not begin with whsec_"},
		"no base64":      {"whsec_hunter2!", nil, "is not base64"},
		"one of them":    {[]any{one, "hunter2"}, nil, "does not begin with whsec_"},
		"not to be read": {"/nowhere/secret", nil, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			var s config.SigningSecrets
			if err := s.UnmarshalTOML(tc.raw); err != nil {
				t.Fatal(err)
			}
			got, err := s.Read()
			if !slices.Equal(got, tc.want) || (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("got %d secrets, %v", len(got), err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
			if s.IsSet() != (len(tc.want) > 0 || tc.fault != "") {
				t.Errorf("it is set: %v", s.IsSet())
			}
		})
	}
	var s config.SigningSecrets
	if s.UnmarshalTOML([]any{1}) == nil || s.UnmarshalTOML(true) == nil {
		t.Error("what is no text is taken for a secret")
	}
}
