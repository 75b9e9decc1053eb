package teleport

import (
	"errors"
	"slices"
	"strings"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
)

// What clusters newer than the client library say of a request is kept by it
// among the unknown fields of types.AccessRequestSpecV3. Numbers are those of the
// messages AccessRequestSpecV3, ResourceAccessID, ResourceConstraints,
// AWSConsoleResourceConstraints and SSHResourceConstraints.
const (
	requestKindField protowire.Number = 24
	accessIDsField   protowire.Number = 26

	accessIDField          protowire.Number = 1
	accessConstraintsField protowire.Number = 2

	constraintsVersionField protowire.Number = 1
	awsConsoleField         protowire.Number = 10
	sshField                protowire.Number = 11

	roleARNsField protowire.Number = 1
	loginsField   protowire.Number = 1

	// longTerm is AccessRequestKind_LONG_TERM.
	longTerm = 2
	// constraintsVersion is the only version there is.
	constraintsVersion = "v1"
)

// Resource is a requested resource, and what access to it is confined to.
type Resource struct {
	ID types.ResourceID
	// Logins are the only SSH logins, RoleARNs the only AWS roles that are asked
	// for; both empty means all that the roles allow.
	Logins, RoleARNs []string
	// Otherwise says that access is confined in a way that is not known here.
	Otherwise bool
}

// Text writes a resource with what it is confined to, such as
// "node/web-1 (logins: root, ubuntu)". Without a name it is called by its id.
func (r Resource) Text(name string) string {
	text := types.ResourceIDToString(r.ID)
	if name != "" {
		text = r.ID.Kind + "/" + name
	}
	var limits []string
	if len(r.Logins) > 0 {
		limits = append(limits, "logins: "+strings.Join(r.Logins, ", "))
	}
	if len(r.RoleARNs) > 0 {
		limits = append(limits, "role ARNs: "+strings.Join(r.RoleARNs, ", "))
	}
	if r.Otherwise {
		limits = append(limits, "limits that are not shown here")
	}
	if len(limits) == 0 {
		return text
	}
	return text + " (" + strings.Join(limits, "; ") + ")"
}

// Resources returns what a request is for, in the request's order. Newer clusters
// put it elsewhere as soon as one resource is confined, and a placeholder in the
// place that older clients read. What cannot be understood there counts as absent.
func Resources(req types.AccessRequest) []Resource {
	if found, ok := newerResources(unknownFields(req)); ok {
		return found
	}
	var plain []Resource
	for _, id := range req.GetRequestedResourceIDs() {
		plain = append(plain, Resource{ID: id})
	}
	return plain
}

// ResourceTexts returns the texts of the requested resources, sorted; see
// [Resource.Text]. names holds names by [types.ResourceIDToString], and may be nil.
func ResourceTexts(resources []Resource, names map[string]string) []string {
	var texts []string
	for _, r := range resources {
		texts = append(texts, r.Text(names[types.ResourceIDToString(r.ID)]))
	}
	slices.Sort(texts)
	return texts
}

// IsLongTerm reports that a request asks for access that stays, by way of an
// access list. Older clusters have no such requests.
func IsLongTerm(req types.AccessRequest) bool {
	kind, ok := requestKind(req)
	return ok && kind == longTerm
}

// KindKnown reports whether it is understood of what kind a request is. One that is
// not may be decided in Teleport alone.
func KindKnown(req types.AccessRequest) bool {
	kind, ok := requestKind(req)
	return ok && kind <= longTerm
}

// requestKind is the kind of a request, zero where the cluster says nothing of it. It
// is false if what the cluster says cannot be read.
func requestKind(req types.AccessRequest) (kind uint64, ok bool) {
	err := eachField(unknownFields(req), func(n protowire.Number, t protowire.Type, v []byte) error {
		switch {
		case n != requestKindField:
			return nil
		case t != protowire.VarintType:
			return errNotUnderstood
		}
		kind, _ = protowire.ConsumeVarint(v)
		return nil
	})
	return kind, err == nil
}

func unknownFields(req types.AccessRequest) []byte {
	if r, ok := req.(*types.AccessRequestV3); ok {
		return r.Spec.XXX_unrecognized
	}
	return nil
}

var errNotUnderstood = errors.New("not understood")

// newerResources reads RequestedResourceAccessIDs. ok is false where there are
// none, or one is not understood: half of a list would hide what is asked for.
func newerResources(spec []byte) (found []Resource, ok bool) {
	err := eachField(spec, func(n protowire.Number, t protowire.Type, v []byte) error {
		if n != accessIDsField {
			return nil
		}
		if t != protowire.BytesType {
			return errNotUnderstood
		}
		r, err := newerResource(v)
		found = append(found, r)
		return err
	})
	return found, err == nil && len(found) > 0
}

func newerResource(msg []byte) (r Resource, err error) {
	err = eachField(msg, func(n protowire.Number, t protowire.Type, v []byte) error {
		switch {
		case n == accessIDField && t == protowire.BytesType:
			return r.ID.Unmarshal(v)
		case n == accessConstraintsField && t == protowire.BytesType:
			return r.confine(v)
		case n == accessIDField, n == accessConstraintsField:
			return errNotUnderstood
		}
		return nil
	})
	if err == nil && (r.ID.Kind == "" || r.ID.Name == "") {
		err = errNotUnderstood
	}
	return r, err
}

// confine reads ResourceConstraints. Whatever is there and not understood counts:
// nobody is to take confined access for full access.
func (r *Resource) confine(msg []byte) error {
	version, details := "", 0
	err := eachField(msg, func(n protowire.Number, t protowire.Type, v []byte) (err error) {
		if n == constraintsVersionField && t == protowire.BytesType {
			version = string(v)
			return nil
		}
		details++
		switch {
		case n == awsConsoleField && t == protowire.BytesType:
			r.RoleARNs, err = texts(v, roleARNsField)
		case n == sshField && t == protowire.BytesType:
			r.Logins, err = texts(v, loginsField)
		}
		return err
	})
	understood := version == constraintsVersion && details == 1 && len(r.RoleARNs)+len(r.Logins) > 0
	r.Otherwise = details > 0 && !understood
	return err
}

// texts returns the values of a repeated string.
func texts(msg []byte, field protowire.Number) (list []string, err error) {
	err = eachField(msg, func(n protowire.Number, t protowire.Type, v []byte) error {
		if n != field {
			return nil
		}
		if t != protowire.BytesType {
			return errNotUnderstood
		}
		list = append(list, strings.ToValidUTF8(string(v), "\uFFFD"))
		return nil
	})
	return list, err
}

// eachField calls fn with each field of a message: the bytes of one with a length,
// and the encoded value of others. It returns the first error of fn.
func eachField(msg []byte, fn func(protowire.Number, protowire.Type, []byte) error) error {
	for len(msg) > 0 {
		number, wire, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return errNotUnderstood
		}
		msg = msg[n:]
		if n = protowire.ConsumeFieldValue(number, wire, msg); n < 0 {
			return errNotUnderstood
		}
		value := msg[:n]
		if wire == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := fn(number, wire, value); err != nil {
			return err
		}
		msg = msg[n:]
	}
	return nil
}
