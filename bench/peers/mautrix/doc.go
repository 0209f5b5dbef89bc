// Package mautrix is mautrix-go's OlmMachine on its SQL store, as a
// stored.System. The build tag "goolm" chooses the Olm under it, as in
// mautrix-go itself; without it that is libolm. Without the build tag "peers"
// there is nothing here.
package mautrix
