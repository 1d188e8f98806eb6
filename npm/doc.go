// Package npm installs an npm package as a layer of an image, from a lock that pins it and all its
// dependencies.
//
// [Parse] reads a package-lock.json and [Embedded] returns one that samforge carries. An [Install]
// describes the installed package, and [Install.Layer] is the step that runs npm. Nothing here does
// I/O.
package npm
