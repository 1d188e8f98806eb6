package samtemplate

import (
	"fmt"
	"strconv"

	"github.com/samforge/samforge/source"
)

// Text is a string of a template, with its intrinsic functions resolved.
//
// The value of a parameter with NoEcho, and what is made of it, is secret: no way of printing or
// encoding a Text shows it. [Text.Reveal] returns it.
type Text struct {
	// At is where the template gives the text; zero if it is a default.
	At source.Position
	// Unresolved says why the text is not known; nil if it is known.
	Unresolved *Unresolved

	plain string
	// secret takes the place of plain. Printing a struct with a Text in it shows the pointer only.
	secret *string
}

// Unresolved says why a value is not known before the stack is deployed.
type Unresolved struct {
	// At is the place of what cannot be resolved, which may be a part of the value.
	At source.Position
	// Reason is a sentence for the user, with the remedy where there is one.
	Reason string
}

// masked is what is shown of a secret.
const masked = "****"

func secretText(value string) Text { return Text{secret: &value} }

func unresolved(at source.Position, format string, args ...any) Text {
	return Text{At: at, Unresolved: &Unresolved{At: at, Reason: fmt.Sprintf(format, args...)}}
}

// Given reports whether the template gives the text.
func (t Text) Given() bool { return t.At.Line > 0 }

// Secret reports whether the text has the value of a parameter with NoEcho in it.
func (t Text) Secret() bool { return t.secret != nil }

// Reveal returns the text itself, even if it is secret; "" if it is not known.
func (t Text) Reveal() string {
	if t.secret != nil {
		return *t.secret
	}
	return t.plain
}

// RevealAll returns the texts themselves, even secret ones; nil for none.
func RevealAll(texts []Text) (plain []string) {
	for _, text := range texts {
		plain = append(plain, text.Reveal())
	}
	return plain
}

// String returns the text, or asterisks if it is secret.
func (t Text) String() string {
	if t.secret != nil {
		return masked
	}
	return t.plain
}

// GoString returns the text as %#v prints it, or asterisks if it is secret.
func (t Text) GoString() string { return strconv.Quote(t.String()) }

// MarshalText returns what String does.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// as returns a text that is made of this one and is as secret as it.
func (t Text) as(value string) Text {
	if t.secret != nil {
		return secretText(value)
	}
	return Text{plain: value}
}

// at returns the text as that of another place.
func (t Text) at(place source.Position) Text {
	t.At = place
	return t
}

// Number is a whole number of a template.
type Number struct {
	// N is the number, or the default of Lambda if the template does not give it.
	N int
	// At is where the template gives the number; zero if it is a default.
	At source.Position
	// Unresolved says why the number is not known; nil if it is known.
	Unresolved *Unresolved
}
