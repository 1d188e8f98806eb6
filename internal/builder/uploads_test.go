package builder

import (
	"errors"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
)

// A job that no builder got has uploaded nothing.
func TestUploadedOfNothing(t *testing.T) {
	t.Parallel()
	if bytes, err := Uploaded(t.Context(), []Result{{Name: "python3.12", Err: errors.New("no session")}}); bytes != 0 || err != nil {
		t.Errorf("%d bytes, %v", bytes, err)
	}
}

func TestReadUploads(t *testing.T) {
	t.Parallel()
	dgst := digest.FromString("layer")
	span := func(method, address, status string) string {
		return `{"Name": "HTTP ` + method + `", "Attributes": [
			{"Key": "http.request.method", "Value": {"Type": "STRING", "Value": "` + method + `"}},
			{"Key": "url.full", "Value": {"Type": "STRING", "Value": "` + address + `"}},
			{"Key": "http.response.status_code", "Value": {"Type": "INT64", "Value": ` + status + `}}]}` + "\n"
	}
	upload := "https://registry.example.com/v2/app/blobs/uploads/7?_state=a&digest=sha256%3A" + dgst.Encoded()
	found, err := readUploads(strings.NewReader(`{"Name": "cache request", "Attributes": null}` + "\n" +
		span("HEAD", "https://registry.example.com/v2/app/blobs/"+dgst.String(), "404") +
		span("POST", "https://registry.example.com/v2/app/blobs/uploads/", "202") +
		span("PUT", strings.Replace(upload, "/7", "/6", 1), "500") +
		span("PUT", upload, "201") +
		span("PUT", "https://registry.example.com/v2/app/manifests/1", "201")))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[upload] != dgst {
		t.Errorf("the uploads are %v, want that of %s", found, upload)
	}
	if found, err := readUploads(strings.NewReader(`{"Attributes": [`)); err == nil {
		t.Errorf("half a trace has the uploads %v", found)
	}
}
