package rules

import (
	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of a rule's spec that came after the version of the API that this
// program is built with, and that do not bear on notifications. The numbers are
// those of teleport/accessmonitoringrules/v1/access_monitoring_rules.proto.
const (
	fieldAutomaticReview protowire.Number = 6
	fieldDesiredState    protowire.Number = 7
)

// unknownField returns the number of the first field of a spec whose meaning
// for the plugin is not known, or zero. Schedules are such a field.
func unknownField(spec *rulesv1.AccessMonitoringRuleSpec) protowire.Number {
	rest := spec.ProtoReflect().GetUnknown()
	for len(rest) > 0 {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return 0
		}
		if number != fieldAutomaticReview && number != fieldDesiredState {
			return number
		}
		rest = rest[n:]
	}
	return 0
}
