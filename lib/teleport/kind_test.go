package teleport

import (
	"testing"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
)

// What cannot be read of the kind of a request does not make it one that is decided in
// chat: fail closed.
func TestAKindThatIsNotUnderstoodIsNotDecided(t *testing.T) {
	for name, raw := range map[string][]byte{
		"another wire type": protowire.AppendString(protowire.AppendTag(nil, 24, protowire.BytesType), "LONG_TERM"),
		"a kind of later":   protowire.AppendVarint(protowire.AppendTag(nil, 24, protowire.VarintType), 3),
		"broken after it":   append(protowire.AppendVarint(protowire.AppendTag(nil, 24, protowire.VarintType), 2), 0xff),
	} {
		req, err := types.NewAccessRequest("req", "alice", "editor")
		if err != nil {
			t.Fatal(err)
		}
		req.(*types.AccessRequestV3).Spec.XXX_unrecognized = raw
		if KindKnown(req) {
			t.Errorf("%s: it is taken for a request of a known kind", name)
		}
	}
}
