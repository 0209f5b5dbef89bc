package peer

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/bench/result"
)

// Bench is an entry and how to run it once.
type Bench struct {
	Entry
	Measure func(context.Context, Task) (Outcome, error)
}

// ErrUsage: the arguments are not those of the protocol.
var ErrUsage = errors.New("usage: PROGRAM list | PROGRAM run ID -dir DIR -feed FILE -messages N")

// Serve is a program's side of the protocol: it does what the arguments
// say and prints the answer.
func Serve(ctx context.Context, w io.Writer, args []string, versions []result.Version, benches []Bench) error {
	switch {
	case len(args) == 1 && args[0] == "list":
		c := Catalog{Protocol: Protocol, Versions: versions}
		for _, b := range benches {
			c.Entries = append(c.Entries, b.Entry)
		}
		return json.NewEncoder(w).Encode(c)
	case len(args) > 2 && args[0] == "run":
		t, err := parseTask(args[1:])
		if err != nil {
			return err
		}
		return run(ctx, w, t, benches)
	}
	return ErrUsage
}

func parseTask(args []string) (Task, error) {
	t := Task{ID: args[0]}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&t.Dir, "dir", "", "")
	flags.StringVar(&t.Feed, "feed", "", "")
	flags.IntVar(&t.Messages, "messages", 0, "")
	if err := flags.Parse(args[1:]); err != nil {
		return t, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if t.Dir == "" || t.Feed == "" || t.Messages < 1 || flags.NArg() > 0 {
		return t, ErrUsage
	}
	return t, nil
}

func run(ctx context.Context, w io.Writer, t Task, benches []Bench) error {
	for _, b := range benches {
		if b.ID != t.ID || b.Measure == nil {
			continue
		}
		o, err := b.Measure(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.ID, err)
		}
		return json.NewEncoder(w).Encode(o)
	}
	return fmt.Errorf("%w: there is no %q to run", ErrUsage, t.ID)
}

// args are those of Serve.
func (t Task) args() []string {
	return []string{"run", t.ID, "-dir", t.Dir, "-feed", t.Feed, "-messages", fmt.Sprint(t.Messages)}
}
