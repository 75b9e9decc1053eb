#!/usr/bin/env python3
"""Admin roles only from registered computers; contractors need a ticket."""
import json, pathlib, re, sys

facts = json.loads(pathlib.Path(__file__).with_name("facts.json").read_text())


def decide(user, roles, reason):
    if any("admin" in role for role in roles) and user not in facts["registered"]:
        return "deny", f"{user} has no registered computer, which admin roles need"
    if user in facts["contractors"] and not re.search(r"\b[A-Z]+-[0-9]+\b", reason):
        return "deny", "contractors name a ticket in the reason, such as INC-204"
    if facts["approve"]:
        return "approve", "no rule speaks against it"
    return "none", ""


request = json.load(sys.stdin)["request"]
decision, why = decide(request["user"], request["roles"], request["reason"])
json.dump({"decision": decision, "reason": why}, sys.stdout)
