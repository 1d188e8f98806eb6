# The Runtime API's client in the stand-in for Lambda's Python images. The Python there is a minimal
# one, without http.client.
import importlib
import json
import os
import socket
import sys


def call(method, path, body=b""):
    """Returns the headers and the body of an answer of the Runtime API."""
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"{method} /2018-06-01/runtime/{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return dict(line.lower().split(": ", 1) for line in lines), body


sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
module, name = os.environ["_HANDLER"].rsplit(".", 1)
handler = getattr(importlib.import_module(module), name)
while True:
    headers, event = call("GET", "invocation/next")
    invocation = "invocation/" + headers["lambda-runtime-aws-request-id"]
    try:
        call("POST", invocation + "/response", json.dumps(handler(json.loads(event), None)).encode())
    except Exception as error:
        problem = {"errorType": type(error).__name__, "errorMessage": str(error)}
        call("POST", invocation + "/error", json.dumps(problem).encode())
