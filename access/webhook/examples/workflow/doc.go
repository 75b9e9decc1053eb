// Package workflow holds one approval policy as an endpoint of teleport-webhook in four
// languages: Python, a shell with jq, Go, and Rego for Open Policy Agent.
package workflow

import _ "embed" // for the program

// Python is the policy in Python. It reads facts.json, which holds [Facts], from the folder
// that it is in.
//
//go:embed policy.py
var Python string

// Facts are what the policy goes by beside the request.
type Facts struct {
	// Registered are the users with a registered computer.
	Registered []string `json:"registered"`
	// Contractors are users who need a ticket.
	Contractors []string `json:"contractors"`
	// Approve approves what no rule speaks against; otherwise it is left to people.
	Approve bool `json:"approve"`
}
