#!/bin/sh
# Admin roles only from registered computers; contractors need a ticket.
exec jq --slurpfile facts "$(dirname "$0")/facts.json" '
  $facts[0] as $facts | .request | .user as $user |
  if any(.roles[]; contains("admin")) and all($facts.registered[]; . != $user) then
    {decision: "deny", reason: "\($user) has no registered computer, which admin roles need"}
  elif any($facts.contractors[]; . == $user) and (.reason | test("\\b[A-Z]+-[0-9]+\\b") | not) then
    {decision: "deny", reason: "contractors name a ticket in the reason, such as INC-204"}
  elif $facts.approve then
    {decision: "approve", reason: "no rule speaks against it"}
  else
    {decision: "none"}
  end'
