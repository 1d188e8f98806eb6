// Package llbgen turns a build file into BuildKit graphs.
//
// It is pure: [Load] reads a build file and the build arguments into a [Plan], a plan lists its
// [Target]s, and [Plan.Build] expresses one target for one platform as an [llb.State] with the
// image config that belongs to it. What needs I/O comes in as a function of [Options].
//
// Read sam.go first: it is the recipe.
package llbgen
