// Package npm installs an npm package as a layer of an image, from a lock that pins it and all that
// it depends on.
//
// [Parse] reads a package-lock.json and [Embedded] returns one that samforge carries. An [Install]
// is the package on its way into an image: [Install.Layer] is the step that runs npm. Nothing here
// does I/O.
package npm
