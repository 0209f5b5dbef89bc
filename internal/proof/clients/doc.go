// Package clients tests Pawl as a whole client, in processes of its own, beside
// clients of other make, on the homeserver of package hs.
package clients
