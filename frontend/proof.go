package frontend

import (
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"

	"github.com/samforge/samforge/llbgen"
)

// A check that reads a layer must not run again for a layer from an imported cache, because the
// builder would pull the layer for it. The check must not be left out either: BuildKit does not say
// whether a layer came from a cache or was just built. So the cache itself keeps a proof that the
// check passed.
//
// A proof is a step of the graph that depends on what was checked. It is exported with the image,
// so every cache of the image has it. A builder can make a step, but it cannot say whether it knows
// one. So a proof has two forms with the same key in every cache: one that can be made, and one
// that can only be found.
//
// Both merge the difference between two notes with the same content. In the form that can only be
// found the two are the same note. There is no difference and nothing to merge: the solve fails,
// but no step does, and BuildKit keeps no result. In the form that can be made, the second note is
// written anew.

// A proofForm says what a proof is for.
type proofForm int

const (
	toFind proofForm = iota
	toMake
	// toKeep is found like toFind, but in steps of its own: a build that has failed to find a proof
	// would not find it afterwards by the same steps.
	toKeep
)

// proof returns the proof that a check passed for some states. It is a step that returns the first
// of them, so a cache that has this state's layer can have the proof too.
//
// An image has one proof. An inline cache has steps of the same kind in any order, so with two
// proofs the same image could have two digests.
func proof(check string, form proofForm, of ...llb.State) llb.State {
	var opts []llb.ConstraintsOpt
	if form == toKeep {
		opts = append(opts, llb.Require("samforge==kept")) // part of a step, but not of its key
	}
	first := note(check, of, opts...)
	second, compared := first, opts
	if form == toMake {
		second = note(check, of, llb.IgnoreCache, llb.Require("samforge==anew"))
		compared = []llb.ConstraintsOpt{llb.IgnoreCache}
	}
	d := llb.Diff(first, second, append(hidden("compare notes"), compared...)...)
	merged := llb.Merge([]llb.State{d, d}, append(hidden("merge the difference"), compared...)...)
	// Concurrent builds make the proof itself once, because an inline cache contains its time.
	return requires("proof", of[0], []llb.State{merged}, append(hidden("proof"), opts...))
}

// note returns a file about a check. It depends on the states that were checked.
func note(check string, of []llb.State, opts ...llb.ConstraintsOpt) llb.State {
	file := llb.Mkfile("/note", 0o644, []byte(check), llb.WithCreatedTime(llbgen.DefaultEpoch()))
	written := llb.Scratch().File(file, append(hidden("write a note"), opts...)...)
	return requires("note", written, of, append(hidden("tie the note to what was checked"), opts...))
}

// requires returns state as a step that depends on other states too.
func requires(id string, state llb.State, others []llb.State, opts []llb.ConstraintsOpt) llb.State {
	inputs := []llb.PassthroughInput{{State: state, Output: true}}
	for _, other := range others {
		inputs = append(inputs, llb.PassthroughInput{State: other})
	}
	return llb.NewPassthrough(id, inputs, opts...)
}

// hidden names a step that progress displays do not show, because its group is weak.
func hidden(name string) []llb.ConstraintsOpt {
	return []llb.ConstraintsOpt{
		llb.WithCustomName("[internal] " + name),
		llb.ProgressGroup("samforge-proofs", "look for proofs of checks", true),
	}
}

// impossibleProof returns a proof that no cache can have. A builder that finds it makes every proof
// that it should only find.
func impossibleProof() llb.State {
	id := identity.NewID()
	return proof(id, toFind, llb.Scratch().File(llb.Mkfile("/"+id, 0o644, nil), hidden("write what nobody checked")...))
}

// keepsProofs reports whether the builder supports the steps of a proof.
func (b *build) keepsProofs() bool {
	caps := b.BuildOpts().LLBCaps
	for _, c := range []apicaps.CapID{pb.CapMergeOp, pb.CapDiffOp, pb.CapPassthroughOp} {
		if caps.Supports(c) != nil {
			return false
		}
	}
	return true
}
