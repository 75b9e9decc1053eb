package x

import (
	_ "github.com/BurntSushi/toml"
	_ "github.com/PagerDuty/go-pagerduty"
	_ "github.com/agnivade/levenshtein"
	_ "github.com/alecthomas/kingpin/v2"
	_ "github.com/bwmarrin/discordgo"
	_ "github.com/coreos/go-systemd/v22/daemon"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/gravitational/teleport/api/client"
	_ "github.com/gravitational/trace"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/slack-go/slack"
	_ "go.uber.org/goleak"
	_ "go.uber.org/zap"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/time/rate"
)
