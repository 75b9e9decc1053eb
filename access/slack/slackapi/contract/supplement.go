package contract

// supplement describes the methods that the folder of published references is
// known to lack, as their pages at docs.slack.dev/reference/methods describe
// them. A file in the folder takes the place of the entry here.
func supplement() map[string]reference {
	history := map[string]string{
		"token": "string", "channel": "string", "cursor": "string", "latest": "string", "oldest": "string",
		"limit": "number", "inclusive": "boolean", "include_all_metadata": "boolean",
	}
	replies := map[string]string{"ts": "string"}
	for name, kind := range history {
		replies[name] = kind
	}
	return map[string]reference{
		"conversations.history": described(false, []string{"channel"}, history),
		"conversations.replies": described(false, []string{"channel", "ts"}, replies),
		"conversations.join":    described(true, []string{"channel"}, map[string]string{"token": "string", "channel": "string"}),
		"chat.postEphemeral": described(true, []string{"channel", "user"}, map[string]string{
			"token": "string", "channel": "string", "user": "string", "text": "string", "blocks": "string",
			"attachments": "string", "markdown_text": "string", "thread_ts": "string", "parse": "string",
			"link_names": "boolean", "as_user": "boolean", "username": "string", "icon_emoji": "string", "icon_url": "string",
		}),
		"views.open": described(true, []string{"view"}, map[string]string{
			"token": "string", "view": "string", "trigger_id": "string", "interactivity_pointer": "string",
		}),
	}
}

// described builds a description from the names of the arguments' types.
func described(takesJSON bool, required []string, types map[string]string) reference {
	r := reference{JSON: takesJSON}
	r.Args.Required = required
	r.Args.Properties = make(map[string]property, len(types))
	for name, kind := range types {
		r.Args.Properties[name] = property{Type: kind}
	}
	return r
}
