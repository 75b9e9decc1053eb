package e2e_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
)

// configSetUps are those with a config that is no good.
func configSetUps() []setUp {
	// ends is a row in which both commands say the same of the config.
	ends := func(name, sentence string, spoil func(s *site)) setUp {
		return setUp{name: name, spoil: spoil, check: []string{"FAIL  config " + sentence}, start: []string{"ERROR  " + sentence}}
	}
	text := func(change func(text string) string) func(s *site) { return func(s *site) { s.raw = change } }
	const file = "{dir}/config.toml"
	return []setUp{
		ends("no config", file+": there is no such file; write one with the configure command or give its path with --config", func(s *site) { s.path = s.beside("config.toml"); s.must(os.Symlink("/nonexistent", s.path)) }),
		ends("a folder in place of the config", file+": this is a folder, not a file; give the path of a file with --config", func(s *site) { s.must(os.Mkdir(s.path, 0o700)) }),
		ends("a pipe in place of the config", file+": this is a pipe, and nobody writes into it; give the path of a file with --config", func(s *site) { s.must(syscall.Mkfifo(s.path, 0o600)) }),
		ends("a config that is not UTF-8", file+":1: this is not TOML: …; correct the line; strings need quotes, and so do keys with anything but letters, digits, - and _", text(func(t string) string { return "# caf\xe9\n" + t })),
		ends("a config in UTF-16", file+":…: this is not TOML: …; correct the line; strings need quotes, and so do keys with anything but letters, digits, - and _", text(func(t string) string {
			return "\xff\xfe" + strings.Join(strings.Split(t, ""), "\x00") + "\x00"
		})),
		ends("the same key twice", file+":…: log.output: this is not TOML: Key 'log.output' has already been defined; correct the line; strings need quotes, and so do keys with anything but letters, digits, - and _", text(func(t string) string {
			return "[log]\noutput = \"stderr\"\noutput = \"stdout\"\n" + t
		})),
		ends("a string without quotes", file+":2: log.severity: this is not TOML: …; correct the line; strings need quotes, and so do keys with anything but letters, digits, - and _", text(func(t string) string {
			return "[log]\nseverity = debug\n" + t
		})),
		ends("a value of the wrong type", file+`:2: log.severity: this is a whole number, not a string; write the value in quotes, as in "value"`, text(func(t string) string {
			return "[log]\nseverity = 7\n" + t
		})),
		ends("a value that is not known", file+`:2: log.severity: "loud" is not a known severity; write one of trace, debug, info, warn, error`, text(func(t string) string {
			return "[log]\nseverity = \"loud\"\n" + t
		})),
		{
			name: "a key that is not known", spoil: text(func(t string) string { return "[log]\nseveritty = \"debug\"\n" + t }), stays: true,
			check: []string{"FAIL  config " + file + ":2: log.severitty: this key is unknown and has no effect; did you mean log.severity"},
			start: []string{"WARN   " + file + ":2: log.severitty: this key is unknown and has no effect; did you mean log.severity"},
		},
		{
			name: "a config that everybody may write", stays: true, spoil: func(s *site) {
				s.write()
				s.must(os.Chmod(s.path, 0o602))
			},
			check: []string{"FAIL  config " + file + ": every user of this machine can write this file; take the permission away with chmod o-w"},
			start: []string{"ERROR  " + file + ": every user of this machine can write this file; take the permission away with chmod o-w"},
		},
		{
			name: "an identity that everybody may read", stays: true, spoil: func(s *site) { s.must(os.Chmod(s.beside("identity"), 0o644)) },
			check: []string{`note  config ` + file + `:…: teleport.identity: every user of this machine can read the identity file "{dir}/identity"; take the permission away with chmod o-r`},
			start: []string{`WARN   ` + file + `:…: teleport.identity: every user of this machine can read the identity file "{dir}/identity"; take the permission away with chmod o-r`},
		},
		{
			name: "the config of another plugin", spoil: func(s *site) { s.anothers() },
			check: []string{"FAIL  config " + file + ":…: {other}: this key is unknown and has no effect; remove it, or see whether this is the config of another plugin", several + "FAIL  config " + file + ":…{name}.…: …"},
			start: []string{"WARN   " + file + ":…: {other}: this key is unknown and has no effect; remove it, or see whether this is the config of another plugin", several + "ERROR  " + file + ":…{name}.…: …"},
		},
		{
			name: "a port for health that is taken", spoil: func(s *site) { s.startArgs = []string{"--diag-addr", s.Cluster.Addr()} },
			start: []string{`ERROR  health and metrics cannot be served on "{addr}": another process uses the port already; choose another one with --diag-addr`},
		},
		{
			name: "an address for health that this machine does not have", spoil: func(s *site) { s.startArgs = []string{"--diag-addr", "192.0.2.1:9"} },
			start: []string{`ERROR  health and metrics cannot be served on "192.0.2.1:9": this machine does not have the address; write one that it has with --diag-addr, as in 127.0.0.1:8085`},
		},
		{
			name: "a flag that is not known", spoil: func(s *site) { s.args = []string{"--verbose"} },
			check: []string{"ERROR  unknown long flag '--verbose'; see teleport-{name} --help …"},
			start: []string{"ERROR  unknown long flag '--verbose'; see teleport-{name} --help"},
		},
		{
			name: "a switch in the environment that is none", spoil: func(s *site) { s.env = []string{"TELEPORT_PLUGIN_FAIL_FAST=perhaps"} },
			check: []string{`FAIL  the environment variable TELEPORT_PLUGIN_FAIL_FAST is "perhaps"; set it to true or false, or remove it`},
			start: []string{`ERROR  the environment variable TELEPORT_PLUGIN_FAIL_FAST is "perhaps"; set it to true or false, or remove it`},
		},
	}
}

// anothers puts the section of another service in the place of the own one.
func (s *site) anothers() {
	names := sectioned()
	other := names[(slices.Index(names, s.service.Name)+1)%len(names)]
	s.tree[other] = s.own()
	delete(s.tree, s.service.Name)
	s.stands("other", other)
}

// fileSetUps are those with a log that cannot be opened.
func fileSetUps() []setUp {
	log := func(name, why string, spoil func(s *site, path string)) setUp {
		return setUp{
			name: name, stays: true,
			spoil: func(s *site) {
				path := s.beside("plugin.log")
				spoil(s, path)
				s.stands("log", path)
				s.tree["log"] = map[string]any{"output": path}
			},
			check: []string{"FAIL  log to {log}: the log file " + why},
			start: []string{`ERROR  The log file cannot be opened; the log goes to stderr file:{log} error:"the log file ` + why + `"`},
			ready: "note   log: the log file " + why + ", so that the log goes to stderr; correct that and reload",
		}
	}
	return []setUp{
		log("a folder in place of the log", "is a folder, not a file", func(s *site, path string) { s.must(os.Mkdir(path, 0o700)) }),
		log("a log that is a pipe", "is a pipe, and nobody reads it", func(s *site, path string) { s.must(syscall.Mkfifo(path, 0o600)) }),
		{
			name: "a log in a folder that does not exist", stays: true,
			spoil: func(s *site) { s.tree["log"] = map[string]any{"output": s.beside("none/plugin.log")} },
			check: []string{"FAIL  log to {dir}/none/plugin.log: the log file cannot be made, since its folder does not exist"},
			start: []string{`ERROR  The log file cannot be opened; the log goes to stderr file:{dir}/none/plugin.log error:"the log file cannot be made, since its folder does not exist"`},
		},
	}
}
