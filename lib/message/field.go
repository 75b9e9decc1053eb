package message

import "time"

// Key says which field it is, whatever its label is for people.
type Key int

// The fields of an announcement. A FieldRole holds one role, and goes on with its
// FieldLogins; a FieldRoles holds all of them.
const (
	FieldID Key = iota + 1
	FieldCluster
	FieldUser
	FieldRole
	FieldLogins
	FieldRoles
	FieldResources
	FieldType
	FieldReason
	FieldReviewers
	FieldStarts
	FieldDuration
	FieldEnds
	FieldExpires
	FieldLink
	FieldApprove
	FieldDeny
)

// Kind says how a field's value is to be shown.
type Kind int

// The kinds of value.
const (
	Plain   Kind = iota // running text
	Code                // short text in a fixed font
	Block               // text of several lines in a fixed font
	Address             // a web address
	Moment              // a point in time, shown in the reader's own time zone
)

// Field is one line of an announcement.
type Field struct {
	Key   Key
	Label string
	Kind  Kind
	Text  string
	Time  time.Time
	// Also continues the line with a second label and value.
	Also *Field
}
