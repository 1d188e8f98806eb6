package scaffold

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/llbgen"
)

// prompt asks questions on a terminal.
type prompt struct {
	in  *bufio.Reader
	out io.Writer
	opt *Options
}

// question is a question of the prompt.
type question struct {
	text string
	// field is the key of the build file that the answer is for.
	field string
	// enter is the value of an empty answer. If it is nil, the prompt repeats the question.
	enter *string
	// change makes the value of an answer. It may be nil.
	change func(ctx context.Context, answer string) (string, error)
}

// complete asks for the missing answers, each until it is right. It does not ask for values that
// flags give.
func (p prompt) complete(ctx context.Context, a *Answers) error {
	if a.Kind == "" {
		if err := a.wrong(); err != nil {
			return err
		}
		if err := p.askKind(ctx, a); err != nil {
			return err
		}
	}
	if a.Kind == Application {
		return p.completeApplication(ctx, a)
	}
	if err := a.wrong(); err != nil {
		return err
	}
	found, ok := p.opt.foundFor(a.Kind)
	if ok {
		a.said(found).write(p.out)
		a.Framework = found.Framework
	}
	if err := p.askPlugin(ctx, a); err != nil {
		return err
	}
	if a.Repo == "" {
		if err := p.ask(ctx, a, question{text: "Repository to push to (Enter for none yet)", field: "repo", enter: new(string)}, &a.Repo); err != nil {
			return err
		}
	}
	if len(a.Runtimes) == 0 {
		if err := p.askRuntimes(ctx, a, found); err != nil {
			return err
		}
	}
	if a.needsNode() && len(a.Nodes) == 0 {
		return p.askNodes(ctx, a)
	}
	return nil
}

// askKind asks for the kind, and proposes the one that the files of the folder are of.
func (p prompt) askKind(ctx context.Context, a *Answers) error {
	q := question{text: "Kind of the images, " + strings.Join(llbgen.KindNames(), " or ") + ", or " + Application + " for a SAM template", field: "kind"}
	if several := p.opt.several(); several != "" {
		fmt.Fprintln(p.out, several)
	} else if found, ok := p.opt.foundFor(""); ok {
		q.text += " (Enter for " + found.Kind + ", because of " + found.File + ")"
		q.enter = &found.Kind
	}
	return p.ask(ctx, a, q, &a.Kind)
}

// askPlugin asks for the plugin and its version.
func (p prompt) askPlugin(ctx context.Context, a *Answers) error {
	plugin := plugins()[a.Kind]
	version := question{text: "Version of the plugin, for the tags, such as " + plugin.version, field: "plugin.version"}
	if a.Plugin == "" {
		if err := p.ask(ctx, a, question{text: "Plugin image (Enter for " + plugin.image + ")", field: "plugin.image", enter: &plugin.image}, &a.Plugin); err != nil {
			return err
		}
	}
	if a.Plugin == plugin.image {
		version.text, version.enter = "Version of the plugin, for the tags (Enter for "+plugin.version+")", &plugin.version
	}
	if a.PluginVersion == "" {
		return p.ask(ctx, a, version, &a.PluginVersion)
	}
	return nil
}

// askRuntimes asks for base images until the user gives no more. It proposes the runtimes that the
// files of the folder name.
func (p prompt) askRuntimes(ctx context.Context, a *Answers, found Found) error {
	current, err := currentRuntimes(time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, "AWS maintains these runtimes: "+strings.Join(current, " "))
	first := question{text: "Runtime, such as " + current[0] + ", or base image, such as " + example("runtimes[].image"), change: p.opt.baseImage}
	if len(found.Runtimes) > 0 {
		q := first
		q.field, q.enter = "runtimes[0].image", new(string)
		q.text += " (Enter for " + strings.Join(found.Runtimes, " and ") + ", from " + found.File + ")"
		if done, err := p.askFirst(ctx, a, q, found); err != nil || done {
			return err
		}
	}
	for i := len(a.Runtimes); ; i++ {
		q := first
		if i > 0 {
			q.text, q.enter = "Another runtime or base image (Enter for no more)", new(string)
		}
		q.field = fmt.Sprintf("runtimes[%d].image", i)
		a.Runtimes = append(a.Runtimes, "")
		if err := p.ask(ctx, a, q, &a.Runtimes[i]); err != nil {
			return err
		}
		if a.Runtimes[i] == "" {
			a.Runtimes = a.Runtimes[:i]
			return nil
		}
	}
}

// askFirst asks for the first base image. It reports whether the answer is what is proposed: then
// there are no more.
func (p prompt) askFirst(ctx context.Context, a *Answers, q question, found Found) (done bool, err error) {
	a.Runtimes = []string{""}
	if err := p.ask(ctx, a, q, &a.Runtimes[0]); err != nil || a.Runtimes[0] != "" {
		return false, err
	}
	a.Runtimes = slices.Clone(found.Runtimes)
	if err := p.opt.baseImages(ctx); err != nil {
		fmt.Fprintln(p.out, "  "+err.Error())
		a.Runtimes = nil
		return false, nil
	}
	return true, nil
}

// askNodes asks for the node image of each base image, and proposes the smallest one that runs on
// it.
func (p prompt) askNodes(ctx context.Context, a *Answers) error {
	known, err := catalogue.Load()
	if err != nil {
		return err
	}
	var nodes []string
	for i, image := range a.Runtimes {
		q := question{text: "Image to take Node.js from for " + image, field: fmt.Sprintf("runtimes[%d].node", i)}
		if proposed := known.NodeImage(image); proposed != "" {
			q.text += " (Enter for " + proposed + ")"
			q.enter = &proposed
		}
		nodes = append(nodes, "")
		a.Nodes = nodes
		if err := p.ask(ctx, a, q, &nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// ask asks a question until its answer is right.
func (p prompt) ask(ctx context.Context, a *Answers, q question, answer *string) error {
	for {
		fmt.Fprintf(p.out, "%s: ", q.text)
		line, err := p.line(ctx)
		switch {
		case errors.Is(err, io.EOF) && line == "" && q.enter == nil:
			fmt.Fprintln(p.out)
			return &InputError{fmt.Errorf("missing: %s", flagOf(q.field))}
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		*answer = line
		if line == "" && q.enter != nil {
			*answer = *q.enter
		}
		if q.change != nil && line != "" {
			if *answer, err = q.change(ctx, line); err != nil {
				fmt.Fprintln(p.out, "  "+err.Error())
				continue
			}
		}
		mistake := a.mistakeIn(q.field)
		if mistake == "" || *answer == "" && q.enter != nil {
			return nil
		}
		if *answer != "" {
			fmt.Fprintln(p.out, "  "+mistake)
		}
	}
}

// line reads a line, or ends with the context: a read of a terminal does not end by itself.
func (p prompt) line(ctx context.Context) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := p.in.ReadString('\n')
		done <- read{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.out)
		return "", context.Cause(ctx)
	case r := <-done:
		return r.line, r.err
	}
}

// example returns an example value for a key of the build file.
func example(path string) string {
	for _, f := range llbgen.Fields() {
		if f.Path == path {
			return f.Example
		}
	}
	return ""
}
