package localapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/samtemplate"
)

// response is what a function answers a request with.
type response struct {
	StatusCode        json.Number              `json:"statusCode"`
	Headers           map[string]headerValue   `json:"headers"`
	MultiValueHeaders map[string][]headerValue `json:"multiValueHeaders"`
	Cookies           []string                 `json:"cookies"`
	Body              string                   `json:"body"`
	IsBase64Encoded   bool                     `json:"isBase64Encoded"`
}

// headerValue is the value of a header: a text, or a number or a truth value as it is written. null is no
// value.
type headerValue []string

// UnmarshalJSON returns an error for a list and for an object.
func (v *headerValue) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case 'n':
		return nil
	case '"':
		var text string
		err := json.Unmarshal(data, &text)
		*v = headerValue{text}
		return err
	case '[', '{':
		return fmt.Errorf("%s is no value of a header", data)
	}
	*v = headerValue{string(data)}
	return nil
}

// respond writes the response of a function. The error says why it is none, and nothing is written.
func (e *endpoint) respond(w http.ResponseWriter, text []byte) error {
	answer, err := e.parse(text)
	if err != nil {
		return err
	}
	status, err := strconv.Atoi(answer.StatusCode.String())
	if err != nil || status < 200 || status > 599 {
		return fmt.Errorf("its statusCode is %q", answer.StatusCode)
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(answer.Body); err != nil {
			return err
		}
	}
	header, err := answer.header()
	if err != nil {
		return err
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// header returns the headers of a response. Those about the connection, which is not the function's, are
// left out.
func (r response) header() (http.Header, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	for name, value := range r.Headers {
		if len(value) > 0 {
			h.Set(name, value[0])
		}
	}
	for name, values := range r.MultiValueHeaders {
		if all := slices.Concat(values...); len(all) > 0 {
			h[http.CanonicalHeaderKey(name)] = all
		}
	}
	for _, cookie := range r.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	for _, name := range []string{"Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
	for name, values := range h {
		if strings.ContainsFunc(strings.Join(values, ""), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("its header %s has a control character", name)
		}
	}
	return h, nil
}

// parse reads a response. In the format 2.0 one without a status is the body itself. One that was streamed
// has eight NUL between what is about the body and the body.
func (e *endpoint) parse(text []byte) (answer response, err error) {
	head, body, streamed := bytes.Cut(text, make([]byte, 8))
	err = json.Unmarshal(head, &answer)
	if streamed && err == nil {
		answer.Body = string(body)
	}
	if e.Payload == "2.0" && (err != nil || answer.StatusCode == "") {
		answer, err = response{StatusCode: "200", Body: string(text)}, nil
		var plain string
		if json.Unmarshal(text, &plain) == nil {
			answer.Body = plain
		}
	}
	return answer, err
}

// fail tells the client that the function failed.
func (e *endpoint) fail(w http.ResponseWriter) {
	if e.API == samtemplate.HTTPAPI {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	refuse(w, http.StatusBadGateway, "Internal server error")
}

// refuse answers a request for which there is no response, as an API does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
