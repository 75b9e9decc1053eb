# Admin roles only from registered computers; contractors need a ticket.
package teleport

import rego.v1

default decision := {"decision": "none"}

decision := {"decision": "deny", "reason": reason} if {
	reason := min(denials)
} else := {"decision": "approve", "reason": "no rule speaks against it"} if {
	data.facts.approve
}

denials contains reason if {
	some role in input.request.roles
	contains(role, "admin")
	not input.request.user in data.facts.registered
	reason := sprintf("%s has no registered computer, which admin roles need", [input.request.user])
}

denials contains "contractors name a ticket in the reason, such as INC-204" if {
	input.request.user in data.facts.contractors
	not regex.match(`\b[A-Z]+-[0-9]+\b`, input.request.reason)
}
