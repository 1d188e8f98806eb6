package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/localapi"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/samtemplate"
)

// apiFlags are the flags of samforge start-api.
type apiFlags struct {
	runFlags
	host string
	port int
}

func startAPICommand() *cobra.Command {
	var f apiFlags
	f.sections = []string{"local_start_api"}
	c := &cobra.Command{
		Use:   "start-api [flags]",
		Short: "Serve the APIs of a SAM template, answered by its functions under the limits of Lambda",
		Long: `Build the functions of a SAM template that answer an API, and serve their routes: the events of type
Api and HttpApi. A function with a FunctionUrlConfig answers at http://FUNCTION.localhost. Each function
is one warm instance on the builder, which answers one request after the other.

It ends with Ctrl-C.`,
		Example: "  samforge start-api --port 8080 &\n  curl http://127.0.0.1:8080/hello",
		Args:    noArgs,
		RunE:    f.run,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.host, "host", "127.0.0.1", "`address` to serve at")
	flags.IntVarP(&f.port, "port", "p", 3000, "`port` to serve at, 0 for any")
	f.register(c)
	return c
}

func (f *apiFlags) run(c *cobra.Command, _ []string) error {
	if err := f.takeTemplate(); err != nil {
		return err
	}
	p, err := f.load(c, nil)
	if err != nil {
		return err
	}
	if !p.IsTemplate() {
		return &usageError{fmt.Errorf("%s is no SAM template: name one with --template-file", p.File.Name)}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(f.port)))
	if err != nil {
		return &usageError{fmt.Errorf("--host, --port: %w", err)}
	}
	defer listener.Close()
	keys, region, err := f.keys(c)
	if err != nil {
		return err
	}
	api, calls := &localapi.API{Stderr: c.ErrOrStderr()}, map[string]*invoke.Call{}
	for _, of := range p.Template().AllFunctions() {
		if of.Origin != samtemplate.FromDockerfile || len(of.Routes) == 0 && !of.HasURL {
			continue
		}
		function, err := f.function(c, of)
		if err != nil {
			return err
		}
		maps.Copy(function.Environment, keys)
		requests := make(chan *invoke.Request)
		calls[of.Path] = &invoke.Call{Function: function, Requests: requests}
		f.input.Targets = append(f.input.Targets, of.Path)
		api.Add(of, requests, listener.Addr())
	}
	if len(calls) == 0 {
		return &usageError{fmt.Errorf("no function that is built from %s has an event of type Api or HttpApi, or a FunctionUrlConfig: run one with samforge invoke", p.File.Name)}
	}
	if p, err = f.load(c, nil); err != nil { // with those functions alone
		return err
	}
	invoker, err := invoke.New(invoke.Options{
		Call:   func(t project.Target) *invoke.Call { return calls[t.Name] },
		Region: region, Network: f.network, Stdout: io.Discard, Stderr: c.ErrOrStderr(),
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: api, ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	f.build.Step, f.build.Serve, f.build.BuildOnly, f.build.Registries = invoker, true, true, f.registries(c)
	f.build.Silence.Limit = 0 // nobody may call for hours
	if _, err = build.Build(c.Context(), p, f.build); c.Context().Err() != nil {
		return nil
	}
	return err
}
