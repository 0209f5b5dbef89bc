package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// client is a process that has the store open, and does what it is told.
type client struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// newClient starts a process and returns when it has the store open.
func newClient(path string, number int, config Config) (*client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "--client", path, "--key", key(number),
		"--duration", config.Duration.String(), "--value", fmt.Sprint(config.Value))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &client{cmd: cmd, in: in, out: json.NewDecoder(out)}
	if _, err := c.sample(); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

func (c *client) sample() (s Sample, err error) {
	return s, c.out.Decode(&s)
}

// together lets clients do the same at the same time: their rates add up, and
// of their times the median is taken.
func together(clients []*client, what string) (Sample, error) {
	for _, c := range clients {
		if err := json.NewEncoder(c.in).Encode(what); err != nil {
			return Sample{}, err
		}
	}
	var all Sample
	var p50, p99 []time.Duration
	for _, c := range clients {
		s, err := c.sample()
		if err != nil {
			return Sample{}, err
		}
		all.Rate += s.Rate
		p50, p99 = append(p50, s.P50), append(p99, s.P99)
	}
	all.P50, all.P99 = median(p50), median(p99)
	return all, nil
}

// finish lets the process end.
func (c *client) finish() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

// kill ends the process at once.
func (c *client) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = c.cmd.Wait() // says that it was killed
	return nil
}
