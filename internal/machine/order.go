package machine

import (
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

const places = record.Places

// Every record that one commit changes has its place.
const _ = uint(places - MostPerCommit)

// Moment returns when that happens what a transaction does with an account of
// format 2: the place-th thing that it does, from 0. See docs/format.md for why
// its order is that of the store.
func (a *Account) Moment(tx *txn.Tx, v account.Account, place int) (record.Moment, error) {
	version, err := tx.Version()
	if err != nil {
		return record.Moment{}, err
	}
	base := v.Lineage().Base
	if place < 0 || place >= places || base > account.MaxBase {
		return record.Moment{}, fmt.Errorf("pawl: the order of place %d after %d", place, base)
	}
	order := (base+uint64(version))*places + uint64(place)
	return record.Moment{Time: a.Store.Now(), Order: record.Order(max(order, 1))}, nil
}
