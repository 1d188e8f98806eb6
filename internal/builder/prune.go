package builder

// StateFolder is a folder with the cache of a private buildkitd.
type StateFolder struct {
	Path  string
	Bytes int64 // on the disk, of what this user may read
	InUse bool  // by a samforge that runs
}
