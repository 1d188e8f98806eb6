package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// step is a step of a build.
type step struct {
	name   string
	took   time.Duration // to a tenth of a second
	cached bool
}

var (
	stepLine = regexp.MustCompile(`^#(\d+) (.+)$`)
	stepDone = regexp.MustCompile(`^DONE (\d+\.\d)s$`)
)

// readSteps parses plain progress: the first line with a number is the step's name, and the last
// one says how the step ended.
func readSteps(progress string) []*step {
	byNumber := map[string]*step{}
	var steps []*step
	for line := range strings.Lines(progress) {
		match := stepLine.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue
		}
		number, text := match[1], match[2]
		s, known := byNumber[number]
		if !known {
			s = &step{name: text}
			byNumber[number], steps = s, append(steps, s)
			continue
		}
		if text == "CACHED" {
			s.cached = true
		}
		if done := stepDone.FindStringSubmatch(text); done != nil {
			took, _ := strconv.ParseFloat(done[1], 64) // the expression matches nothing else
			s.took, s.cached = time.Duration(took*float64(time.Second)), false
		}
	}
	return steps
}

// stepsThatRan returns the steps that did something and whose name matches.
func stepsThatRan(progress string, name *regexp.Regexp) (ran []*step) {
	for _, s := range readSteps(progress) {
		if !s.cached && name.MatchString(s.name) {
			ran = append(ran, s)
		}
	}
	return ran
}
