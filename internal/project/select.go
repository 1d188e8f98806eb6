package project

// TargetNames returns what a build file can be asked for: its targets, and the
// runtimes and variants that select several of them.
func TargetNames(opt Options) ([]string, error) {
	opt.Targets = nil
	r := &request{opt: opt, args: withMirrors(opt)}
	if err := r.load(); err != nil {
		return nil, inputError(err)
	}
	var names []string
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, t := range r.plan.Targets {
		add(t.Name)
	}
	for _, t := range r.plan.Targets {
		add(t.Runtime)
		add(t.Variant)
	}
	return names, nil
}
