package txn_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// Account is a record of the example. It knows its name.
type Account struct {
	Owner   string
	Balance int
}

var accounts = txn.Record[string, Account]{
	Kind:  "account",
	Codec: txn.Msgpack[Account](1),
	Name:  func(a Account) string { return a.Owner },
	Path:  func(owner string) txn.Path { return txn.PathOf(owner) },
}

var errTooLittle = errors.New("too little")

// give may run more than once, so it touches nothing but tx. It returns
// what the sender has left.
func give(tx *txn.Tx, from, to string, amount int) (int, error) {
	// One round trip for both, if they are not known yet.
	found, err := accounts.GetAll(tx, from, to)
	if err != nil {
		return 0, err
	}
	left := found[0].Value.Balance - amount
	if left < 0 {
		return 0, errTooLittle // nothing is written, and the balance is checked to be current
	}
	if err := accounts.Put(tx, Account{from, left}); err != nil {
		return 0, err
	}
	return left, accounts.Put(tx, Account{to, found[1].Value.Balance + amount})
}

func Example() {
	ctx := context.Background()
	store := memkv.New() // or a store in files, of package badgerkv or sqlitekv
	defer store.Close()
	// Plaintext hides nothing: package seal has what a program gives here.
	db := txn.New(store, txn.WithSealer(txn.Plaintext))

	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (struct{}, error) {
		return struct{}{}, accounts.Put(tx, Account{"alice", 10})
	})
	fmt.Println("opened:", err)

	left, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return give(tx, "alice", "bob", 7) })
	fmt.Println("left after the first transfer:", left, err)

	_, err = txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return give(tx, "alice", "bob", 7) })
	fmt.Println("the second transfer:", err)

	total, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		total := 0
		for a, err := range accounts.Scan(tx) {
			if err != nil {
				return 0, err
			}
			total += a.Balance
		}
		return total, nil
	})
	fmt.Println("in all:", total, err)
	// Output:
	// opened: <nil>
	// left after the first transfer: 3 <nil>
	// the second transfer: too little
	// in all: 10 <nil>
}

// What must happen once, and only if the writes are stored, waits for the
// commit: the function itself may run again.
func ExampleTx_OnCommit() {
	ctx := context.Background()
	store := memkv.New()
	defer store.Close()
	db := txn.New(store, txn.WithSealer(txn.Plaintext))
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (struct{}, error) {
		tx.OnCommit(func() { fmt.Println("carol is told") })
		return struct{}{}, accounts.Put(tx, Account{"carol", 1})
	})
	fmt.Println("stored:", err)
	// Output:
	// carol is told
	// stored: <nil>
}
