//go:build linux || darwin

package badgerkv_test

import (
	"fmt"

	"github.com/pawlkv/pawl/kv/badgerkv"
)

// hold is a process that has the store open and does nothing.
func hold(dir string) error {
	store, err := badgerkv.Open(dir)
	if err != nil {
		return err
	}
	fmt.Println("open", store.Status().Owner)
	<-untilInputEnds()
	return store.Close()
}

// holdStuck is a process whose syncs begin and never end.
func holdStuck(dir string) error {
	store, err := badgerkv.Open(dir, badgerkv.WithSyncHook(func(string, func() error) error {
		fmt.Println("syncing")
		select {}
	}))
	if err != nil {
		return err
	}
	fmt.Println("open", store.Status().Owner)
	<-untilInputEnds()
	return store.Close()
}
