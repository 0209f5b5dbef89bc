package idbkv_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

// These tests run in a browser: internal/proof/web starts one.

// patience is for machines that are busy: nothing here is frozen.
const patience = 30 * time.Second

// fewIDs lets IDs expire soon.
const fewIDs = 64

// anyName returns the name of a database that there is none of.
func anyName(testing.TB) string { return rand.Text() }

// openTo opens a store that the suite closes.
func openTo(t testing.TB, name string) kv.Store {
	t.Helper()
	store, err := idbkv.Open(context.Background(), name, idbkv.WithCommitIDs(fewIDs), idbkv.WithWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestConformance(t *testing.T) {
	txns := 60
	if testing.Short() {
		txns = 20
	}
	kvtest.Run(t, func(t testing.TB) kv.Store { return openTo(t, anyName(t)) },
		kvtest.CommitIDs(fewIDs), kvtest.Patience(2*time.Minute), kvtest.Transactions(txns))
}

func TestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, openTo, kvtest.CommitIDs(fewIDs), kvtest.Directories(anyName))
}

// TestConformanceShared: several stores on one database, as in several tabs.
func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, openTo, kvtest.Directories(anyName))
}
