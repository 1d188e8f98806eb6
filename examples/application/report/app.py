import json


def handler(event, context):
    """Answers POST /report with how many of each product a list of orders has."""
    counts = {}
    for order in json.loads(event["body"])["orders"]:
        for item in order["items"]:
            counts[item["name"]] = counts.get(item["name"], 0) + item["count"]
    return {"statusCode": 200, "body": json.dumps(counts)}
