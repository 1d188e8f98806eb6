package samtemplate

// File is the text of a template.
type File struct {
	// Name is the file's path. Messages show it, and the paths in the template are relative to its
	// folder, so it is the real path where the file is a symbolic link.
	Name string
	// Data is the text.
	Data []byte
}

// Options say how to read a template.
type Options struct {
	// Parameters are the values of parameters by name, as in `sam build --parameter-overrides`.
	// The names of pseudo parameters are allowed too, such as AWS::AccountId. They are for the
	// root template: a nested stack gets its parameters from the template around it.
	Parameters map[string]string
	// Region is the value of AWS::Region; us-east-1 if it is empty, as SAM has it.
	Region string
	// BaseDir is the folder that the functions' contexts are relative to, as in
	// `sam build --base-dir`. If it is empty, they are relative to the template that they are in.
	BaseDir string
	// Checks takes the place of the check directives of the templates; nil if they hold.
	Checks *string
	// ReadTemplate reads the template of a nested stack. If it is nil, a nested stack is a mistake.
	ReadTemplate func(name string) (File, error)
	// IsFile reports whether there is a file of this name, which is then an image archive. If it is
	// nil, there is none.
	IsFile func(name string) bool
}

func (o Options) isFile(name string) bool { return o.IsFile != nil && o.IsFile(name) }
