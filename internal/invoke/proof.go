package invoke

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"reflect"
	"strings"

	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
)

// Proofs returns the proofs of the functions of a template that have an event, by their paths:
// SamforgeEvent in the Metadata of the function, or events/FUNCTION.json beside its template. A file
// that ends with .response.json instead has the response. without are the functions that have no event.
func Proofs(t *samtemplate.Template) (proofs map[string]*Call, without []string, err error) {
	proofs = map[string]*Call{}
	for _, f := range t.AllFunctions() {
		if f.Origin != samtemplate.FromDockerfile {
			continue
		}
		call, err := proofOf(f)
		if err != nil {
			return nil, nil, err
		}
		if call == nil {
			without = append(without, f.Path)
			continue
		}
		proofs[f.Path] = call
	}
	return proofs, without, nil
}

// proofOf returns the proof of a function; nil if it has no event.
func proofOf(f *samtemplate.Function) (*Call, error) {
	folder := filepath.Dir(f.Template().Name)
	path := filepath.Join(folder, "events", f.LogicalID+".json")
	if f.Event.Given() {
		if f.Event.Unresolved != nil {
			return nil, f.Diagnostic(f.Event.At, "SamforgeEvent is not known: %s", f.Event.Unresolved.Reason)
		}
		path = filepath.Join(folder, f.Event.Reveal())
	}
	event, err := ReadEvent(path)
	if errors.Is(err, fs.ErrNotExist) && !f.Event.Given() {
		return nil, nil
	}
	if err != nil {
		return nil, f.Diagnostic(f.At, "the event of the function: %v", err)
	}
	of, _ := Of(f)
	call := &Call{Function: of, Event: event, Proof: true}
	response, err := userfile.Read(strings.TrimSuffix(path, ".json")+".response.json", runtimeapi.MaxPayload)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, f.Diagnostic(f.At, "the response to the event of the function: %v", err)
	}
	call.Response = response
	return call, nil
}

// ReadEvent reads the file of an event.
func ReadEvent(path string) ([]byte, error) {
	event, err := userfile.Read(path, runtimeapi.MaxPayload)
	if err == nil && !json.Valid(event) {
		err = fmt.Errorf("%s: the event is no JSON", path)
	}
	return event, err
}

// inputs returns the digest of all that the result of a proof depends on beside the image. Variables of a
// function may be secret: the builder's history has this digest of them, and nothing else.
func (in *running) inputs(program digest.Digest) digest.Digest {
	text, _ := json.Marshal(struct { // plain fields
		Spec            instance.Spec
		Event, Response []byte
		Times           int
		Storage         int64
		Program         digest.Digest
	}{in.spec, in.Event, in.Response, in.times(), in.Storage, program})
	return digest.FromBytes(text)
}

// judge returns why a proof failed.
func (in *running) judge(report *instance.Report, response []byte) error {
	switch {
	case !in.Proof:
		return nil
	case report.Err != nil:
		return fmt.Errorf("the function does not answer its event: %s", report.Err.Body)
	case in.Response == nil || alike(in.Response, response):
		return nil
	}
	return fmt.Errorf("the function answers its event with\n%s\nand not with\n%s", response, in.Response)
}

// alike reports whether two texts are the same JSON, or the same text.
func alike(one, other []byte) bool {
	a, err := canonical(one)
	b, otherErr := canonical(other)
	if err != nil || otherErr != nil {
		return string(one) == string(other)
	}
	return reflect.DeepEqual(a, b)
}

// canonical returns the value of a JSON text. Numbers are texts in it that are equal if the numbers are,
// whatever their size: a float64 does not tell 9007199254740993 from 9007199254740992.
func canonical(text []byte) (value any, err error) {
	if !json.Valid(text) {
		return nil, errors.New("no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return withNumbers(value), err
}

// withNumbers replaces the numbers in a value by their canonical forms.
func withNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return canonicalNumber(value.String())
	case []any:
		for i := range value {
			value[i] = withNumbers(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = withNumbers(value[name])
		}
	}
	return value
}

// canonicalNumber returns a number of JSON as its digits without zeros at either end, and its power of ten.
func canonicalNumber(text string) json.Number {
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	exponent, ok := new(big.Int).SetString(cmp.Or(power, "0"), 10)
	if !ok {
		return json.Number(text)
	}
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(short)-len(fraction))))
	if negative {
		short = "-" + short
	}
	return json.Number(short + "e" + exponent.String())
}
