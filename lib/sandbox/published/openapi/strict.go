package openapi

import "slices"

// tighten makes all schemas of a description refuse what they do not declare. What has
// the shape of a schema holds others; everything else is looked through for schemas.
func tighten(node any) {
	switch node := node.(type) {
	case map[string]any:
		for key, v := range node {
			switch key {
			case "schema":
				node[key] = closed(v)
			case "schemas":
				each(v, free)
			case "example", "examples":
			default:
				tighten(v)
			}
		}
	case []any:
		for _, v := range node {
			tighten(v)
		}
	}
}

// closed turns the schema of a value. The value may have those members alone that some
// part of the schema declares, however the parts are put together.
func closed(schema any) any {
	node, ok := schema.(map[string]any)
	if !ok {
		return schema // true or false
	}
	if kind, ok := node["type"].(string); ok && kind != "object" {
		return open(node)
	}
	return map[string]any{"allOf": []any{free(node)}, "unevaluatedProperties": false}
}

// free is open for a whole schema, or a choice of one. An object of which nothing more
// is said may have any members.
func free(schema any) any {
	node, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	for _, says := range []string{"properties", "required", "additionalProperties", "allOf", "anyOf", "oneOf"} {
		if node[says] != nil {
			return open(node)
		}
	}
	if node["type"] == "object" {
		node["additionalProperties"] = true
	}
	return open(node)
}

// open turns a schema that may be a part of another one, which declares further
// members: it closes the values within.
func open(schema any) any {
	node, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	nullable(node)
	each(node["properties"], closed)
	for _, key := range []string{"items", "additionalProperties"} {
		if node[key] != nil {
			node[key] = closed(node[key])
		}
	}
	each(node["allOf"], open)
	each(node["anyOf"], free)
	each(node["oneOf"], free)
	return node
}

func each(all any, turn func(any) any) {
	switch all := all.(type) {
	case map[string]any:
		for key, v := range all {
			all[key] = turn(v)
		}
	case []any:
		for i, v := range all {
			all[i] = turn(v)
		}
	}
}

// nullable turns what OpenAPI 3.0 says of null into what JSON Schema, and with it 3.1,
// says: null is one of the types, and one of the values if these are listed. Nothing
// else that changed with 3.1, such as exclusive limits, is in what is read here.
func nullable(node map[string]any) {
	if kind, ok := node["type"].(string); ok && node["nullable"] == true {
		node["type"] = []any{kind, "null"}
		if values, ok := node["enum"].([]any); ok && !slices.Contains(values, nil) {
			node["enum"] = append(values, nil)
		}
	}
	delete(node, "nullable")
}
