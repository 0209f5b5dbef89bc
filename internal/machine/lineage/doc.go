// Package lineage is about which store is the newest of a device, and whose
// the account is: comparing a store with its witness, recovering an account
// whose store went back in time, and moving accounts to another store.
package lineage
