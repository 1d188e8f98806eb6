package main

import (
	"os"
	"testing"
)

func TestSchemaIsThePublishedOne(t *testing.T) {
	out, err := execute("schema")
	if err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile("../../docs/samforge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if out != string(published) {
		t.Errorf("samforge schema prints\n%s", out)
	}
}
