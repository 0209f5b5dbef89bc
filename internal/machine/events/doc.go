// Package events tells what any process has stored: it wakes those who wait for a
// room key, and streams what has changed.
//
// Both rest on kv.Store.Watch, which names keys and nothing else. Names of records
// are blinded, so who waits asks for the key of the record that it waits for, and a
// stream reads the record, which has its own name.
package events
