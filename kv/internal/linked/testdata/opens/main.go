// Command opens opens a store of an engine, and closes it: a program of somebody
// else, built with what go.mod says there. Usage: opens ENGINE PATH [UNPROVEN]
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("opened")
}

func run(engine, path string, unproven []string) error {
	var store kv.Store
	var err error
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if engine == "badger" {
		store, err = badgerkv.Open(path, badgerkv.WithUnproven(unproven...), badgerkv.WithLogger(logger))
	} else {
		store, err = sqlitekv.Open(path, sqlitekv.WithUnproven(unproven...), sqlitekv.WithLogger(logger))
	}
	if err != nil {
		return err
	}
	return store.Close()
}
