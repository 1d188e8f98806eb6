// Command sleep reports that it runs and sleeps for the given duration: a build step that a test
// can interrupt.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	d, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("sleeping for", d)
	time.Sleep(d)
}
