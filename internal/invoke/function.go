package invoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
)

// Function is what Lambda would run an image with.
type Function struct {
	// Name is that of the function in its environment.
	Name string
	// EntryPoint, Command and Dir take the place of those of the image, if they are given.
	EntryPoint, Command []string
	Dir                 string
	// Environment are the variables of the function.
	Environment map[string]string
	// Timeout is the time that an invocation has. Memory is the limit of memory, and Storage the size
	// of /tmp, both in MiB.
	Timeout         time.Duration
	Memory, Storage int64
}

// Default returns what Lambda gives a function that sets nothing:
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func Default(name string) Function {
	return Function{Name: name, Environment: map[string]string{}, Timeout: 3 * time.Second, Memory: 128, Storage: 512}
}

// Of returns what a template sets for a function. warnings name what is not known before the stack is
// deployed.
func Of(f *samtemplate.Function) (of Function, warnings []string) {
	of = Default(f.ResourceID)
	unknown := func(what string, u *samtemplate.Unresolved) bool {
		if u != nil {
			warnings = append(warnings, fmt.Sprintf("%s is left as it is: %s", what, u.Reason))
		}
		return u != nil
	}
	if !unknown("Timeout", f.Timeout.Unresolved) {
		of.Timeout = time.Duration(min(f.Timeout.N, math.MaxInt32)) * time.Second
	}
	if !unknown("MemorySize", f.MemorySize.Unresolved) {
		of.Memory = int64(min(f.MemorySize.N, math.MaxInt32))
	}
	if !unknown("EphemeralStorage", f.EphemeralStorage.Unresolved) {
		of.Storage = int64(min(f.EphemeralStorage.N, math.MaxInt32))
	}
	if !unknown("ImageConfig", f.ImageConfig.Unresolved) {
		of.EntryPoint, of.Command = samtemplate.RevealAll(f.ImageConfig.EntryPoint), samtemplate.RevealAll(f.ImageConfig.Command)
		of.Dir = f.ImageConfig.WorkingDirectory.Reveal()
	}
	for _, variable := range f.Environment {
		if u := variable.Value.Unresolved; u != nil {
			warnings = append(warnings, fmt.Sprintf("the variable %s is not set: %s", variable.Name, u.Reason))
			continue
		}
		of.Environment[variable.Name] = variable.Value.Reveal()
	}
	return of, append(warnings, of.OutOfRange()...)
}

// OutOfRange returns a warning for each setting with which Lambda refuses a function:
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func (f Function) OutOfRange() (warnings []string) {
	for _, setting := range []struct {
		name             string
		got, least, most int64
	}{{"Timeout", int64(f.Timeout / time.Second), 1, 900}, {"MemorySize", f.Memory, 128, 10240}, {"EphemeralStorage", f.Storage, 512, 10240}} {
		if setting.got < setting.least || setting.got > setting.most {
			warnings = append(warnings, fmt.Sprintf("%s is %d, and Lambda takes %d to %d", setting.name, setting.got, setting.least, setting.most))
		}
	}
	return warnings
}

// initTimeout is how long a runtime may take to start:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const initTimeout = 10 * time.Second

// The user of functions on Lambda.
const (
	lambdaUID = 993
	lambdaGID = 990
)

// spec returns how an instance of the function runs an image.
func (f Function) spec(image ocispecs.ImageConfig, region string) instance.Spec {
	entrypoint, command := image.Entrypoint, image.Cmd
	if f.EntryPoint != nil {
		entrypoint = f.EntryPoint
	}
	if f.Command != nil {
		command = f.Command
	}
	s := instance.Spec{
		Args: slices.Concat(entrypoint, command), Dir: image.WorkingDir, UID: lambdaUID, GID: lambdaGID,
		Memory: f.Memory << 20, Timeout: f.Timeout, InitTimeout: initTimeout,
	}
	if f.Dir != "" {
		s.Dir = f.Dir
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	env := map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC", "LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
	for _, variable := range image.Env {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	maps.Copy(env, f.Environment)
	handler := ""
	if len(command) > 0 {
		handler = command[0]
	}
	for name, value := range map[string]string{ // which a function cannot set
		"_HANDLER": handler, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": f.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": fmt.Sprint(f.Memory), "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + f.Name, "AWS_LAMBDA_LOG_STREAM_NAME": "$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	} {
		env[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, name+"="+env[name])
	}
	return s
}

// SetVariables sets variables from a file as sam local invoke --env-vars reads it: those of Parameters,
// or those under the name of the function. Only variables count that the function has in the template.
func (f Function) SetVariables(path string, of *samtemplate.Function) error {
	all, err := readVariables(path)
	if err != nil {
		return err
	}
	for _, name := range []string{"Parameters", of.LogicalID, of.ResourceID, of.Path} {
		for variable, value := range all[name] {
			if slices.ContainsFunc(of.Environment, func(v samtemplate.Variable) bool { return v.Name == variable }) {
				f.Environment[variable] = string(value)
			}
		}
	}
	return nil
}

// AddVariables sets the variables of Parameters in such a file.
func (f Function) AddVariables(path string) error {
	all, err := readVariables(path)
	for name, value := range all["Parameters"] {
		f.Environment[name] = string(value)
	}
	return err
}

// readVariables reads the variables of functions, by their names.
func readVariables(path string) (map[string]map[string]variable, error) {
	data, err := userfile.Read(path, maxVariables)
	if err != nil {
		return nil, err
	}
	all, err := parseVariables(data)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		err = fmt.Errorf("found %s at byte %d", wrong.Value, wrong.Offset)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not of the form {\"FUNCTION\": {\"NAME\": \"VALUE\"}}: %w", path, err)
	}
	return all, nil
}

func parseVariables(data []byte) (all map[string]map[string]variable, err error) {
	return all, json.Unmarshal(data, &all)
}

// variable is the value of a variable: a text, or a number or a truth value as it is written. As in SAM
// CLI, everything else is empty.
type variable string

// UnmarshalJSON never fails for what is JSON.
func (v *variable) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, (*string)(v))
	case 'n', '{', '[':
		*v = ""
	default:
		*v = variable(data)
	}
	return nil
}

// maxVariables is the most that a file of variables has, in bytes.
const maxVariables = 1 << 20
