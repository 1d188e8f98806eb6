package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// misbehave makes requests that no client of AWS makes, and returns the answers as an error.
func misbehave(how string) error {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	if how == "asks" { // for another invocation, without a response to the first
		return errors.Join(status(http.Get(api + "next")))
	}
	response := api + next.Header.Get("Lambda-Runtime-Aws-Request-Id") + "/response"
	first := status(http.Post(response, "application/json", strings.NewReader(`"first"`)))
	second := status(http.Post(response, "application/json", strings.NewReader(`"second"`)))
	fmt.Println(errors.Join(first, second))
	_, err = http.Get(api + "next") // which waits
	return err
}

// status returns the status and the body of an answer as an error.
func status(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return errors.Join(fmt.Errorf("%d %s", answer.StatusCode, body), err)
}
