package slackapi

// methods lists what the sandbox answers. The scopes, the required arguments
// and whether JSON is taken are those of Slack's method reference (where it does
// not say that JSON is taken, it is not).
func methods() map[string]method {
	return map[string]method{
		"auth.test":             {do: (*Server).authTest, json: true},
		"team.info":             {do: (*Server).teamInfo, json: true, scopes: []string{"team:read"}},
		"apps.connections.open": {do: (*Server).openConnection, json: true, app: true},
		"views.open":            {do: (*Server).openView, json: true, required: []string{"view"}},

		"chat.postMessage":   {do: (*Server).postMessage, json: true, scopes: []string{"chat:write"}, required: []string{"channel"}},
		"chat.update":        {do: (*Server).updateMessage, json: true, scopes: []string{"chat:write"}, required: []string{"channel", "ts"}},
		"chat.delete":        {do: (*Server).deleteMessage, json: true, scopes: []string{"chat:write"}, required: []string{"channel", "ts"}},
		"chat.postEphemeral": {do: (*Server).postEphemeral, json: true, scopes: []string{"chat:write"}, required: []string{"channel", "user"}},
		"chat.getPermalink":  {do: (*Server).getPermalink, required: []string{"channel", "message_ts"}},

		"users.lookupByEmail": {do: (*Server).lookupByEmail, scopes: []string{"users:read.email"}, required: []string{"email"}},
		"users.info":          {do: (*Server).usersInfo, scopes: []string{"users:read"}, required: []string{"user"}},
		"usergroups.list":     {do: (*Server).usergroupsList, scopes: []string{"usergroups:read"}},

		"conversations.open":    {do: (*Server).conversationsOpen, json: true, scopes: []string{"channels:manage", "groups:write", "im:write", "mpim:write"}},
		"conversations.join":    {do: (*Server).conversationsJoin, json: true, scopes: []string{"channels:join"}, required: []string{"channel"}},
		"conversations.info":    {do: (*Server).conversationsInfo, scopes: everyKind("read"), required: []string{"channel"}},
		"conversations.list":    {do: (*Server).conversationsList, scopes: everyKind("read")},
		"conversations.members": {do: (*Server).conversationsMembers, scopes: everyKind("read"), required: []string{"channel"}},
		"conversations.history": {do: (*Server).conversationsHistory, scopes: everyKind("history"), required: []string{"channel"}},
		"conversations.replies": {do: (*Server).conversationsReplies, scopes: everyKind("history"), required: []string{"channel", "ts"}},
	}
}

// everyKind is a right for each kind of conversation.
func everyKind(right string) []string {
	return []string{"channels:" + right, "groups:" + right, "im:" + right, "mpim:" + right}
}

// scopeOf is the scope that gives the right for one kind of conversation.
func scopeOf(k Kind, right string) string {
	switch k {
	case Private:
		return "groups:" + right
	case DM:
		return "im:" + right
	case GroupDM:
		return "mpim:" + right
	default:
		return "channels:" + right
	}
}
