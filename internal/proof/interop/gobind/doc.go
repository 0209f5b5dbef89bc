// Package gobind has gobind make classes for Java and Objective-C of package mobile, and
// type-checks the Go side of what comes of it, for Android and for iOS. What is C in it
// needs the NDK or Xcode, and is not looked at.
package gobind

import (
	_ "golang.org/x/mobile/bind/seq" // which the Go side is built on

	_ "github.com/pawlkv/pawl/mobile"
)
