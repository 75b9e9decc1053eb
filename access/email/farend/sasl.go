package farend

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5 is made of it
	"encoding/hex"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// username is whom the server knows.
const username = "teleport"

// AuthMechanisms are the ways to log in.
func (s *session) AuthMechanisms() []string {
	if s.d.traits.Ways == nil {
		return []string{"PLAIN", "LOGIN"}
	}
	return s.d.traits.Ways
}

// Auth begins a login.
func (s *session) Auth(way string) (sasl.Server, error) {
	switch way {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return s.enter(user, password) }), nil
	case "LOGIN":
		return &dialogue{ask: []string{"Username:", "Password:"}, judge: func(a []string) error { return s.enter(a[0], a[1]) }}, nil
	case "CRAM-MD5":
		const challenge = "<1896.697170952@mail.example.com>"
		return &dialogue{ask: []string{challenge}, judge: func(a []string) error {
			user, digest, _ := strings.Cut(a[0], " ")
			return s.enter(user, digest, func(password string) string {
				sum := hmac.New(md5.New, []byte(password))
				sum.Write([]byte(challenge))
				return hex.EncodeToString(sum.Sum(nil))
			})
		}}, nil
	case "XOAUTH2":
		return &dialogue{ask: []string{""}, judge: func(a []string) error {
			user, rest, _ := strings.Cut(strings.TrimPrefix(a[0], "user="), "\x01")
			return s.enter(user, strings.TrimSuffix(strings.TrimPrefix(rest, "auth=Bearer "), "\x01\x01"))
		}}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// enter lets somebody in whose password, or what is made of it, is right.
func (s *session) enter(user, proof string, made ...func(password string) string) error {
	return s.meet(stageAuth, user, "", func() error {
		password := s.d.o.taken
		for _, f := range made {
			password = f(password)
		}
		if user != username || proof != password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	})
}

// dialogue is a login by questions and answers.
type dialogue struct {
	ask, said []string
	judge     func(answers []string) error
}

// Next takes an answer, and asks the next question.
func (d *dialogue) Next(answer []byte) (question []byte, done bool, err error) {
	if answer != nil {
		d.said = append(d.said, string(answer))
	}
	if len(d.said) < len(d.ask) {
		return []byte(d.ask[len(d.said)]), false, nil
	}
	return nil, true, d.judge(d.said)
}
