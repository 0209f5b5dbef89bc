package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
)

// vodozemac is a program of "make peers": each batch of operations is a process.
// Without it there is nothing. close deletes its files.
func vodozemac(ctx context.Context, programs string) (found []contestant, close func() error, err error) {
	program := peer.Find(ctx, programs, "vodozemac")[0]
	if program.Missing != "" {
		return nil, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "pawl-peers-")
	if err != nil {
		return nil, nil, err
	}
	close = func() error { return os.RemoveAll(dir) }
	feed := filepath.Join(dir, "feed.json")
	if err := peer.NewFeed(1, 1).Save(feed); err != nil {
		return nil, close, err
	}
	return []contestant{{name: "vodozemac", spend: func(op operation, n int) (time.Duration, error) {
		o, err := program.Run(ctx, peer.Task{ID: string(op), Dir: dir, Feed: feed, Messages: n})
		return o.Run.CPU, err
	}}}, close, nil
}
