// Package power lets the power fail under engines, at any moment of what they do
// to their files, and asks whether everything that was acknowledged is there.
//
// An engine plugs in by a [Kit]. Its [Disk] records what is done to the files of
// a store, and makes of it the images that a power failure may leave: all that was
// synced, and of the rest nothing, everything, or any part. There are two of them:
//
//   - [Log], for engines whose way to their files can be replaced: it is told of
//     each write, sync and deletion.
//   - [Pages], for engines that write through memory maps: it looks at the
//     directory around each sync.
//
// [Fail] lets a [Subject] work on such a disk, makes the images, opens each, and
// has the subject judge it. [Commits] is a subject that commits; another is the
// life of a device, of internal/proof/aftermath.
package power
