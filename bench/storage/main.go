package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	config := Config{Out: os.Stdout}
	flag.StringVar(&config.Dir, "dir", os.TempDir(), "a directory on the disk to measure")
	flag.IntVar(&config.Rounds, "rounds", 7, "runs of each case")
	flag.DurationVar(&config.Duration, "duration", 500*time.Millisecond, "of a run")
	flag.IntVar(&config.Sessions, "sessions", 100_000, "in the store whose opening is timed")
	flag.IntVar(&config.Value, "value", 500, "bytes of a value")
	flag.BoolVar(&config.Million, "million", false, "measure the memory of a store of 1,000,000 sessions instead")
	processes := flag.Bool("processes", false, "measure processes that share a store instead")
	flag.BoolVar(&config.JSON, "json", false, "print JSON")
	reader := flag.String("read-store", "", "read a store at random and print the memory in use (what --million runs in a process of its own)")
	client := flag.String("client", "", "open a store and do what standard input says (what --processes runs in processes of their own)")
	name := flag.String("key", "", "the key that a client uses")
	flag.Parse()

	err := error(nil)
	switch {
	case *reader != "":
		err = ReadStore(*reader, config.Duration, config.Out)
	case *client != "":
		err = serveClient(*client, *name, config)
	case *processes:
		err = RunProcesses(config)
	case config.Million:
		err = RunMillion(config)
	default:
		err = Run(config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "storage:", err)
		os.Exit(1)
	}
}
