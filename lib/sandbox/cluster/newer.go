package cluster

import (
	"fmt"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of a request's spec on clusters newer than the pinned API, whose types
// keep them among their unknown ones: request_kind and RequestedResourceAccessIDs.
const (
	requestKindField protowire.Number = 24
	accessIDsField   protowire.Number = 26
	longTerm         uint64           = 2
)

// sentinel is what such a cluster tells older clients of a confined resource.
const sentinel = "__SENTINEL__"

// Confined is a resource to which a request asks for less than full access.
type Confined struct {
	ID types.ResourceID
	// Logins are the SSH logins that are asked for, RoleARNs the AWS roles; one
	// of the two.
	Logins, RoleARNs []string
}

// newerFields writes what only newer clients read. All resources go there as soon
// as one is confined; the old place then holds sentinels.
func newerFields(r *types.AccessRequestV3, p CreateParams) error {
	var b []byte
	if p.LongTerm {
		b = protowire.AppendTag(b, requestKindField, protowire.VarintType)
		b = protowire.AppendVarint(b, longTerm)
	}
	all := p.Confined
	if len(all) > 0 {
		for _, id := range p.Resources {
			all = append(all[:len(all):len(all)], Confined{ID: id})
		}
		r.Spec.RequestedResourceIDs = nil
	}
	for _, c := range all {
		msg, err := c.encode()
		if err != nil {
			return err
		}
		b = appendMessage(b, accessIDsField, msg)
		r.Spec.RequestedResourceIDs = append(r.Spec.RequestedResourceIDs,
			types.ResourceID{ClusterName: sentinel, Kind: c.ID.Kind, Name: sentinel})
	}
	r.Spec.XXX_unrecognized = b
	return nil
}

// encode writes a ResourceAccessID: the id, and constraints of version v1 with
// aws_console (10) or ssh (11).
func (c Confined) encode() ([]byte, error) {
	id, err := c.ID.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding the resource %s: %w", types.ResourceIDToString(c.ID), err)
	}
	msg := appendMessage(nil, 1, id)
	constraints := appendMessage(nil, 1, []byte("v1"))
	switch {
	case len(c.RoleARNs) > 0:
		constraints = appendMessage(constraints, 10, stringList(c.RoleARNs))
	case len(c.Logins) > 0:
		constraints = appendMessage(constraints, 11, stringList(c.Logins))
	default:
		return msg, nil
	}
	return appendMessage(msg, 2, constraints), nil
}

func stringList(list []string) (b []byte) {
	for _, s := range list {
		b = appendMessage(b, 1, []byte(s))
	}
	return b
}

func appendMessage(b []byte, field protowire.Number, msg []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), msg)
}
