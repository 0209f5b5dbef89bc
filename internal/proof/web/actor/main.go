//go:build js

// Command actor runs in a page, a worker or a service worker, and does what a test tells
// it. It says "ok", with what came of it, or the code of an error. With the argument
// "history" it makes random transactions instead.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/remote"
	"github.com/pawlkv/pawl/internal/proof/web/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
)

func main() {
	if os.Args[1] != "history" {
		fmt.Println(act(os.Args[1]))
		os.Exit(1)
	}
	if err := history(os.Args[2:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// actor has one store open, and at most one turn.
type actor struct {
	id    string
	store *idbkv.Store
	turn  kv.Turn
	let   func() // lets go of what hold holds

	pawl    *pawl.Store
	machine *pawl.Machine
	here    *remote.Here // the same, by its calls
	counter *counter
}

// act does one step after the other, each in a goroutine of its own, until the server of
// the test is gone.
func act(id string) error {
	a, instance := &actor{id: id}, rand.Text()
	for {
		var step calls.Step
		if err := exchange("/step", id, calls.Poll{Instance: instance}, &step); err != nil {
			return err
		}
		go func() {
			said := a.do(step.What, step.Args)
			if err := exchange("/did", id, calls.Did{Number: step.Number, Said: said}, nil); err != nil {
				fmt.Println(err)
			}
		}()
	}
}

// exchange asks the server of the test something.
func exchange(path, id string, say, hear any) error {
	body, err := json.Marshal(say)
	if err != nil {
		return err
	}
	answer, err := http.Post(os.Getenv("PAWL_ORIGIN")+path+"?id="+url.QueryEscape(id), "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	if hear == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(hear)
}

func (a *actor) do(what string, args []string) string {
	step, known := steps[what]
	if !known {
		return "no such step"
	}
	said, err := step(a, context.Background(), args)
	if err != nil {
		fmt.Printf("%s %q: %v\n", what, args, err)
		return string(pawl.CodeOf(err))
	}
	return strings.TrimSpace("ok " + said)
}
