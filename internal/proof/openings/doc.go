// Package openings tries how the engines open a store when its files, or the
// system, are not as they should be: what loses nothing heals, and else there is
// one error of a kind of package kv.
package openings
