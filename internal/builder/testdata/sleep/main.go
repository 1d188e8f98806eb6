// Command sleep says that it runs and sleeps for the duration given: a build step that can be
// caught in the middle.
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
