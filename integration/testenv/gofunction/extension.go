package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// extend is an extension, which does what its name says. It returns the exit code.
func extend(name string) int {
	if name == "early" {
		return 3
	}
	id, answer := register(name)
	fmt.Println(name, "registered:", answer)
	if name == "initerror" {
		fmt.Println(name, call("init/error", id))
		return 1
	}
	for {
		var event struct{ EventType, ShutdownReason string }
		if err := json.Unmarshal([]byte(call("event/next", id)), &event); err != nil {
			fmt.Println(name, err)
			return 1
		}
		fmt.Println(name, "got", event.EventType, event.ShutdownReason)
		switch {
		case name == "crashes":
			return 4
		case name == "exiterror":
			fmt.Println(name, call("exit/error", id))
		case name == "slow" && event.EventType == "INVOKE":
			time.Sleep(300 * time.Millisecond) // longer than the function needs
			fmt.Println(name, "is done")
		case name == "deaf" && event.EventType == "SHUTDOWN":
			forever()
		case event.EventType == "SHUTDOWN":
			return 0
		}
	}
}

// register registers an extension for all events, or for none if its name is quiet.
func register(name string) (id, answer string) {
	events := `{"events": ["INVOKE", "SHUTDOWN"]}`
	if name == "quiet" {
		events = `{"events": []}`
	}
	r, _ := http.NewRequest(http.MethodPost, extensionAPI()+"register", strings.NewReader(events))
	r.Header.Set("Lambda-Extension-Name", name)
	r.Header.Set("Lambda-Extension-Accept-Feature", "accountId")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.Header.Get("Lambda-Extension-Identifier"), strings.TrimSpace(string(body))
}

// call makes a request of an extension, and returns the answer.
func call(path, id string) string {
	method := http.MethodPost
	if path == "event/next" {
		method = http.MethodGet
	}
	r, _ := http.NewRequest(method, extensionAPI()+path, nil)
	r.Header.Set("Lambda-Extension-Identifier", id)
	r.Header.Set("Lambda-Extension-Function-Error-Type", "Extension.OfTheTest")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return strings.TrimSpace(string(body))
}

func extensionAPI() string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
}
