package contract

import (
	"fmt"
	"strings"
)

// The description is stricter than PagerDuty in a few places. Each is named
// here with its reason; everything else is checked to the letter.

// nullable lists properties that PagerDuty sends, or takes, as null while the
// description gives them a type only.
func nullable() []string {
	return []string{
		// Their own texts say "If null, …".
		"components/schemas/Oncall/properties/start",
		"components/schemas/Oncall/properties/end",
		"components/schemas/Incident/allOf/1/properties/resolved_at",
		// "Incidents with child alerts do not have an incident key."
		"components/schemas/Incident/allOf/1/properties/incident_key",
		// Entries that name a user directly have no schedule; incidents need no
		// priority, and PagerDuty's own Go library always sends the key.
		"components/schemas/Oncall/properties/schedule",
		"components/schemas/Incident/allOf/1/properties/priority",
		"paths/~1incidents/post/requestBody/content/application~1json/schema/properties/incident/properties/priority",
	}
}

// undeclared lists properties that PagerDuty takes and sends while the description does
// not declare them.
func undeclared() map[string]map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]map[string]any{
		// It is required, and in the vendor's own example.
		"components/schemas/IncidentBody/properties": {"type": map[string]any{"enum": []any{"incident_body"}}},
		// PagerDuty's own Go library carries the address for the From header in this
		// field of a note and sends it along.
		"paths/~1incidents~1{id}~1notes/post/requestBody/content/application~1json/schema/properties/note/properties": {
			"user": map[string]any{"type": "object", "properties": map[string]any{"summary": text}},
		},
	}
}

// supplement widens the description.
func supplement(tree map[string]any) error {
	for _, at := range nullable() {
		holder, key, err := locate(tree, at)
		if err != nil {
			return err
		}
		holder[key] = map[string]any{"anyOf": []any{holder[key], map[string]any{"type": "null"}}}
	}
	for at, more := range undeclared() {
		holder, key, err := locate(tree, at)
		if err != nil {
			return err
		}
		properties, _ := holder[key].(map[string]any)
		for name, schema := range more {
			properties[name] = schema
		}
	}
	// The text of an incident can be asked for, though only PagerDuty's own tools
	// say so (PagerDuty/pagerduty-mcp-server, issue 65).
	holder, key, err := locate(tree, "components/parameters/include_incident/schema/enum")
	if err != nil {
		return err
	}
	values, _ := holder[key].([]any)
	holder[key] = append(values, "body")
	// The vendor's own example of POST /incidents sends a text.
	if holder, key, err = locate(tree, "components/schemas/IncidentBody/properties/details"); err != nil {
		return err
	}
	holder[key] = map[string]any{"anyOf": []any{holder[key], map[string]any{"type": "string"}}}
	return nil
}

// locate finds the object that holds the last step of a path through the tree;
// "~1" stands for a slash.
func locate(tree map[string]any, path string) (holder map[string]any, key string, err error) {
	steps := strings.Split(path, "/")
	var at any = tree
	for i, step := range steps {
		step = strings.ReplaceAll(step, "~1", "/")
		switch node := at.(type) {
		case map[string]any:
			if i == len(steps)-1 && node[step] != nil {
				return node, step, nil
			}
			at = node[step]
		case []any:
			n := 0
			if _, err := fmt.Sscan(step, &n); err != nil || n >= len(node) {
				return nil, "", fmt.Errorf("PagerDuty's description has no %s", path)
			}
			at = node[n]
		}
	}
	return nil, "", fmt.Errorf("PagerDuty's description has no %s", path)
}
