package child_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/lib/sandbox/child"
)

// TestMain is the program that the tests run as well, told apart by its first
// argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "act-") {
		os.Exit(act(strings.TrimPrefix(os.Args[1], "act-")))
	}
	goleak.VerifyTestMain(m)
}

// act plays a program.
func act(how string) int {
	signals := make(chan os.Signal, 1)
	switch how {
	case "fail":
		return 3
	case "talk":
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr")
		fmt.Println(strings.Repeat("x", 100_000))
		fmt.Print("without an end")
		return 0
	case "polite":
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready")
		<-signals
		fmt.Println("bye")
		return 0
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("ready")
		time.Sleep(time.Hour) // not select: with nothing else to run that is a deadlock
	}
	return 1
}

// program is a child under test with what it said and what became of it.
type program struct {
	*child.Child
	lines, events chan string
	stop          context.CancelFunc
	ended         chan struct{}
}

func run(t *testing.T, how string, change func(*child.Child)) *program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &program{lines: make(chan string, 100), events: make(chan string, 100), stop: stop, ended: make(chan struct{})}
	p.Child = &child.Child{
		Path: os.Args[0], Args: []string{"act-" + how}, Pause: time.Millisecond,
		Output: func(line string) { send(p.lines, line) },
		Event:  func(sentence string) { send(p.events, sentence) },
	}
	if change != nil {
		change(p.Child)
	}
	go func() { defer close(p.ended); p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-p.ended })
	return p
}

// send drops what nobody reads.
func send(c chan string, s string) {
	select {
	case c <- s:
	default:
	}
}

func expect(t *testing.T, from chan string, part string) string {
	t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		select {
		case s := <-from:
			if strings.Contains(s, part) {
				return s
			}
		case <-timeout.C:
			t.Fatalf("nobody said %q", part)
		}
	}
}

func TestOutputComesLineByLine(t *testing.T) {
	p := run(t, "talk", nil)
	seen := make(map[string]bool)
	for !seen["to stdout"] || !seen["to stderr"] || !seen["without an end"] {
		seen[expect(t, p.lines, "")] = true
	}
}

func TestProgramThatEndsIsStartedAgain(t *testing.T) {
	p := run(t, "fail", nil)
	expect(t, p.events, "started with PID")
	expect(t, p.events, "ended (exit status 3); starting it again in 1ms")
	expect(t, p.events, "started with PID")
	expect(t, p.events, "starting it again in 2ms")
	if s := p.Status(); s.Starts < 2 {
		t.Errorf("it was started %d times", s.Starts)
	}
}

func TestPauseGrowsOnlySoFar(t *testing.T) {
	p := run(t, "fail", nil)
	for range 3 {
		expect(t, p.events, "again in 16ms")
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	p := run(t, "", func(c *child.Child) { c.Path = "/nonexistent/program" })
	expect(t, p.events, "no such file")
	expect(t, p.events, "starting it again in 2ms")
	if s := p.Status(); s.PID != 0 || s.Starts != 0 || !strings.Contains(s.LastError, "no such file") {
		t.Errorf("the status is %+v", s)
	}
	if err := p.Kill(); err == nil {
		t.Error("killing what does not run was no error")
	}
}

func TestStopLetsTheProgramFinish(t *testing.T) {
	p := run(t, "polite", nil)
	expect(t, p.lines, "ready")
	if s := p.Status(); s.PID == 0 {
		t.Errorf("the status of a running program is %+v", s)
	}
	p.stop()
	expect(t, p.lines, "bye")
	<-p.ended
	expect(t, p.events, "stopped")
	if s := p.Status(); s.PID != 0 || s.Starts != 1 {
		t.Errorf("the status is %+v", s)
	}
}

func TestStopKillsTheProgramThatDoesNotEnd(t *testing.T) {
	p := run(t, "stubborn", func(c *child.Child) { c.Grace = 20 * time.Millisecond })
	expect(t, p.lines, "ready")
	p.stop()
	<-p.ended
	if s := p.Status(); s.PID != 0 || !strings.Contains(s.LastError, "killed") {
		t.Errorf("the status is %+v", s)
	}
}

func TestStopWhileWaitingToStart(t *testing.T) {
	p := run(t, "fail", func(c *child.Child) { c.Pause = time.Hour })
	expect(t, p.events, "again in 1h")
	p.stop()
	<-p.ended
}

func TestKillIsACrash(t *testing.T) {
	p := run(t, "polite", nil)
	expect(t, p.lines, "ready")
	first := p.Status().PID
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	expect(t, p.events, "ended (signal: killed)")
	expect(t, p.lines, "ready")
	if s := p.Status(); s.PID == first || s.Starts != 2 {
		t.Errorf("the status is %+v", s)
	}
}

// A Ctrl-C at the terminal reaches a whole process group; the program is to get
// the stop signal alone.
func TestProgramHasItsOwnGroup(t *testing.T) {
	p := run(t, "polite", nil)
	expect(t, p.lines, "ready")
	pid := p.Status().PID
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("its process group is %d: %v; its PID is %d", group, err, pid)
	}
}
