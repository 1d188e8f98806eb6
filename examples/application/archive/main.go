// Command archive is a Lambda function that takes orders from a queue.
package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

type order struct {
	ID string `json:"id"`
}

// handle archives the orders of a batch. Lambda delivers those again that are in the response:
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func handle(_ context.Context, event events.SQSEvent) (response events.SQSEventResponse, _ error) {
	for _, message := range event.Records {
		var o order
		if err := json.Unmarshal([]byte(message.Body), &o); err != nil || o.ID == "" {
			log.Printf("message %s is no order: %q", message.MessageId, message.Body)
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
			continue
		}
		log.Printf("archived order %s", o.ID)
	}
	return response, nil
}

func main() { lambda.Start(handle) }
