package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"

	"github.com/samforge/samforge/internal/builder"
)

// The forms of the summary of a build.
const (
	SummaryAuto = "auto" // for people, on standard error, unless the progress is quiet
	SummaryNone = "none"
	SummaryJSON = "json" // on standard output, in place of the references
)

// SummaryForms returns the values of --summary.
func SummaryForms() []string { return []string{SummaryAuto, SummaryNone, SummaryJSON} }

// The results of an image in a summary.
const (
	resultBuilt   = "built"
	resultCached  = "cached"  // every step came from the cache
	resultSkipped = "skipped" // it was in its registry
	resultFailed  = "failed"
)

// Summary says what a build did: the JSON document of --summary=json.
type Summary struct {
	Images []ImageSummary `json:"images"`
	// Seconds is the time from the first solve to the last.
	Seconds float64 `json:"seconds"`
	// SentBytes went from this machine to the builders: build contexts. PulledBytes are those of the
	// layers that the builders pulled.
	SentBytes   int64 `json:"sentBytes"`
	PulledBytes int64 `json:"pulledBytes"`
	// PushedBytes are those of the layers and configs that the builders uploaded: not what their
	// registry had. It is nil if a builder does not know.
	PushedBytes *int64 `json:"pushedBytes"`
	// Pushed is true if the images were pushed, Exported if they went anywhere at all.
	Pushed   bool             `json:"pushed"`
	Exported bool             `json:"exported"`
	Warnings []WarningSummary `json:"warnings"`
}

// ImageSummary is an image in a [Summary].
type ImageSummary struct {
	Name string `json:"name"`
	// Result is built, cached (every step came from the cache), skipped (it was in its registry) or failed.
	Result     string   `json:"result"`
	References []string `json:"references"` // NAME@DIGEST
	Digest     string   `json:"digest,omitempty"`
	Seconds    float64  `json:"seconds"`
	// Steps ended, and CachedSteps of them came from the cache.
	Steps       int    `json:"steps"`
	CachedSteps int    `json:"cachedSteps"`
	Error       string `json:"error,omitempty"`
}

// WarningSummary is a warning in a [Summary].
type WarningSummary struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
}

// summarize collects what the targets' results say. took is the time of all of them together.
func (r *report) summarize(ctx context.Context, results []builder.Result, took time.Duration) Summary {
	s := Summary{Images: []ImageSummary{}, Seconds: took.Seconds(), Pushed: r.pushes(), Exported: r.exported, Warnings: []WarningSummary{}}
	byName := map[string]builder.Result{}
	var work []builder.Work
	for _, result := range results {
		byName[result.Name] = result
		work = append(work, result.Work)
		for _, warning := range result.Warnings {
			s.add(warning)
		}
	}
	for _, image := range r.built {
		of := ImageSummary{Name: image.Target.Name, Result: resultSkipped, References: []string{}}
		for _, ref := range image.Refs {
			of.References = append(of.References, ref.String())
		}
		if len(image.Refs) > 0 {
			of.Digest = image.Refs[0].Digest
		}
		if !image.Skipped {
			of.did(byName[image.Target.Name].Work)
		}
		s.Images = append(s.Images, of)
	}
	for _, failed := range r.failures {
		of := ImageSummary{Name: failed.Name, References: []string{}, Error: failed.Err.Error()}
		of.did(failed.Work)
		of.Result = resultFailed
		s.Images = append(s.Images, of)
	}
	slices.SortStableFunc(s.Images, func(a, b ImageSummary) int { return cmp.Compare(a.Name, b.Name) })
	s.SentBytes, s.PulledBytes = builder.Transferred(work...)
	s.PushedBytes = r.uploaded(ctx, results)
	return s
}

// patience is how long a builder may take to tell what it has uploaded.
const patience = 5 * time.Second

// uploaded returns how many bytes were pushed, or nil if that is not known or nobody is told.
func (r *report) uploaded(ctx context.Context, results []builder.Result) *int64 {
	if !r.tells() {
		return nil
	}
	var bytes int64
	if r.pushes() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var err error
		if bytes, err = builder.Uploaded(ctx, results); err != nil {
			return nil
		}
	}
	return &bytes
}

// pushes reports whether images are pushed: by --push, by an output, or by one of a target.
func (r *report) pushes() bool {
	return r.opt.Push || pushing(r.opt.Outputs) || slices.ContainsFunc(r.built, func(b Built) bool { return pushing(b.Target.Outputs) })
}

// silent reports whether programs read the progress, or nobody does.
func (r *report) silent() bool { return r.opt.Progress == "quiet" || r.opt.Progress == "rawjson" }

// tells reports whether the summary is written.
func (r *report) tells() bool {
	return !r.opt.BuildOnly && (r.opt.Summary == SummaryJSON || !r.silent() && r.opt.Summary != SummaryNone)
}

// add adds a warning, unless it is there.
func (s *Summary) add(warning client.VertexWarning) {
	w := WarningSummary{Text: string(warning.Short), URL: warning.URL}
	if warning.SourceInfo != nil && len(warning.Range) > 0 {
		line := warning.Range[0].Start.Line
		w.Text = fmt.Sprintf("%s:%d: %s", warning.SourceInfo.Filename, line, strings.TrimSuffix(w.Text, fmt.Sprintf(" (line %d)", line)))
	}
	if !slices.Contains(s.Warnings, w) {
		s.Warnings = append(s.Warnings, w)
	}
}

func (i *ImageSummary) did(work builder.Work) {
	i.Steps, i.CachedSteps = work.Steps()
	i.Seconds = work.Took.Seconds()
	if i.Result = resultBuilt; i.CachedSteps == i.Steps {
		i.Result = resultCached
	}
}

// writeSummary writes the summary in the form that the options ask for.
func (r *report) writeSummary(s Summary) error {
	switch {
	case r.opt.BuildOnly:
		return nil
	case r.opt.Summary == SummaryJSON:
		encoder := json.NewEncoder(r.opt.Stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(s); err != nil {
			return fmt.Errorf("write the summary: %w", err)
		}
	case r.tells():
		s.print(r.opt.Stderr)
	}
	if r.opt.Progress == "rawjson" {
		return nil // it has them
	}
	for _, warning := range s.Warnings {
		text := "WARNING: " + warning.Text
		if warning.URL != "" {
			text += " (" + warning.URL + ")"
		}
		fmt.Fprintln(r.opt.Stderr, text)
	}
	if !s.Exported && len(r.built) > 0 && !r.opt.DryRun {
		fmt.Fprintln(r.opt.Stderr, "WARNING: not pushed, the result is only in the builder's cache: add --push, --load or --output")
	}
	return nil
}

// print writes a line for each image, and one for all of them.
func (s Summary) print(out io.Writer) {
	count := map[string]int{}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, image := range s.Images {
		count[image.Result]++
		fmt.Fprintf(table, "  %s\t%s\t%s\n", image.Name, image.result(), image.took())
	}
	var counts []string
	for _, result := range []string{resultBuilt, resultCached, resultSkipped, resultFailed} {
		if n := count[result]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, wordsFor[result]))
		}
	}
	moved := fmt.Sprintf("sent %s, pulled %s", units.HumanSize(float64(s.SentBytes)), units.HumanSize(float64(s.PulledBytes)))
	if s.Pushed && s.PushedBytes != nil {
		moved += ", pushed " + units.HumanSize(float64(*s.PushedBytes))
	}
	fmt.Fprintf(out, "samforge: %s in %s: %s; %s\n", plural(len(s.Images), "image"), seconds(s.Seconds), strings.Join(counts, ", "), moved)
	if len(s.Images) > 1 {
		_ = table.Flush()
	}
}

// wordsFor are what people read for the results.
var wordsFor = map[string]string{resultBuilt: "built", resultCached: "from the cache", resultSkipped: "skipped", resultFailed: "failed"}

func (i ImageSummary) result() string {
	switch {
	case i.Result == resultBuilt && i.CachedSteps > 0:
		return fmt.Sprintf("built, %d of %d steps from the cache", i.CachedSteps, i.Steps)
	case i.Result == resultSkipped:
		return "skipped: it is in the registry"
	}
	return wordsFor[i.Result]
}

func (i ImageSummary) took() string {
	if i.Result == resultSkipped {
		return ""
	}
	return seconds(i.Seconds)
}

func seconds(s float64) string { return fmt.Sprintf("%.1fs", s) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
